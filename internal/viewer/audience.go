package viewer

import "github.com/google/uuid"

// Audience is to whom a member shows a field. Whoever sees what is for one audience
// sees what is for the wider ones, and the member sees all.
type Audience string

// The audiences, from the widest to the narrowest.
const (
	ForEveryone  Audience = "PUBLIC"
	ForMembers   Audience = "MEMBERS"
	ForSection   Audience = "SECTION"
	ForCommittee Audience = "COMMITTEE"
	ForOffice    Audience = "STAFF"
	ForNobody    Audience = "NOBODY"
)

// AudienceList are the audiences, from the widest to the narrowest.
var AudienceList = []Audience{ForEveryone, ForMembers, ForSection, ForCommittee, ForOffice, ForNobody}

// These are shared and never written to.
var (
	toEveryone = []string{"PUBLIC"}
	toMembers  = []string{"PUBLIC", "MEMBERS"}
	toRegister = []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF"}
)

// Shape says which texts of SQL a Sight takes. Shapes are few, so that each text is
// planned for what it asks: the one of strangers asks of no row who it is.
type Shape uint8

// What a shape is made of.
const (
	seesOwn Shape = 1 << iota
	seesSection
	seesCommittee
	seesUnit
	seesMore

	// Shapes is how many shapes there are.
	Shapes = 1 << iota
)

// Sight is what a viewer may see of members, for SQL. In the statements a member is
// m, a row of the table members.
type Sight struct {
	// Shape says which texts the statements have.
	Shape Shape
	// audiences are those to which the viewer belongs for every member, and within those
	// to which a key belongs for the members of its unit.
	audiences, within []string
	member, unit      uuid.UUID
}

// Sight returns what the viewer may see of members. Everyone sees what is PUBLIC; who
// may read the directory, what is for MEMBERS; who may read the register, all but
// what is for NOBODY. A member sees the whole of the own record, what is for SECTION
// of who shares a section today, and what is for SECTION or COMMITTEE of who belongs
// to a section or region on whose committee the viewer serves today. A key that is
// limited to a unit is good for members who show it that they belong there.
func (v Viewer) Sight() Sight {
	s := Sight{audiences: toEveryone, member: v.MemberID, unit: v.Unit}
	// What is seen by a key of a unit is kept to that below.
	whole := v
	whole.Unit = uuid.Nil
	if whole.May(ReadDirectory) || whole.May(ReadRegister) {
		s.Shape = seesMore
	}
	switch {
	case whole.May(ReadRegister):
		s.audiences = toRegister
	case whole.May(ReadDirectory):
		s.audiences = toMembers
	}
	if v.Unit != uuid.Nil {
		s.within, s.audiences = s.audiences, toEveryone
		s.Shape |= seesUnit
		return s
	}
	if v.MemberID == uuid.Nil {
		return s
	}
	s.Shape |= seesOwn
	if v.May(ReadDirectory) && !v.May(ReadRegister) {
		s.Shape |= seesSection
		if v.Standing&SectionOfficer != 0 {
			s.Shape |= seesCommittee
		}
	}
	return s
}

// As returns what somebody of an audience sees of a member, if nothing else is known
// of them: of the member's own record too.
func As(a Audience) Sight {
	s := Sight{}
	for _, b := range AudienceList {
		s.audiences = append(s.audiences, string(b))
		if a == b {
			break
		}
	}
	return s
}

// Public says whether only what is PUBLIC is seen.
func (s Sight) Public() bool { return s.Shape == 0 }

// Bind adds the arguments that every text of the shape takes which has Shows in it.
func (s Sight) Bind(args map[string]any) {
	args["audiences"] = s.audiences
	if s.Shape&seesOwn != 0 {
		args["me"] = s.member
	}
	if s.Shape&seesUnit != 0 {
		args["within"], args["unit_of_key"] = s.within, s.unit
	}
}

// Shows is the condition under which the viewer sees what the member m shows to the
// audience in a column.
func (s Shape) Shows(audience string) string {
	if !s.ByRow() {
		return audience + ` = ANY(@audiences)`
	}
	sql := `(` + audience + ` = ANY(@audiences)`
	if s&seesOwn != 0 {
		sql += ` OR m.id = @me`
	}
	if s&seesSection != 0 {
		sql += ` OR (` + audience + ` = 'SECTION' AND ` + sharesSection + `)`
	}
	if s&seesCommittee != 0 {
		sql += ` OR (` + audience + ` IN ('SECTION', 'COMMITTEE') AND ` + isServed + `)`
	}
	if s&seesUnit != 0 {
		sql += ` OR (` + audience + ` = ANY(@within) AND ` + isOfUnit + `)`
	}
	return sql + `)`
}

// OfRow joins the audiences of m to which the viewer belongs, as a.audiences, so that
// Masks asks for them once a row.
func (s Shape) OfRow() string {
	if !s.ByRow() {
		return ``
	}
	sql := ` CROSS JOIN LATERAL (SELECT @audiences::text[] || CASE`
	if s&seesOwn != 0 {
		sql += ` WHEN m.id = @me THEN ARRAY['MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY']`
	}
	if s&seesCommittee != 0 {
		sql += ` WHEN ` + isServed + ` THEN ARRAY['SECTION', 'COMMITTEE']`
	}
	if s&seesSection != 0 {
		sql += ` WHEN ` + sharesSection + ` THEN ARRAY['SECTION']`
	}
	if s&seesUnit != 0 {
		sql += ` WHEN ` + isOfUnit + ` THEN @within::text[]`
	}
	return sql + ` ELSE '{}' END AS audiences OFFSET 0) a`
}

// Masks is Shows where OfRow is joined.
func (s Shape) Masks(audience string) string {
	if !s.ByRow() {
		return audience + ` = ANY(@audiences)`
	}
	return audience + ` = ANY(a.audiences)`
}

// Scanned is a list of the audiences of which more than the viewer's own record may
// be seen.
func (s Shape) Scanned() string {
	switch {
	case s&seesCommittee != 0:
		return `@audiences::text[] || ARRAY['SECTION', 'COMMITTEE']`
	case s&seesSection != 0:
		return `@audiences::text[] || ARRAY['SECTION']`
	case s&seesUnit != 0:
		return `@within::text[]`
	default:
		return `@audiences::text[]`
	}
}

// Own says whether the viewer has a record, @me.
func (s Shape) Own() bool { return s&seesOwn != 0 }

// More says whether the viewer may see of others what is not for everyone.
func (s Shape) More() bool { return s&seesMore != 0 }

// ByRow says whether what the viewer sees depends on whose row it is.
func (s Shape) ByRow() bool { return s&^seesMore != 0 }

const (
	sharesSection = `EXISTS (
		SELECT
		FROM section_memberships theirs
		JOIN section_memberships mine ON mine.section_id = theirs.section_id
		WHERE theirs.member_id = m.id AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE)
			AND mine.member_id = @me AND mine.starts_on <= CURRENT_DATE AND (mine.ends_on IS NULL OR mine.ends_on >= CURRENT_DATE))`

	isServed = `EXISTS (
		SELECT
		FROM terms served
		JOIN posts post ON post.id = served.post_id
		JOIN committees serving ON serving.id = post.committee_id
		WHERE served.member_id = @me AND served.starts_on <= CURRENT_DATE AND (served.ends_on IS NULL OR served.ends_on >= CURRENT_DATE)
			AND (serving.unit_id = m.region_id OR EXISTS (
				SELECT
				FROM section_memberships theirs
				WHERE theirs.member_id = m.id AND theirs.section_id = serving.unit_id
					AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE))))`

	isOfUnit = `((m.region_id = @unit_of_key AND m.region_audience = ANY(@within)) OR (m.sections_audience = ANY(@within) AND EXISTS (
		SELECT
		FROM section_memberships theirs
		WHERE theirs.member_id = m.id AND theirs.section_id = @unit_of_key
			AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE))))`
)
