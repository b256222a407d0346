package pack

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDemoUnits(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	byPage := map[Path]*placement{}
	for _, i := range p.placements() {
		if i.isCanonical {
			byPage[i.Page] = i
		}
	}
	type line struct {
		Slug  string
		Pages int
	}
	var sections, regions []line
	subKinds, nations := map[subKind]int{}, map[nation]int{}
	events := map[string]int{}
	for _, u := range p.units {
		pages := p.under(string(u.Page))
		var titles, labels []string
		for _, pg := range pages {
			titles = append(titles, string(pg.Title))
			if u.kind == "SPECIALIST_SECTION" {
				subKinds[pg.SubKind]++
				if pg.SubKind == "EVENTS" {
					events[string(pg.Title)]++
				}
			}
		}
		for _, i := range byPage[u.Page].Children {
			labels = append(labels, string(i.Label))
		}
		if diff := cmp.Diff(labels, titles); diff != "" {
			t.Errorf("sub-pages of %s (-menu +pages):\n%s", u.Slug, diff)
		}
		if u.Name != byPage[u.Page].Label || !slices.Contains(u.Aliases, Slug(path.Base(string(u.Page)))) {
			t.Errorf("%s: got name %q and aliases %v; want the label and the slug of the label", u.Slug, u.Name, u.Aliases)
		}
		switch u.kind {
		case "SPECIALIST_SECTION":
			sections = append(sections, line{string(u.Slug), len(pages)})
			if string(u.Name) != "RCOT SS - "+string(u.ShortName) {
				t.Errorf("%s: got name %q, short name %q", u.Slug, u.Name, u.ShortName)
			}
		default:
			nations[u.Nation]++
			regions = append(regions, line{string(u.Slug), len(pages)})
		}
	}
	for _, c := range []struct {
		name      string
		want, got any
	}{
		{"sections with their sub-pages", []line{
			{"children-young-people-and-families", 4},
			{"housing", 5},
			{"independent-practice", 8},
			{"major-health-conditions", 8},
			{"mental-health", 6},
			{"neurological-practice", 4},
			{"older-people", 4},
			{"people-with-learning-disabilities", 5},
			{"trauma-and-musculoskeletal-health", 4},
			{"work", 5},
		}, sections},
		{"regions with their sub-pages", []line{
			{"eastern", 0},
			{"london", 0},
			{"west-midlands", 0},
			{"northern-ireland", 0},
			{"northern-and-yorkshire", 0},
			{"north-west", 0},
			{"scottish-eastern", 0},
			{"scottish-northern", 0},
			{"scottish-western", 0},
			{"south-east", 1},
			{"south-west", 0},
			{"trent", 0},
			{"wales", 5},
		}, regions},
		{"sub-pages of sections by kind", map[subKind]int{"COMMITTEE": 10, "MEMBER_RESOURCES": 10, "EVENTS": 10, "FORUM": 8, "OTHER": 15}, subKinds},
		{"events by label", map[string]int{"Conference and events": 9, "Events": 1}, events},
		{"nations", map[nation]int{"ENGLAND": 8, "SCOTLAND": 3, "NORTHERN_IRELAND": 1, "WALES": 1}, nations},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	const elections = "/about-us/regional-and-local-groups/rcot-regions-committee-elections"
	if pg := p.pageAt(t, elections); pg.Kind != "PAGE" || pg.Position != 0 {
		t.Errorf("%s: got kind %s at position %d; it is a page, the first beside the regions", elections, pg.Kind, pg.Position)
	}
}

func TestDemoCaseStudies(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	documents := map[Key]*document{}
	for _, d := range p.documents {
		documents[d.Key] = d
		if d.FileName != "" || d.ByteSize != 0 || d.SHA256 != "" || d.URL != "" || d.Path != "" {
			t.Errorf("%s: says something about a file that is not held", d.Key)
		}
	}
	var got []string
	for _, c := range slices.SortedFunc(slices.Values(p.caseStudies), func(a, b *caseStudy) int { return a.Position - b.Position }) {
		d := documents[c.Document]
		got = append(got, strings.Join([]string{string(c.Path), string(c.Person), string(c.Headline), string(c.Level), string(c.LevelLabel), string(d.Title), string(d.SizeLabel), string(d.MediaType)}, " | "))
		if c.Summary == "" {
			t.Errorf("%s: has no summary", c.Path)
		}
	}
	want := []string{
		"/advanced-practice/anna | Anna | Anna – an experienced OT's perspective at practice level | EXPERIENCED | Experienced level | Anna – Experienced level | 480.67KB | application/pdf",
		"/advanced-practice/kaiya-henderson | Kaiya Henderson | Kaiya Henderson – an experienced OT's perspective at practice level | NEWLY_QUALIFIED | Newly qualified level | Kaiya Henderson – Newly qualified level | 509.43KB | application/pdf",
		"/advanced-practice/kerwin-jeremy | Kerwin Jeremy | Kerwin Jeremy – an experienced OT's perspective at practice level | EXPERIENCED | Experienced Level | Kerwin Jeremy – Experienced Level | 502.47KB | application/pdf",
		"/advanced-practice/jon-tilley | Jon Tilley | Jon Tilley – an OT's perspective at operational manager practice level | OPERATIONAL_MANAGER | Operational manager level | Jon Tilley – Operational manager level | 531.08KB | application/pdf",
		"/advanced-practice/laura-owers | Laura Owers | Laura Owers – an OT's perspective at advanced practice level | ADVANCED | Advanced Level | Laura Owers – Advanced Level | 493.18KB | application/pdf",
		"/advanced-practice/anita-raj | Anita Raj | Anita Raj – an experienced OT's perspective at practice level | OPERATIONAL_STRATEGIC | Operational strategic level | Anita Raj – Operational strategic level | 552.19KB | application/pdf",
		"/advanced-practice/sacha-khakoo | Sacha Khakoo | Sacha Khakoo – a consultant principal practice level OT's perspective | CONSULTANT_PRINCIPAL | Consultant principal level | Sacha Khakoo – Consultant principal level | 509.98KB | application/pdf",
		"/advanced-practice/pauline | Pauline | Pauline – an OT's perspective at advanced practice level | ADVANCED | Advanced level | Pauline – Advanced level | 509.98KB | application/pdf",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("case studies (-want +got):\n%s", diff)
	}
	var ladder []string
	for _, l := range p.levels {
		ladder = append(ladder, fmt.Sprint(l.position, " ", l.Level))
	}
	if diff := cmp.Diff([]string{"1 NEWLY_QUALIFIED", "2 EXPERIENCED", "3 ADVANCED", "4 OPERATIONAL_MANAGER", "5 OPERATIONAL_STRATEGIC", "6 CONSULTANT_PRINCIPAL"}, ladder); diff != "" {
		t.Errorf("ladder (-want +got):\n%s", diff)
	}
}

func TestDemoOrganisation(t *testing.T) {
	t.Parallel()
	want := organisation{
		Name: "Royal College of Occupational Therapists", ShortName: "RCOT",
		CharityNumber: "275119", ScottishCharityNumber: "SC039573", ScottishCharityNumberAsPrinted: "SCO39573", CompanyNumber: "1347374", VATNumber: "242 7829 47",
		AddressLines: []Line{"Phoenix House", "106–114 Borough High Street", "London"}, Postcode: "SE1 1LB",
		Telephone: "020 3141 4600", Email: "hello@rcot.co.uk",
		JoinCallToAction: "Join us: good practice grows in good company", CopyrightYear: 2025,
	}
	if diff := cmp.Diff(want, demoPack(t).organisation); diff != "" {
		t.Errorf("organisation (-want +got):\n%s", diff)
	}
}

// TestDemoCommittees looks at what is made up: it must fit together.
func TestDemoCommittees(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	people := map[Slug]*person{}
	listed := map[audience]int{}
	for _, m := range p.people {
		people[m.Key] = m
		listed[m.Audiences.Listing]++
	}
	if len(people) != 65 || listed["PUBLIC"] < 35 || listed["PUBLIC"] > 55 || len(listed) < 4 {
		t.Errorf("got %d people with listings %v", len(people), listed)
	}
	of := map[Slug]bool{}
	for _, c := range p.committees {
		of[c.Section+c.Region] = true
		var posts []string
		for _, post := range c.Posts {
			posts = append(posts, fmt.Sprint(post.Title, " ", post.Seats))
			for _, term := range post.Terms {
				m := people[term.Member]
				belongs := m.Region == c.Region
				for _, s := range m.Sections {
					belongs = belongs || s.Section == c.Section && s.From <= term.From && (s.To == "" || term.To != "" && s.To >= term.To)
				}
				if !belongs || m.JoinedOn > term.From {
					t.Errorf("%s, %s: %s does not belong there from %s to %s", c.Slug, post.Title, m.Key, term.From, term.To)
				}
			}
		}
		if diff := cmp.Diff([]string{"Chair 1", "Vice chair 1", "Treasurer 1", "Secretary 1", "Committee member 4"}, posts); diff != "" {
			t.Errorf("posts of %s (-want +got):\n%s", c.Slug, diff)
		}
	}
	if len(p.committees) != 23 || len(of) != 23 {
		t.Errorf("got %d committees of %d units, want one for each of 23", len(p.committees), len(of))
	}
	for day, want := range map[Date][2]int{"2019-05-31": {0, 0}, "2020-01-01": {100, 160}, "2023-01-01": {100, 160}, "2026-01-01": {100, 160}} {
		holders := 0
		for _, c := range p.committees {
			inCommittee := map[Slug]bool{}
			for _, post := range c.Posts {
				n := 0
				for _, term := range post.Terms {
					if term.From <= day && (term.To == "" || term.To >= day) {
						n++
						if inCommittee[term.Member] {
							t.Errorf("%s: %s holds two posts on %s", c.Slug, term.Member, day)
						}
						inCommittee[term.Member] = true
					}
				}
				if n > post.Seats {
					t.Errorf("%s, %s: %d holders on %s for %d seats", c.Slug, post.Title, n, day, post.Seats)
				}
				holders += n
			}
		}
		if holders < want[0] || holders > want[1] {
			t.Errorf("on %s %d seats of 184 are held, want %d to %d", day, holders, want[0], want[1])
		}
	}
	for _, m := range p.people {
		for _, c := range p.caseStudies {
			if m.DisplayName == c.Person {
				t.Errorf("%s: is a real person of the captured page", m.Key)
			}
		}
	}
}
