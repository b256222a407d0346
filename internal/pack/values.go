package pack

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/collegium/collegium/internal/slug"
)

// The kinds of text in a pack. Each reads itself from a scalar and says what is
// wrong with it; "" means that nothing is. The zero value stands for "not given".
type (
	// Line is one line of text.
	Line string
	// Text is text of one or more lines, without blank lines around it.
	Text string
	// Slug is a part of an address.
	Slug string
	// Path is a path of this site in normal form.
	Path string
	// Key is what keeps a thing apart from others of its kind.
	Key string
	// URL is an address on another site.
	URL string
	// Date is a day, as 2024-05-31.
	Date string
	// Moment is a moment in UTC, as 2024-05-31T14:30:00Z, to the microsecond.
	Moment string
	// Target is where a redirect leads: a Path or a URL.
	Target string
	// MediaType is a media type (RFC 6838 section 4.2).
	MediaType string
	// SHA256 is a checksum in hexadecimal.
	SHA256 string
	// ScottishCharity is a number of the Scottish Charity Register.
	ScottishCharity string
)

// scalar is a value that reads itself. The text holds no control characters
// besides line feeds and tabs, and is valid UTF-8.
type scalar interface {
	parse(s string) (problem string)
}

const (
	maxLine    = 1_000
	maxKey     = 500
	maxSlug    = 200
	timeFormat = "2006-01-02T15:04:05.999999Z07:00"
)

var (
	keyForm       = regexp.MustCompile(`^[a-z0-9][a-z0-9:/._-]*$`)
	urlForm       = regexp.MustCompile(`^https?://[^/\s]+\S*$`)
	mediaTypeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$`)
	sha256Form    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	scottishForm  = regexp.MustCompile(`^SC[0-9]{6}$`)
	languageForm  = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

func (v *Line) parse(s string) string {
	*v = Line(s)
	switch {
	case s == "":
		return "is empty; write a text or leave the key out"
	case len(s) > maxLine:
		return fmt.Sprintf("has %d bytes; at most %d are allowed", len(s), maxLine)
	case strings.ContainsAny(s, "\n\t"):
		return "has a line break or a tab; write it in one line"
	case strings.TrimSpace(s) != s:
		return fmt.Sprintf("begins or ends with white space (%+q); remove it", s)
	}
	return ""
}

func (v *Text) parse(s string) string {
	*v = Text(trimBlankLines(s))
	if *v == "" {
		return "is empty; write a text or leave the key out"
	}
	return ""
}

// trimBlankLines removes blank lines before, white space after, and carriage
// returns. The indentation of the first line stays.
func trimBlankLines(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	// A no-break space is a character to Markdown.
	s = strings.TrimRight(s, " \t\r\n")
	for {
		line, rest, more := strings.Cut(s, "\n")
		if !more || strings.Trim(line, " \t\r") != "" {
			return s
		}
		s = rest
	}
}

func (v *Slug) parse(s string) string {
	*v = Slug(s)
	switch {
	case len(s) > maxSlug:
		return fmt.Sprintf("has %d bytes; a slug has at most %d", len(s), maxSlug)
	case !slug.Valid(s):
		return fmt.Sprintf("%.80q is not a slug; use small letters and digits, joined by single hyphens%s", s, instead(slug.Slug(s)))
	}
	return ""
}

func (v *Path) parse(s string) string {
	*v = Path(s)
	if slug.ValidPath(s) {
		return ""
	}
	if p, err := slug.Path(s); err == nil && slug.ValidPath(p) {
		return fmt.Sprintf("%.80q is not in normal form; write %s", s, p)
	}
	return fmt.Sprintf("%.80q is not a path; begin with a slash and use small letters, digits and single hyphens between slashes, as /about-us, at most %d bytes", s, slug.MaxPath)
}

func (v *Key) parse(s string) string {
	*v = Key(s)
	if len(s) > maxKey || !keyForm.MatchString(s) {
		return fmt.Sprintf("%.80q is not a key; begin with a small letter or a digit and use these and : / . _ -, at most %d", s, maxKey)
	}
	return ""
}

func (v *URL) parse(s string) string {
	*v = URL(s)
	if len(s) > 2_000 || !urlForm.MatchString(s) {
		return fmt.Sprintf("%.80q is not an address on another site; begin with https:// or http:// and leave out spaces, at most 2000 bytes", s)
	}
	return ""
}

func (v *Target) parse(s string) string {
	*v = Target(s)
	if strings.HasPrefix(s, "/") {
		return new(Path).parse(s)
	}
	if new(URL).parse(s) != "" {
		return fmt.Sprintf("%.80q is neither a path of this site, as /about-us, nor an address elsewhere, as https://example.org/", s)
	}
	return ""
}

func (v *Date) parse(s string) string {
	*v = Date(s)
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return fmt.Sprintf("%.80q is not a date; write it as 2024-05-31", s)
	}
	return ""
}

func (v *Moment) parse(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UTC().Year() < 1 || t.UTC().Year() > 9999 {
		*v = ""
		return fmt.Sprintf("%.80q is not a moment; write it as 2024-05-31T14:30:00Z", s)
	}
	*v = momentOf(t)
	return ""
}

// momentOf returns t as PostgreSQL keeps it.
func momentOf(t time.Time) Moment {
	return Moment(t.UTC().Truncate(time.Microsecond).Format(timeFormat))
}

func (v *MediaType) parse(s string) string {
	*v = MediaType(s)
	if len(s) > 255 || !mediaTypeForm.MatchString(s) {
		return fmt.Sprintf("%.80q is not a media type; write it in small letters, as application/pdf", s)
	}
	return ""
}

func (v *SHA256) parse(s string) string {
	*v = SHA256(s)
	if !sha256Form.MatchString(s) {
		return fmt.Sprintf("%.80q is not a SHA-256; write 64 hexadecimal digits in small letters", s)
	}
	return ""
}

func (v *ScottishCharity) parse(s string) string {
	*v = ScottishCharity(s)
	if !scottishForm.MatchString(s) {
		return fmt.Sprintf("%.80q is not a number of the Scottish register; write SC and six digits, as SC039573", s)
	}
	return ""
}

// instead returns a hint at what to write, if there is anything.
func instead(s string) string {
	if s == "" {
		return ""
	}
	return ", as " + s
}

// The enums of a pack; their values are those of the graph.
type (
	entryKind  string
	status     string
	access     string
	subKind    string
	nation     string
	grade      string
	audience   string
	step       string
	actionName string
	tone       string
)

func (v *entryKind) parse(s string) string {
	return oneOf(v, s, "PAGE", "SPECIALIST_SECTION", "REGION")
}

func (v *status) parse(s string) string { return oneOf(v, s, "PUBLISHED", "DRAFT", "GONE") }

func (v *access) parse(s string) string { return oneOf(v, s, "PUBLIC", "MEMBERS", "STAFF") }

func (v *subKind) parse(s string) string {
	return oneOf(v, s, "OTHER", "COMMITTEE", "MEMBER_RESOURCES", "EVENTS", "FORUM")
}

func (v *nation) parse(s string) string {
	return oneOf(v, s, "ENGLAND", "SCOTLAND", "WALES", "NORTHERN_IRELAND")
}

func (v *grade) parse(s string) string {
	return oneOf(v, s, "PROFESSIONAL", "STUDENT", "ASSOCIATE", "SELF_EMPLOYED", "OVERSEAS", "CAREER_BREAK", "RETIRED")
}

func (v *audience) parse(s string) string {
	return oneOf(v, s, "PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF", "NOBODY")
}

func (v *step) parse(s string) string {
	return oneOf(v, s, "NEWLY_QUALIFIED", "EXPERIENCED", "ADVANCED", "OPERATIONAL_MANAGER", "OPERATIONAL_STRATEGIC", "CONSULTANT_PRINCIPAL")
}

func (v *actionName) parse(s string) string { return oneOf(v, s, "LOG_IN", "SEARCH") }

func (v *tone) parse(s string) string { return oneOf(v, s, "INFO", "WARNING", "SUCCESS") }

func oneOf[T ~string](v *T, s string, allowed ...T) string {
	*v = T(s)
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if s == string(a) {
			return ""
		}
		names[i] = string(a)
	}
	last := len(names) - 1
	return fmt.Sprintf("%.80q is not known; write %s or %s", s, strings.Join(names[:last], ", "), names[last])
}
