package pack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// town is where generated members practise.
type town struct {
	name, postcode      string
	latitude, longitude float64
}

// towns are those of the regions of the demo body, by the slug of the region. Members of
// other regions practise nowhere.
var towns = map[string][]town{
	"eastern":                {{"Norwich", "NR1", 52.63, 1.30}, {"Ipswich", "IP1", 52.06, 1.15}, {"Cambridge", "CB1", 52.20, 0.12}},
	"london":                 {{"Camden", "NW1", 51.54, -0.14}, {"Croydon", "CR0", 51.37, -0.10}, {"Stratford", "E15", 51.54, 0.00}, {"Southwark", "SE1", 51.50, -0.09}},
	"west-midlands":          {{"Birmingham", "B1", 52.48, -1.90}, {"Coventry", "CV1", 52.41, -1.51}, {"Stoke-on-Trent", "ST1", 53.00, -2.18}},
	"northern-ireland":       {{"Belfast", "BT1", 54.60, -5.93}, {"Derry", "BT48", 55.00, -7.32}},
	"northern-and-yorkshire": {{"Leeds", "LS1", 53.80, -1.55}, {"Newcastle upon Tyne", "NE1", 54.97, -1.61}, {"York", "YO1", 53.96, -1.08}},
	"north-west":             {{"Manchester", "M1", 53.48, -2.24}, {"Liverpool", "L1", 53.41, -2.98}, {"Carlisle", "CA1", 54.89, -2.93}},
	"scottish-eastern":       {{"Edinburgh", "EH1", 55.95, -3.19}, {"Dundee", "DD1", 56.46, -2.97}},
	"scottish-northern":      {{"Inverness", "IV1", 57.48, -4.22}, {"Aberdeen", "AB10", 57.15, -2.09}},
	"scottish-western":       {{"Glasgow", "G1", 55.86, -4.25}, {"Ayr", "KA7", 55.46, -4.63}},
	"south-east":             {{"Brighton", "BN1", 50.82, -0.14}, {"Canterbury", "CT1", 51.28, 1.08}, {"Reading", "RG1", 51.45, -0.97}},
	"south-west":             {{"Bristol", "BS1", 51.45, -2.59}, {"Exeter", "EX1", 50.72, -3.53}, {"Plymouth", "PL1", 50.37, -4.14}},
	"trent":                  {{"Nottingham", "NG1", 52.95, -1.15}, {"Sheffield", "S1", 53.38, -1.47}, {"Lincoln", "LN1", 53.23, -0.54}},
	"wales":                  {{"Cardiff", "CF10", 51.48, -3.18}, {"Swansea", "SA1", 51.62, -3.94}, {"Bangor", "LL57", 53.23, -4.13}},
}

// languages are those that members speak besides English, by code.
var (
	languages       = []string{"cy", "ur", "pl", "pa", "bn", "gu", "ar", "fr", "es", "bfi", "so", "gd"}
	languageWeights = []int{20, 10, 10, 9, 7, 7, 7, 10, 8, 6, 3, 3}
)

// generatedDetails are the details of a generated member, as rows of COPY. They come of
// dice of their own, so that members are what they were before they had any.
func (g *generator) generatedDetails(i int, id uuid.UUID, first, family string, region *uuid.UUID) [][]any {
	d := newDice(g.seed^0xde7a115, uint64(i))
	var rows [][]any
	add := func(percent int, field string, value any, terms []string, postcode, latitude, longitude any) {
		audience := audiences[d.weighted(fieldWeights)]
		if d.chance(percent) {
			rows = append(rows, []any{id, field, audience, value, terms, postcode, latitude, longitude})
		}
	}
	text := func(percent int, field, value string) { add(percent, field, value, nil, nil, nil, nil) }
	name := strings.ToLower(strings.NewReplacer("'", "", " ", "").Replace(first + "." + family))
	// example.org and the numbers 020 7946 0000 to 0999 are nobody's, for good.
	text(60, "EMAIL", fmt.Sprintf("%s.%d@members.example.org", asciiOf(name), i))
	text(35, "PHONE", fmt.Sprintf("020 7946 0%03d", d.below(1000)))
	text(15, "WEBSITE", fmt.Sprintf("https://practice-%d.example.org/", i))
	spoken := []string{"en"}
	for d.chance(30) {
		spoken = append(spoken, languages[d.weighted(languageWeights)])
	}
	add(55, "LANGUAGES", nil, sorted(spoken), nil, nil, nil)
	special := []string{settings[d.below(len(settings))]}
	for d.chance(40) {
		special = append(special, settings[d.below(len(settings))])
	}
	add(55, "SPECIALISMS", nil, sorted(special), nil, nil, nil)
	if region != nil {
		if of := g.towns[*region]; len(of) > 0 {
			at := of[d.below(len(of))]
			north, east := float64(d.below(21)-10)/100, float64(d.below(31)-15)/100
			add(60, "PRACTICE", at.name, nil, at.postcode, at.latitude+north, at.longitude+east)
		}
	}
	return rows
}

// asciiOf leaves out what stands in no address.
func asciiOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return -1
		}
		return r
	}, name)
}

func sorted(terms []string) []string {
	slices.Sort(terms)
	return slices.Compact(terms)
}

// readTowns finds the towns of the regions.
func (g *generator) readTowns(ctx context.Context, tx pgx.Tx) error {
	g.towns = map[uuid.UUID][]town{}
	rows, err := tx.Query(ctx, `SELECT id, slug FROM units WHERE kind = 'REGION'`)
	if err != nil {
		return err
	}
	var (
		id   uuid.UUID
		slug string
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &slug}, func() error {
		g.towns[id] = towns[slug]
		return nil
	})
	return err
}

var detailColumns = []string{"member_id", "field", "audience", "value", "terms", "postcode", "latitude", "longitude"}
