package membercsv

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/slug"
)

// field is something that a column can hold.
type field struct {
	name string
	// headings are those that mean it besides its name, as fold makes them.
	headings []string
	// parse reads a cell that is not empty into the row; it returns what is wrong.
	parse func(r *row, cell string) string
	// required says that a cell of the column must not be empty.
	required bool
	// input is true for what a file may hold and an export does not write.
	input bool
}

// row is one member of a file.
type row struct {
	units *units

	number, displayName, sortName, given, family string
	pronouns, headline, bio                      *string
	grade                                        *string
	region                                       *uuid.UUID
	joinedOn                                     *time.Time
	sections                                     []period
	audiences                                    [len(audienceFields)]*string
	details                                      map[member.ProfileField]*detail
	practice                                     member.PracticeUpdate
	paidUntil                                    *time.Time
	endedHow                                     *string
	registration                                 *string
	registeredUntil                              *time.Time
}

// detail is a field of a profile that has a row of its own.
type detail struct {
	member.DetailRow
	// HasValue and HasAudience say whether the file has columns for them.
	HasValue    bool    `json:"has_value"`
	HasAudience bool    `json:"has_audience"`
	Audience    *string `json:"audience"`
}

// period is one membership of a section.
type period struct {
	Section uuid.UUID `json:"section"`
	From    string    `json:"from"`
	To      *string   `json:"to"`
}

// audienceFields are the fields of a profile that have an audience, in the order of
// the columns.
var audienceFields = [...]string{"listing", "pronouns", "headline", "bio", "grade", "region", "joined_on", "sections"}

// fields are all, in the order of an export.
var fields = append([]field{
	{name: "number", required: true, headings: []string{"membershipnumber", "membernumber", "membershipno", "memberno", "memberid", "membershipid", "no", "id"}, parse: func(r *row, s string) string {
		r.number = s
		if !numberForm.MatchString(s) {
			return "is no membership number; it begins with a letter or a digit, has these and : / . _ -, and at most 100 of them"
		}
		return ""
	}},
	{name: "display_name", required: true, headings: []string{"name", "fullname", "membername"}, parse: line(200, func(r *row, s string) { r.displayName = s })},
	{name: "given_name", input: true, headings: []string{"firstname", "forename", "forenames", "givennames", "firstnames"}, parse: line(200, func(r *row, s string) { r.given = s })},
	{name: "family_name", input: true, headings: []string{"lastname", "surname"}, parse: line(200, func(r *row, s string) { r.family = s })},
	{name: "sort_name", parse: line(200, func(r *row, s string) { r.sortName = s })},
	{name: "pronouns", parse: line(100, func(r *row, s string) { r.pronouns = &s })},
	{name: "headline", headings: []string{"jobtitle"}, parse: line(1_000, func(r *row, s string) { r.headline = &s })},
	{name: "bio", headings: []string{"biography", "about"}, parse: func(r *row, s string) string {
		r.bio = &s
		return tooLong(s, 20_000)
	}},
	{name: "grade", required: true, headings: []string{"membershipgrade", "membergrade", "membershiptype", "membershipcategory"}, parse: func(r *row, s string) string {
		return oneOf(s, &r.grade, "PROFESSIONAL", "STUDENT", "ASSOCIATE", "SELF_EMPLOYED", "OVERSEAS", "CAREER_BREAK", "RETIRED")
	}},
	{name: "region", parse: func(r *row, s string) (problem string) {
		r.region, problem = r.units.find("REGION", s)
		return problem
	}},
	{name: "joined_on", required: true, headings: []string{"joined", "joindate", "joiningdate", "datejoined", "membersince", "startdate"}, parse: func(r *row, s string) string {
		day, problem := parseDay(s)
		r.joinedOn = &day
		switch {
		case problem != "":
		case day.Year() < 1900:
			problem = "is before 1900, and nobody who joined then is a member; write the year with its four digits"
		case day.After(time.Now().AddDate(1, 0, 0)):
			problem = "is more than a year ahead, and nobody joins as late as that"
		}
		return problem
	}},
	{name: "sections", headings: []string{"specialistsections", "section", "specialistsection"}, parse: func(r *row, s string) (problem string) {
		r.sections, problem = parseSections(r.units, s)
		return problem
	}},
}, slices.Concat(audienceColumns(), []field{
	{name: "email", headings: []string{"emailaddress", "mail"}, parse: profileCell(func(u *member.ProfileUpdate, s string) { u.Email = &s })},
	{name: "phone", headings: []string{"telephone", "mobile", "phonenumber"}, parse: profileCell(func(u *member.ProfileUpdate, s string) { u.Phone = &s })},
	{name: "website", headings: []string{"web", "url"}, parse: profileCell(func(u *member.ProfileUpdate, s string) { u.Website = &s })},
	{name: "address", headings: []string{"postaladdress"}, parse: profileCell(func(u *member.ProfileUpdate, s string) { u.Address = &s })},
	{name: "languages", parse: profileCell(func(u *member.ProfileUpdate, s string) { u.Languages = terms(s) })},
	{name: "specialisms", headings: []string{"specialities", "interests"}, parse: profileCell(func(u *member.ProfileUpdate, s string) { u.Specialisms = terms(s) })},
	{name: "practice_town", parse: practiceCell(func(p *member.PracticeUpdate, s string) { p.Town = &s })},
	{name: "practice_postcode", parse: practiceCell(func(p *member.PracticeUpdate, s string) { p.Postcode = &s })},
	{name: "practice_latitude", parse: degrees(func(p *member.PracticeUpdate, d float64) { p.Latitude = &d })},
	{name: "practice_longitude", parse: degrees(func(p *member.PracticeUpdate, d float64) { p.Longitude = &d })},
}, detailAudienceColumns(), []field{
	{name: "paid_until", headings: []string{"expires", "expirydate", "expiry", "validuntil", "renewaldate", "membershipends"}, parse: func(r *row, s string) string {
		day, problem := parseDay(s)
		r.paidUntil = &day
		return problem
	}},
	{name: "ended_how", headings: []string{"reasonforleaving"}, parse: func(r *row, s string) string {
		return oneOf(s, &r.endedHow, "RESIGNED", "RETIRED", "DECEASED", "REMOVED")
	}},
	{name: "registration_number", headings: []string{"hcpc", "hcpcnumber", "hcpcno", "registrationno"}, parse: func(r *row, s string) string {
		s = strings.ToUpper(s)
		r.registration = &s
		if !registrationForm.MatchString(s) {
			return "is no number of the regulator; write OT and five or six digits"
		}
		return ""
	}},
	{name: "registered_until", parse: func(r *row, s string) string {
		day, problem := parseDay(s)
		r.registeredUntil = &day
		return problem
	}},
})...)

// detailFields are the fields of a profile that have rows of their own and stand in a file.
var detailFields = []member.ProfileField{
	member.Email, member.Phone, member.Website, member.Address, member.Languages, member.Specialisms, member.OfPractice,
}

// practiceColumns go together.
var practiceColumns = []string{"practice_town", "practice_postcode", "practice_latitude", "practice_longitude"}

// columnOf is the column with the value of a detail.
func columnOf(f member.ProfileField) string {
	if f == member.OfPractice {
		return practiceColumns[0]
	}
	return strings.ToLower(string(f))
}

func audienceColumn(f member.ProfileField) string { return strings.ToLower(string(f)) + "_audience" }

func detailAudienceColumns() []field {
	columns := make([]field, len(detailFields))
	for i, f := range detailFields {
		columns[i] = field{name: audienceColumn(f), parse: func(r *row, s string) string {
			return oneOf(s, &r.detail(f).Audience, audiences...)
		}}
	}
	return columns
}

// detail returns a detail of the row, empty at first.
func (r *row) detail(f member.ProfileField) *detail {
	if r.details == nil {
		r.details = map[member.ProfileField]*detail{}
	}
	if r.details[f] == nil {
		r.details[f] = &detail{DetailRow: member.DetailRow{Field: f}}
	}
	return r.details[f]
}

// profileCell reads a cell as the profile takes it.
func profileCell(set func(*member.ProfileUpdate, string)) func(*row, string) string {
	return func(r *row, s string) string {
		u := &member.ProfileUpdate{}
		set(u, s)
		return r.take(u)
	}
}

// take adds the rows of an update to the details.
func (r *row) take(u *member.ProfileUpdate) string {
	rows, err := u.DetailRows()
	if wrong, ok := errors.AsType[*errs.Invalid](err); ok {
		return wrong.Fields[0].Message
	}
	for _, d := range rows {
		r.detail(d.Field).DetailRow = d
	}
	return ""
}

func practiceCell(set func(*member.PracticeUpdate, string)) func(*row, string) string {
	return func(r *row, s string) string {
		one := member.PracticeUpdate{}
		set(&one, s)
		set(&r.practice, s)
		_, err := (&member.ProfileUpdate{Practice: &one}).DetailRows()
		if wrong, ok := errors.AsType[*errs.Invalid](err); ok {
			return wrong.Fields[0].Message
		}
		return ""
	}
}

func degrees(set func(*member.PracticeUpdate, float64)) func(*row, string) string {
	return func(r *row, s string) string {
		d, err := strconv.ParseFloat(s, 64)
		if err != nil || !(math.Abs(d) <= 180) {
			return fmt.Sprintf("%.40q is no number of degrees; write it as 51.48", s)
		}
		set(&r.practice, d)
		return ""
	}
}

// terms are what stands between semicolons.
func terms(s string) []string {
	all := []string{}
	for _, t := range strings.Split(s, ";") {
		if t = strings.TrimSpace(t); t != "" {
			all = append(all, t)
		}
	}
	return all
}

func audienceColumns() []field {
	columns := make([]field, len(audienceFields))
	for i, name := range audienceFields {
		columns[i] = field{name: name + "_audience", parse: func(r *row, s string) string {
			return oneOf(s, &r.audiences[i], audiences...)
		}}
	}
	return columns
}

var audiences = []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF", "NOBODY"}

var registrationForm = regexp.MustCompile(`^OT[0-9]{5,6}$`)

var numberForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:/._-]{0,99}$`)

// line reads one line of text.
func line(most int, set func(*row, string)) func(*row, string) string {
	return func(r *row, s string) string {
		set(r, s)
		if strings.ContainsFunc(s, unicode.IsControl) {
			return "has a line break or another control character; write it in one line"
		}
		return tooLong(s, most)
	}
}

func tooLong(s string, most int) string {
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, most)
	}
	return ""
}

// oneOf reads a name of a list, in any case and with spaces or hyphens between its
// words.
func oneOf(s string, into **string, names ...string) string {
	folded := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToUpper(s))
	for _, name := range names {
		if folded == name {
			*into = &name
			return ""
		}
	}
	return fmt.Sprintf("%.40q is not known; write %s or %s", s, strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}

var (
	numericDay = regexp.MustCompile(`^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})$`)
	withTime   = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]`)
)

// parseDay reads a day as 2024-05-31, and nothing that could be two days.
func parseDay(s string) (time.Time, string) {
	day, err := time.Parse(time.DateOnly, s)
	if err == nil && day.Year() >= 1 {
		return day, ""
	}
	const form = "2006-01-02"
	if m := numericDay.FindStringSubmatch(s); m != nil {
		european, notEuropean := time.Parse("2/1/2006", m[1]+"/"+m[2]+"/"+m[3])
		american, notAmerican := time.Parse("1/2/2006", m[1]+"/"+m[2]+"/"+m[3])
		switch {
		case notEuropean == nil && notAmerican == nil && !european.Equal(american):
			return day, fmt.Sprintf("%q can be read as two days; write %s or %s", s, european.Format(form), american.Format(form))
		case notEuropean == nil:
			return day, fmt.Sprintf("%q is not in the form of a day here; write %s", s, european.Format(form))
		case notAmerican == nil:
			return day, fmt.Sprintf("%q is not in the form of a day here; write %s", s, american.Format(form))
		}
	}
	if m := withTime.FindStringSubmatch(s); m != nil {
		return day, fmt.Sprintf("%.40q has a time; write the day alone, %s", s, m[1])
	}
	return day, fmt.Sprintf("%.40q is not a day; write it as 2024-05-31", s)
}

var sectionForm = regexp.MustCompile(`^(.+?)(?: +([0-9./-]{8,10})(?: +to +([0-9./-]{8,10}))?)?$`)

// parseSections reads memberships of sections as
// "housing 2019-03-01 to 2021-05-31; work 2020-01-01".
func parseSections(u *units, s string) ([]period, string) {
	var periods []period
	for _, part := range strings.Split(s, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		m := sectionForm.FindStringSubmatch(part)
		if m == nil || m[2] == "" {
			return nil, fmt.Sprintf("%.80q has no day; write the section with the day it was joined, as %.60s 2024-05-31, or 2024-05-31 to 2025-05-31", part, part)
		}
		id, problem := u.find("SPECIALIST_SECTION", m[1])
		if problem != "" {
			return nil, problem
		}
		from, problem := parseDay(m[2])
		if problem != "" {
			return nil, problem
		}
		p := period{Section: *id, From: from.Format(time.DateOnly)}
		if m[3] != "" {
			to, problem := parseDay(m[3])
			if problem != "" {
				return nil, problem
			}
			if to.Before(from) {
				return nil, fmt.Sprintf("%q ends before it has begun", part)
			}
			day := to.Format(time.DateOnly)
			p.To = &day
		}
		for _, o := range periods {
			if o.Section == p.Section && (o.To == nil || *o.To >= p.From) && (p.To == nil || *p.To >= o.From) {
				return nil, fmt.Sprintf("%s has two memberships at the same time", m[1])
			}
		}
		periods = append(periods, p)
	}
	return periods, ""
}

// units are the sections and regions, by slug and by name.
type units struct {
	byName map[string]uuid.UUID
}

func unitKey(kind, name string) string { return kind + " " + strings.ToLower(name) }

// find returns the unit with a slug or a name.
func (u *units) find(kind, name string) (*uuid.UUID, string) {
	if id, ok := u.byName[unitKey(kind, name)]; ok {
		return &id, ""
	}
	what := "section"
	if kind == "REGION" {
		what = "region"
	}
	if s := slug.Slug(name); s != "" {
		if _, ok := u.byName[unitKey(kind, s)]; ok {
			return nil, fmt.Sprintf("no %s is named %.80q; write %s", what, name, s)
		}
	}
	return nil, fmt.Sprintf("no %s is named %.80q; write its slug, which is the end of its address", what, name)
}

// fold makes headings alike that differ in case, spaces and marks only.
func fold(heading string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// fieldOf returns the field that a heading means, nil if none.
func fieldOf(heading string) *field {
	folded := fold(heading)
	for i := range fields {
		if folded == fold(fields[i].name) {
			return &fields[i]
		}
		for _, h := range fields[i].headings {
			if folded == h {
				return &fields[i]
			}
		}
	}
	return nil
}

func fieldNames() string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].name
	}
	return strings.Join(names, ", ")
}

// Mapping says which field a heading means; an empty field leaves the column out.
type Mapping map[string]string

// ParseMapping reads mappings written "Heading=field".
func ParseMapping(lines []string) (Mapping, error) {
	m := Mapping{}
	for _, text := range lines {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		at := strings.LastIndexByte(text, '=')
		if at < 1 {
			return nil, errs.Invalidf("map", `%.80q is no mapping; write "First name=given_name", or "Notes=" to leave a column out`, text)
		}
		heading, name := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:])
		if name != "" && !isField(name) {
			return nil, errs.Invalidf("map", "%.80q is no field; there are %s", name, fieldNames())
		}
		if old, ok := m[heading]; ok && old != name {
			return nil, errs.Invalidf("map", "%.80q is mapped twice", heading)
		}
		m[heading] = name
	}
	return m, nil
}

func isField(name string) bool {
	f := fieldOf(name)
	return f != nil && f.name == name
}

// columns are what stands in which cell; nil for a cell that is left out.
type columns struct {
	headings []string
	fields   []*field
	has      map[string]bool
}

// match finds the fields of the headings.
func match(headings []string, m Mapping) (*columns, error) {
	c := &columns{headings: headings, fields: make([]*field, len(headings)), has: map[string]bool{}}
	used := map[string]bool{}
	from := map[string]string{}
	var unknown []string
	for i, heading := range headings {
		heading = strings.TrimSpace(heading)
		c.headings[i] = heading
		if heading == "" {
			continue
		}
		f := fieldOf(heading)
		for h, name := range m {
			if h == heading || fold(h) != "" && fold(h) == fold(heading) {
				used[h] = true
				if name == "" {
					f = leftOut
				} else {
					f = fieldOf(name)
				}
			}
		}
		switch {
		case f == leftOut:
			c.fields[i] = leftOut
		case f == nil:
			unknown = append(unknown, fmt.Sprintf("%.80q", heading))
		case c.has[f.name]:
			return nil, errs.Invalidf("", `the columns %q and %q both hold %s; leave one out with --map %q`, from[f.name], heading, f.name, heading+"=")
		default:
			c.fields[i], c.has[f.name], from[f.name] = f, true, heading
		}
	}
	for h := range m {
		if !used[h] {
			return nil, errs.Invalidf("map", "the file has no column %.80q; its columns are %.500q", h, headings)
		}
	}
	switch {
	case len(unknown) > 0:
		return nil, errs.Invalidf("", "it is not known what stands in %s; say it with --map %q, or leave it out with --map %q; the fields are %s",
			strings.Join(unknown, ", "), strings.Trim(unknown[0], `"`)+"=FIELD", strings.Trim(unknown[0], `"`)+"=", fieldNames())
	case !c.has["number"]:
		return nil, errs.Invalidf("", `no column holds the membership number; say which with --map "Heading=number"`)
	case c.has["given_name"] != c.has["family_name"]:
		return nil, errs.Invalidf("", "given_name and family_name go together; map one column to display_name instead")
	case slices.ContainsFunc(practiceColumns, func(name string) bool { return c.has[name] != c.has[practiceColumns[0]] }):
		return nil, errs.Invalidf("", "%s go together; give the file all of them", strings.Join(practiceColumns, ", "))
	case c.has["ended_how"] && !c.has["paid_until"]:
		return nil, errs.Invalidf("", "ended_how goes with paid_until, the last day of the membership; give the file both")
	case c.has["registered_until"] && !c.has["registration_number"]:
		return nil, errs.Invalidf("", "registered_until goes with registration_number; give the file both")
	case c.has["given_name"] && c.has["display_name"]:
		return nil, errs.Invalidf("", "the file has a display_name and a given_name with a family_name; leave the one or the others out")
	}
	return c, nil
}

// leftOut is the field of columns that are not read.
var leftOut = &field{}

// heading returns the heading of the column that holds a field.
func (c *columns) heading(name string) string {
	for i, f := range c.fields {
		if f != nil && f.name == name {
			return c.headings[i]
		}
	}
	return ""
}
