package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/errs"
)

// MaxQuery is how many characters a query or a prefix may have.
const (
	MaxQuery  = 200
	MaxPrefix = 100
)

// query is what somebody typed, taken apart by the rules of websearch_to_tsquery: words that must all occur, "phrases"
// in quotes, "or" between alternatives, "-" before what must not occur.
//
// It is taken apart here, since each alternative needs something to look for: "-housing" alone, or "the -housing" where
// "the" is no searchable word, would match nearly everything.
type query struct {
	text string
	// asked holds each alternative in the syntax of websearch_to_tsquery, and wanted what of it is to be found, or-ed.
	asked, wanted []string
	// words are the single words to be found, where they stand in text.
	words []span
	// excludes is whether something must not occur, either whether there are alternatives.
	excludes, either bool
}

type span struct{ start, end int }

// parse checks a query and takes it apart.
func parse(text string) (*query, error) {
	text = clean(text)
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return nil, errs.Invalidf("query", "it is empty; pass 1 to %d characters", MaxQuery)
	case n > MaxQuery:
		return nil, errs.Invalidf("query", "it has %d characters; pass 1 to %d", n, MaxQuery)
	}
	q := &query{text: text}
	var asked, wanted []string
	alternative := func() {
		if len(wanted) > 0 {
			q.asked = append(q.asked, strings.Join(asked, " "))
			q.wanted = append(q.wanted, strings.Join(wanted, " or "))
		}
		asked, wanted = nil, nil
	}
	for rest := 0; rest < len(text); {
		t := nextToken(text, rest)
		rest = t.rest
		if !t.quoted && !t.excluded && strings.EqualFold(text[t.start:t.end], "or") {
			alternative()
			q.either = true
			continue
		}
		words := wordsOf(text, t.start, t.end)
		if len(words) == 0 {
			continue
		}
		// Words that only punctuation joins, as in BAOT/RCOT or self-management, stand next to each other in a text too.
		var phrase strings.Builder
		for i, w := range words {
			if i > 0 {
				phrase.WriteByte(' ')
			}
			phrase.WriteString(text[w.start:w.end])
		}
		clause := `"` + phrase.String() + `"`
		if t.excluded {
			q.excludes = true
			asked = append(asked, "-"+clause)
			continue
		}
		asked = append(asked, clause)
		wanted = append(wanted, clause)
		q.words = append(q.words, words...)
	}
	alternative()
	return q, nil
}

// clean trims text and replaces what is no text: control characters and bytes that are not UTF-8 become spaces, and
// invisible characters inside words go.
func clean(text string) string {
	text = strings.ToValidUTF8(text, " ")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		case r == '\u00ad', r >= '\u200b' && r <= '\u200d', r == '\u2060', r == '\ufeff':
			return -1
		}
		return r
	}, text))
}

// token is a word, a phrase, or several words without a space between them.
type token struct {
	span
	rest             int
	quoted, excluded bool
}

// nextToken reads the token that begins at or after from.
func nextToken(text string, from int) token {
	for from < len(text) && text[from] == ' ' {
		from++
	}
	t := token{span: span{from, from}}
	// A minus alone is a dash.
	if from+1 < len(text) && text[from] == '-' && text[from+1] != ' ' {
		t.excluded = true
		from++
	}
	if from < len(text) && text[from] == '"' {
		t.quoted = true
		t.start = from + 1
		t.end = len(text)
		if i := strings.IndexByte(text[t.start:], '"'); i >= 0 {
			t.end = t.start + i
		}
		t.rest = t.end + 1
		return t
	}
	t.start = from
	t.end = len(text)
	if i := strings.IndexAny(text[from:], ` "`); i >= 0 {
		t.end = from + i
	}
	t.rest = t.end
	return t
}

// wordsOf returns where the words of text[start:end] stand: runs of letters, digits and their accents.
func wordsOf(text string, start, end int) []span {
	var words []span
	in := false
	for i, r := range text[start:end] {
		at := start + i
		isWord := unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
		if isWord && !in {
			words = append(words, span{at, end})
		}
		if !isWord && in {
			words[len(words)-1].end = at
		}
		in = isWord
	}
	return words
}

// maxSpelled is how many words of one query are looked up when the query finds nothing.
const maxSpelled = 10

// spellable returns the words that may be misspelled, each once. Numbers and very short words are not: nearly every one
// of those is near to another.
func (q *query) spellable() []string {
	var words []string
	for _, w := range q.words {
		word := strings.ToLower(q.text[w.start:w.end])
		n := utf8.RuneCountInString(word)
		if n < 3 || n > 40 || strings.ContainsFunc(word, unicode.IsNumber) || slices.Contains(words, word) {
			continue
		}
		if words = append(words, word); len(words) == maxSpelled {
			break
		}
	}
	return words
}

// replaced returns the query as it was typed with words put right; right maps words in lower case.
func (q *query) replaced(right map[string]string) string {
	var b strings.Builder
	at := 0
	for _, w := range q.words {
		word, ok := right[strings.ToLower(q.text[w.start:w.end])]
		if !ok {
			continue
		}
		b.WriteString(q.text[at:w.start])
		b.WriteString(word)
		at = w.end
	}
	b.WriteString(q.text[at:])
	return b.String()
}
