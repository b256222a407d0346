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

// setAudience and narrowAudience set the audience of a field that stands with the
// member; the second only if it was wider.
var (
	setAudience    = audienceColumns(func(string) string { return `` })
	narrowAudience = audienceColumns(func(column string) string {
		return ` AND audience_rank(m.` + column + `) < audience_rank(@audience)`
	})
)

func audienceColumns(only func(column string) string) string {
	sql := ``
	for _, f := range Fields[:slices.Index(Fields, Email)] {
		column := strings.ToLower(string(f)) + `_audience`
		sql += `
				` + column + ` = CASE WHEN @field = '` + string(f) + `'` + only(column) + ` THEN @audience ELSE m.` + column + ` END,`
	}
	return sql + `
				updated_at = clock_timestamp()`
}

// inRow says whether a field has a row of its own.
func (f ProfileField) inRow() bool { return slices.Index(Fields, f) >= slices.Index(Fields, Email) }

// SetAudience chooses who sees a field of the member who asks. A wider audience than
// the office allows is ErrLocked.
func (s *Store) SetAudience(ctx context.Context, v viewer.Viewer, f ProfileField, a viewer.Audience) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.SetAudience(%s, %s)", f, a)
	return s.write(ctx, v, ErrLocked, `
		written AS (
			UPDATE members_own m
			SET`+setAudience+`
			WHERE m.id = @me AND NOT EXISTS (
				SELECT
				FROM member_locks l
				WHERE l.member_id = @me AND l.field = @field AND audience_rank(l.audience) > audience_rank(@audience))
			RETURNING m.*, true AS shows_sections
		), details AS (
			INSERT INTO member_details (member_id, field, audience)
			SELECT w.id, @field, @audience
			FROM written w
			WHERE @in_row
			ON CONFLICT (member_id, field) DO UPDATE
			SET audience = EXCLUDED.audience, updated_at = now()
		)`,
		pgx.StrictNamedArgs{"field": f, "audience": a, "in_row": f.inRow()})
}

// Lock keeps a field of a member from wider audiences than a, for a reason that the
// member is told; PUBLIC ends that, and leaves the field as narrow as it is. It asks
// for viewer.ManageRegister. Without such a member it is errs.NotFound; who is for nobody
// to find is locked and not returned.
func (s *Store) Lock(ctx context.Context, v viewer.Viewer, id uuid.UUID, f ProfileField, a viewer.Audience, reason *string) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.Lock(%s, %s, %s)", id, f, a)
	if !v.May(viewer.ManageRegister) {
		return nil, errs.Forbidden
	}
	why := ""
	if reason != nil {
		why = strings.TrimSpace(*reason)
	}
	if message := badText(why, maxLine, false); message != "" {
		return nil, errs.Invalidf("input.reason", "%s", message)
	}
	if why == "" && a != viewer.ForEveryone {
		return nil, errs.Invalidf("input.reason", "give a reason, which the member is told")
	}
	var m *Member
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		written, err := tx.Exec(ctx, `
			WITH written AS (
				UPDATE members_office m
				SET`+narrowAudience+`
				WHERE m.id = @id
				RETURNING m.id
			), locks AS (
				INSERT INTO member_locks (member_id, field, audience, reason)
				SELECT w.id, @field, @audience, @reason FROM written w WHERE @audience <> 'PUBLIC'
				ON CONFLICT (member_id, field) DO UPDATE
				SET audience = EXCLUDED.audience, reason = EXCLUDED.reason, locked_at = now()
			), unlocked AS (
				DELETE FROM member_locks l USING written w WHERE l.member_id = w.id AND l.field = @field AND @audience = 'PUBLIC'
			), details AS (
				UPDATE member_details d
				SET audience = @audience, updated_at = now()
				FROM written w
				WHERE d.member_id = w.id AND d.field = @field AND audience_rank(d.audience) < audience_rank(@audience)
			)
			SELECT FROM written`, pgx.StrictNamedArgs{"id": id, "field": f, "audience": a, "reason": why})
		if err != nil {
			return err
		}
		if written.RowsAffected() == 0 {
			return errs.NotFound
		}
		// The office itself may not be shown what is for nobody.
		found, err := (&Store{DB: tx}).ByID(ctx, v, []uuid.UUID{id})
		m = found[id]
		return err
	})
	return m, err
}

// Visibility says who sees a field of a member's own record, and why.
type Visibility struct {
	Field    ProfileField
	Audience viewer.Audience
	// LockedTo is the widest audience that the office allows; nil if the member chooses.
	LockedTo *viewer.Audience
	Reason   string
}

// VisibilityOf returns of each member who is the one who asks who sees the fields;
// nothing of any other.
func (s *Store) VisibilityOf(ctx context.Context, v viewer.Viewer, members []*Member) (_ [][]*Visibility, err error) {
	defer errs.Wrap(&err, "member.VisibilityOf(%d)", len(members))
	all := make([][]*Visibility, len(members))
	own := func(m *Member) bool { return m.ID == v.MemberID && v.MemberID != uuid.Nil && m.As == "" }
	if !slices.ContainsFunc(members, own) {
		return all, nil
	}
	type row struct {
		Field      ProfileField
		Audience   viewer.Audience
		LockedTo   *viewer.Audience
		LockReason *string
		IsMember   bool
	}
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT
			m.is_member,
			f.field,
			COALESCE(d.audience, f.audience, 'NOBODY') AS audience,
			l.audience AS locked_to,
			l.reason AS lock_reason
		FROM members_own m
		CROSS JOIN LATERAL (VALUES
			('LISTING', m.listing_audience),
			('PRONOUNS', m.pronouns_audience),
			('HEADLINE', m.headline_audience),
			('BIO', m.bio_audience),
			('GRADE', m.grade_audience),
			('REGION', m.region_audience),
			('JOINED_ON', m.joined_on_audience),
			('SECTIONS', m.sections_audience),
			('EMAIL', NULL), ('PHONE', NULL), ('WEBSITE', NULL), ('ADDRESS', NULL),
			('PHOTO', NULL), ('LANGUAGES', NULL), ('SPECIALISMS', NULL), ('PRACTICE', NULL)
		) AS f (field, audience)
		LEFT JOIN member_details d ON d.member_id = m.id AND d.field = f.field
		LEFT JOIN member_locks l ON l.member_id = m.id AND l.field = f.field
		WHERE m.id = @me`, pgx.StrictNamedArgs{"me": v.MemberID})
	if err != nil {
		return nil, err
	}
	byField := pg.ByKey(rows, func(r *row) ProfileField { return r.Field })
	var list []*Visibility
	for _, f := range Fields {
		if r := byField[f]; r != nil {
			shown := &Visibility{Field: f, Audience: r.Audience, LockedTo: r.LockedTo, Reason: reasons[r.Audience]}
			if !r.IsMember && r.Audience != viewer.ForOffice && r.Audience != viewer.ForNobody {
				shown.Reason = reasons[viewer.ForOffice] + " Others find you again when you are a member: you are not a member today."
			}
			if r.Audience == viewer.ForNobody && slices.Contains(registered, f) {
				shown.Reason = "Nobody but you sees it here. It stands in the register of members too, which the membership office reads, and partners who may."
			}
			if r.LockedTo != nil {
				shown.Reason += " The office keeps it from wider audiences: " + *r.LockReason
			}
			list = append(list, shown)
		}
	}
	for i, m := range members {
		if own(m) {
			all[i] = list
		}
	}
	return all, nil
}

// registered are the fields that tell what the register holds.
var registered = []ProfileField{"LISTING", "GRADE", "REGION", "JOINED_ON", "SECTIONS"}

var reasons = map[viewer.Audience]string{
	viewer.ForEveryone:  "Everyone sees it, also who is not signed in.",
	viewer.ForMembers:   "Current members, staff and partners who may read the directory see it.",
	viewer.ForSection:   "Who shares a specialist section with you today sees it, the committees of your sections and region, the membership office, and partners who may read the register.",
	viewer.ForCommittee: "Who serves today on the committee of one of your sections or your region sees it, the membership office, and partners who may read the register.",
	viewer.ForOffice:    "The membership office sees it, and partners who may read the register.",
	viewer.ForNobody:    "Nobody but you sees it.",
}

// ViewAs returns the own record of the member who asks as somebody of an audience sees
// it, who is nothing else; errs.NotFound if they would not find it. Who is not a member
// today is found by the office alone.
func (s *Store) ViewAs(ctx context.Context, v viewer.Viewer, a viewer.Audience) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.ViewAs(%s)", a)
	sight := viewer.As(a)
	args := pgx.StrictNamedArgs{"id": v.MemberID, "office": a == viewer.ForOffice}
	sight.Bind(args)
	t := textsFor(sight)
	m, err := pg.One[Member](ctx, s.DB, `
		SELECT`+t.columns+`
		FROM `+t.Table("")+` m
		JOIN members_own own ON own.id = m.id
		WHERE m.id = @id AND (own.is_member OR @office) AND `+t.visible, args)
	if err != nil {
		return nil, err
	}
	if a != viewer.ForNobody { // which is for oneself
		m.As, m.Revision = a, nil
	}
	return m, nil
}
