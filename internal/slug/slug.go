// Package slug knows how labels become addresses and how an address that
// somebody typed becomes the one that is stored.
package slug

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/collegium/collegium/internal/errs"
)

const (
	// MaxPath is how many bytes a path may have.
	MaxPath = 1024
	// maxSlug is how many bytes a slug may have; a longer one ends at the last
	// whole word before.
	maxSlug = 200
)

// letters spells letters that Unicode does not decompose.
var letters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ı': "i", 'ŋ': "n", 'ŧ': "t",
}

// Slug returns the part of an address that a label makes: small ASCII letters
// and digits, words joined by single hyphens. Accents fall away, apostrophes,
// quotation marks and invisible characters join what they stand between, and
// anything else (slashes, dashes, #, @, &, spaces of every kind) separates
// words. At most 200 bytes are kept, in whole words where there are any.
//
// The slug of a label without a Latin letter or digit is empty. Two labels can
// have the same slug, so a slug is not a key.
func Slug(label string) string {
	var b strings.Builder
	gap := false
	word := func(s string) {
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteString(s)
	}
	for _, r := range label {
		switch r {
		case '\'', '’', '‘', '‛', '′', 'ʼ', '`', '´', '"', '“', '”', '„', '«', '»', '″', '™', '®', '©':
			continue
		}
		for _, r := range norm.NFKD.String(string(unicode.ToLower(r))) {
			r = unicode.ToLower(r)
			switch {
			case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
				word(string(r))
			case letters[r] != "":
				word(letters[r])
			case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
				// An accent, or a character that nobody sees.
			default:
				gap = true
			}
		}
	}
	s := b.String()
	if len(s) <= maxSlug {
		return s
	}
	if s[maxSlug] == '-' {
		return s[:maxSlug]
	}
	if i := strings.LastIndexByte(s[:maxSlug], '-'); i > 0 {
		return s[:i]
	}
	return s[:maxSlug]
}

var (
	slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	pathForm = regexp.MustCompile(`^(/[a-z0-9]+(-[a-z0-9]+)*)+$`)
)

// Valid reports whether s is a slug as Slug makes them, and not empty. A slug
// of an editor may be longer than those of Slug.
func Valid(s string) bool { return slugForm.MatchString(s) }

// ValidPath reports whether p is a path in the form in which paths are stored:
// "/", or slugs with a slash before each, in at most MaxPath bytes.
func ValidPath(p string) bool {
	return p == "/" || len(p) <= MaxPath && pathForm.MatchString(p)
}

// Path returns a path as it is stored: percent-encoding (RFC 3986 section 2.1)
// is undone, dot segments, doubled and trailing slashes, query and fragment are
// gone, letters are small. So one page has one path, however it is typed.
//
// The result need not be ValidPath; then nothing stands there. A path that
// cannot be one is bad input in the field "path" (errs.Invalid): without a
// slash in front, longer than MaxPath bytes, badly encoded, or with control
// characters.
func Path(raw string) (string, error) {
	if len(raw) > MaxPath {
		return "", errs.Invalidf("path", "is %d bytes long; a path has at most %d", len(raw), MaxPath)
	}
	if !strings.HasPrefix(raw, "/") {
		return "", errs.Invalidf("path", "%.80q does not begin with a slash; pass the path alone, as \"/about-us\"", raw)
	}
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	p, err := url.PathUnescape(raw)
	if err != nil {
		return "", errs.Invalidf("path", "%.80q is not well encoded; a percent sign begins two hexadecimal digits, as \"%%20\"", raw)
	}
	if !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) {
		return "", errs.Invalidf("path", "%.80q holds bytes that no path has; use printable characters in UTF-8", raw)
	}
	// A small letter can need more bytes than its capital.
	p = path.Clean(strings.ToLower(norm.NFC.String(p)))
	if len(p) > MaxPath {
		return "", errs.Invalidf("path", "is %d bytes long; a path has at most %d", len(p), MaxPath)
	}
	return p, nil
}
