package member

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// ErrLocked says that the office keeps a field from the audience.
var ErrLocked = errors.New("the office keeps this field from so wide an audience; see visibility for the reason")

// ProfileUpdate is what a member changes of the own profile. A nil field stays as it
// is, and an empty one is removed.
type ProfileUpdate struct {
	// ExpectedRevision is the revision that was edited.
	ExpectedRevision int
	Pronouns         *string
	Headline         *string
	Bio              *string
	Email            *string
	Phone            *string
	Website          *string
	Address          *string
	Languages        []string
	Specialisms      []string
	Practice         *PracticeUpdate
	// Region is a slug or an ID.
	Region *string
}

// PracticeUpdate is where a member practises, as a whole.
type PracticeUpdate struct {
	Town, Postcode      *string
	Latitude, Longitude *float64
}

// The bounds of a profile: characters of a text, and how many terms a list has.
const (
	maxLine  = 200
	maxBio   = 4000
	maxTerms = 20
)

var (
	phoneForm    = regexp.MustCompile(`^\+?[0-9][0-9 ()/.-]{4,30}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{2,8})*$`)
)

// texted is a text of the profile with its bounds.
type texted struct {
	name  string
	value *string
	most  int
	lines bool
	valid func(string) string // returns what is wrong
}

// clean trims the texts and lists of an update, and says what of it is unacceptable.
func (u *ProfileUpdate) clean() error {
	wrong := &errs.Invalid{}
	add := func(field, message string) {
		wrong.Fields = append(wrong.Fields, errs.Field{Path: "input." + field, Message: message})
	}
	texts := []texted{
		{"pronouns", u.Pronouns, 40, false, nil},
		{"headline", u.Headline, maxLine, false, nil},
		{"bio", u.Bio, maxBio, true, nil},
		{"email", u.Email, 254, false, func(s string) string {
			if _, err := person.Email("", s); err != nil {
				return "this is no address; write it as name@example.org"
			}
			return ""
		}},
		{"phone", u.Phone, 32, false, func(s string) string {
			if !phoneForm.MatchString(s) {
				return "this is no telephone number; write digits, spaces and + ( ) / . -"
			}
			return ""
		}},
		{"website", u.Website, 2000, false, func(s string) string {
			if a, err := url.Parse(s); err != nil || a.Host == "" || a.Scheme != "https" && a.Scheme != "http" || a.User != nil {
				return "this is no address of a website; write it as https://example.org/"
			}
			return ""
		}},
		{"address", u.Address, 500, true, nil},
	}
	if p := u.Practice; p != nil {
		texts = append(texts, texted{"practice.town", p.Town, 100, false, nil}, texted{"practice.postcode", p.Postcode, 16, false, nil})
		switch {
		case (p.Latitude == nil) != (p.Longitude == nil):
			add("practice", "pass both the latitude and the longitude, or neither")
		case p.Latitude != nil:
			if !(*p.Latitude >= -90 && *p.Latitude <= 90) {
				add("practice.latitude", "pass -90 to 90")
			}
			if !(*p.Longitude >= -180 && *p.Longitude <= 180) {
				add("practice.longitude", "pass -180 to 180")
			}
		}
	}
	for _, t := range texts {
		if t.value == nil {
			continue
		}
		*t.value = strings.TrimSpace(strings.ReplaceAll(*t.value, "\r\n", "\n"))
		if message := badText(*t.value, t.most, t.lines); message != "" {
			add(t.name, message)
		} else if t.valid != nil && *t.value != "" {
			if message := t.valid(*t.value); message != "" {
				add(t.name, message)
			}
		}
	}
	for _, l := range []struct {
		name  string
		terms []string
		valid func(string) string
	}{
		{"languages", u.Languages, func(s string) string {
			if !languageForm.MatchString(s) {
				return "pass codes of languages (BCP 47), as en, cy or bfi"
			}
			return ""
		}},
		{"specialisms", u.Specialisms, func(s string) string {
			if strings.ContainsRune(s, ';') {
				return "pass each as one of the list, without semicolons"
			}
			return badText(s, 60, false)
		}},
	} {
		if len(l.terms) > maxTerms {
			add(l.name, "pass 20 at most")
			continue
		}
		for i, term := range l.terms {
			l.terms[i] = folded(term)
			message := l.valid(l.terms[i])
			if l.terms[i] == "" {
				message = "leave out what is empty"
			}
			if message != "" {
				add(l.name, message)
				break
			}
		}
	}
	u.Languages, u.Specialisms = unique(u.Languages), unique(u.Specialisms)
	if len(wrong.Fields) > 0 {
		return wrong
	}
	return nil
}

// folded returns a term in the one form in which it is kept and looked up.
func folded(term string) string { return strings.ToLower(strings.Join(strings.Fields(term), " ")) }

// unique returns the terms in order, each once; nil stays nil.
func unique(terms []string) []string {
	if terms == nil {
		return nil
	}
	out := slices.Clone(terms)
	slices.Sort(out)
	return slices.Compact(out)
}

// badText says what is wrong with a text.
func badText(text string, most int, lines bool) string {
	switch {
	case !utf8.ValidString(text), strings.ContainsFunc(text, func(r rune) bool {
		return person.Misleads(r) && !(lines && r == '\n')
	}):
		return "leave out control characters"
	case utf8.RuneCountInString(text) > most:
		return "this is too long"
	}
	return ""
}

// DetailRow is a field of a profile that has a row of its own, as it is written. What is
// nil is removed.
type DetailRow struct {
	Field     ProfileField `json:"field"`
	Value     *string      `json:"value"`
	Terms     []string     `json:"terms"`
	Postcode  *string      `json:"postcode"`
	Latitude  *float64     `json:"latitude"`
	Longitude *float64     `json:"longitude"`
}

// DetailRows returns the rows that an update writes, or an *errs.Invalid that says what of
// it is unacceptable.
func (u *ProfileUpdate) DetailRows() ([]DetailRow, error) {
	if err := u.clean(); err != nil {
		return nil, err
	}
	return u.details(), nil
}

// details are the rows that an update writes, which is clean.
func (u *ProfileUpdate) details() []DetailRow {
	rows := []DetailRow{}
	for _, t := range []struct {
		field ProfileField
		value *string
	}{{Email, u.Email}, {Phone, u.Phone}, {Website, u.Website}, {Address, u.Address}} {
		if t.value != nil {
			rows = append(rows, DetailRow{Field: t.field, Value: orNil(t.value)})
		}
	}
	if u.Languages != nil {
		rows = append(rows, DetailRow{Field: Languages, Terms: orNone(u.Languages)})
	}
	if u.Specialisms != nil {
		rows = append(rows, DetailRow{Field: Specialisms, Terms: orNone(u.Specialisms)})
	}
	if p := u.Practice; p != nil {
		rows = append(rows, DetailRow{
			Field: OfPractice, Value: orNil(p.Town), Postcode: orNil(p.Postcode), Latitude: p.Latitude, Longitude: p.Longitude,
		})
	}
	return rows
}

func orNil(text *string) *string {
	if text == nil || *text == "" {
		return nil
	}
	return text
}

func orNone(terms []string) []string {
	if len(terms) == 0 {
		return nil
	}
	return terms
}

// UpdateProfile changes the profile of the member who asks. Another revision than the
// expected one is errs.Conflict.
func (s *Store) UpdateProfile(ctx context.Context, v viewer.Viewer, u ProfileUpdate) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.UpdateProfile")
	if err := u.clean(); err != nil {
		return nil, err
	}
	region, err := s.regionNamed(ctx, v, u.Region)
	if err != nil {
		return nil, err
	}
	stale := errs.Sayf(errs.Conflict, "input.expectedRevision", "the record has changed since revision %d; read profileRevision and the record again", u.ExpectedRevision)
	return s.write(ctx, v, stale, `
		written AS (
			UPDATE members_own m
			SET
				pronouns = CASE WHEN @pronouns::text IS NULL THEN m.pronouns ELSE NULLIF(@pronouns, '') END,
				headline = CASE WHEN @headline::text IS NULL THEN m.headline ELSE NULLIF(@headline, '') END,
				bio = CASE WHEN @bio::text IS NULL THEN m.bio ELSE NULLIF(@bio, '') END,
				region_id = CASE WHEN @has_region THEN @region::uuid ELSE m.region_id END,
				-- The revision counts what stands in other rows too.
				updated_at = clock_timestamp()
			WHERE m.id = @me AND m.revision = @revision
			RETURNING m.*, true AS shows_sections
		), details AS (
			INSERT INTO member_details (member_id, field, value, terms, postcode, latitude, longitude)
			SELECT w.id, d.field, d.value, d.terms, d.postcode, d.latitude, d.longitude
			FROM written w
			CROSS JOIN jsonb_to_recordset(@details) AS d (
				field text, value text, terms text[], postcode text, latitude numeric, longitude numeric)
			ON CONFLICT (member_id, field) DO UPDATE
			SET value = EXCLUDED.value, terms = EXCLUDED.terms, postcode = EXCLUDED.postcode,
				latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, updated_at = now()
		)`,
		pgx.StrictNamedArgs{
			"pronouns": u.Pronouns, "headline": u.Headline, "bio": u.Bio, "revision": u.ExpectedRevision, "details": u.details(),
			"has_region": u.Region != nil, "region": region,
		})
}

// write runs a statement whose part written is the member who asks, and returns them
// as it is then. No row is the error absent.
func (s *Store) write(ctx context.Context, v viewer.Viewer, absent error, with string, args pgx.StrictNamedArgs) (*Member, error) {
	if v.MemberID == uuid.Nil {
		return nil, errs.Forbidden
	}
	sight := viewer.Viewer{MemberID: v.MemberID}.Sight()
	sight.Bind(args)
	t := textsFor(sight)
	m, err := pg.One[Member](ctx, s.DB, `
		WITH `+with+`
		SELECT`+t.columns+`
		FROM written m`, args)
	if errors.Is(err, errs.NotFound) {
		return nil, absent
	}
	return m, err
}
