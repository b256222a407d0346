// Package person knows what the name and the address of a person look like, wherever one
// is written.
package person

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/errs"
)

// MaxName is how many characters a name has at most.
const MaxName = 200

// Misleads says whether a character of a text does something to what stands around it
// instead of showing: a control character, or one of those that turn the direction of
// writing (UAX 9), with which a name reads as another one.
func Misleads(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Name returns a name as it is kept, with single blanks; it is bad input in the field
// path if it is none.
func Name(path, name string) (string, error) {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return Misleads(r) && !unicode.IsSpace(r) }) {
		return "", errs.Invalidf(path, "leave out control characters, and those that turn the direction of writing")
	}
	name = strings.Join(strings.Fields(name), " ")
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxName {
		return "", errs.Invalidf(path, "a name has 1 to %d characters; this one has %d", MaxName, n)
	}
	return name, nil
}

// SortName puts the last word of a name first, as lists of people are sorted.
func SortName(name string) string {
	words := strings.Fields(name)
	if n := len(words); n > 1 {
		return words[n-1] + ", " + strings.Join(words[:n-1], " ")
	}
	return name
}

// Email returns an e-mail address as it is kept; it is bad input in the field path if it
// is none that mail from elsewhere reaches (RFC 5321, without quoted local parts and
// address literals).
func Email(path, email string) (string, error) {
	email = strings.TrimSpace(email)
	parsed, err := mail.ParseAddress(email)
	_, domain, _ := strings.Cut(email, "@")
	if err != nil || parsed.Address != email || len(email) > 254 || strings.ContainsAny(email, "\" \t") || strings.ContainsFunc(email, Misleads) || !isDomain(domain) {
		return "", errs.Invalidf(path, "%.100q is no e-mail address; write it as name@example.org", email)
	}
	return email, nil
}

// isDomain says whether a name is one of several labels, each of letters, digits and
// hyphens; letters of any script.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '-' }) {
			return false
		}
	}
	return len(labels) > 1
}
