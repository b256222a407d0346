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
	toMembers  = []string{"PUBLIC", "MEMBERS"}
	toSection  = []string{"PUBLIC", "MEMBERS", "SECTION"}
	toOfficers = []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE"}
	toRegister = []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF"}
)

// Shape says which texts of SQL a Sight takes. Shapes are few, so that each text is
// planned for what it asks: the one of strangers asks of no row who it is.
type Shape uint8

// What a shape is made of.
const (
	seesOwn Shape = 1 << iota
	seesMore

	// Shapes is how many shapes there are.
	Shapes = 1 << iota
)

// Sight is what a viewer may see of members, for SQL. In the statements a member is m, a
// row of one of the views that Shape.Table names. The views show of each column what the
// member shows to who asks, who may share a section with them or serve on the committee
// of their region; the conditions of a Sight keep from the viewer what is for no audience
// that the viewer belongs to for any member.
type Sight struct {
	// Shape says which texts the statements have.
	Shape Shape
	// audiences are those to which the viewer belongs for some member.
	audiences []string
	member    uuid.UUID
}

// Sight returns what the viewer may see of members. Everyone sees what is PUBLIC; who
// may read the directory, what is for MEMBERS; who may read the register, all but
// what is for NOBODY. A member sees the whole of the own record, what is for SECTION
// of who shares a section today, and what is for SECTION or COMMITTEE of who belongs
// to a section or region on whose committee the viewer serves today. A key that is
// limited to a unit is good for members who show it that they belong there.
func (v Viewer) Sight() Sight {
	s := Sight{member: v.MemberID}
	// The views keep what a key of a unit sees to the unit.
	whole := v
	whole.Unit = uuid.Nil
	switch {
	case whole.May(ReadRegister):
		s.Shape, s.audiences = seesMore, toRegister
	case !whole.May(ReadDirectory):
	case v.MemberID == uuid.Nil:
		s.Shape, s.audiences = seesMore, toMembers
	case v.Standing&SectionOfficer != 0:
		s.Shape, s.audiences = seesMore, toOfficers
	default:
		s.Shape, s.audiences = seesMore, toSection
	}
	if v.MemberID != uuid.Nil {
		s.Shape |= seesOwn
		if s.audiences == nil {
			s.audiences = reachAnonymous
		}
	}
	return s
}

// As returns what somebody of an audience sees of a member, if nothing else is known
// of them: of the member's own record too.
func As(a Audience) Sight {
	if a == ForEveryone {
		return Sight{}
	}
	s := Sight{Shape: seesMore}
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
	if s.Shape != 0 {
		args["audiences"] = s.audiences
	}
	if s.Shape.Own() {
		args["me"] = s.member
	}
}

// Table is the view in which the viewer finds members. With a column (region, grade,
// joined_on or headline) it is that of the members who show the column, where it has an
// index; with sections that of the times that members were in sections, and with section
// ids the same with the ids alone.
func (s Shape) Table(by string) string {
	name := `members_shown`
	if s == 0 {
		name = `members_public`
	}
	switch by {
	case "":
	case "sections":
		name += `_in_sections`
	case "section ids":
		name += `_section_ids`
	default:
		name += `_by_` + by
	}
	return name
}

// Shows is the condition under which the viewer sees what the member m shows to the
// audience in a column, as far as the program knows; the views know the rest.
func (s Shape) Shows(audience string) string {
	switch {
	case s == 0:
		return audience + ` = 'PUBLIC'`
	case s.Own():
		return `(` + audience + ` = ANY(@audiences) OR m.id = @me)`
	default:
		return audience + ` = ANY(@audiences)`
	}
}

// Column is a column of the member m, if the viewer may see it. The view of what is for
// everyone shows strangers nothing else.
func (s Shape) Column(column, audience string) string {
	if s == 0 {
		return `m.` + column
	}
	return `CASE WHEN ` + s.Shows(`m.`+audience) + ` THEN m.` + column + ` END AS ` + column
}

// Scanned is a list of the audiences of which more than the viewer's own record may
// be seen.
func (s Shape) Scanned() string {
	if s == 0 {
		return `ARRAY['PUBLIC']`
	}
	return `@audiences::text[]`
}

// Own says whether the viewer has a record, @me.
func (s Shape) Own() bool { return s&seesOwn != 0 }

// More says whether the viewer may see of others what is not for everyone.
func (s Shape) More() bool { return s&seesMore != 0 }
