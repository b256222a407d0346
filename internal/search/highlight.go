package search

import (
	"html"
	"strings"
)

// The control characters of the search_text() function of the database. What was found stands between foundStart and
// foundEnd; the others stand for the characters on which the database's parser would stumble.
const (
	foundStart = '\x01'
	foundEnd   = '\x02'
)

var punctuation = map[rune]string{
	'\x03': "&lt;",
	'\x04': "&gt;",
	'\x05': "/",
	'\x06': "-",
	'\x07': "@",
	'\x08': ".",
	'\x0e': "&amp;",
	'\x0f': "+",
}

// markup turns a passage from the database into HTML: what was found in mark elements, everything else escaped, white
// space as single spaces. The text itself cannot forge a mark, since search_text() has dropped its control characters;
// and whatever comes in, the mark elements that come out are closed and not nested.
func markup(passage string) string {
	var b strings.Builder
	b.Grow(len(passage) + 64)
	marked, space := false, false
	for _, r := range passage {
		switch r {
		case ' ', '\n', '\t', '\r':
			space = b.Len() > 0
			continue
		case foundEnd:
			if marked {
				b.WriteString("</mark>")
			}
			marked = false
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		switch {
		case r == foundStart:
			if !marked {
				b.WriteString("<mark>")
			}
			marked = true
		case punctuation[r] != "":
			b.WriteString(punctuation[r])
		case r >= ' ' && r != '\x7f':
			b.WriteString(html.EscapeString(string(r)))
		}
	}
	if marked {
		b.WriteString("</mark>")
	}
	return b.String()
}
