package server

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Requests as nearly all clients write them are read here, without a detour over reflection and maps: for an answer that
// is kept, that detour would be most of the work. What is out of the ordinary in any way, wrong or not, is left to
// parseAnyBody and parseAnyURL; both read the same from what is read here. Variables are not decoded: an answer from
// memory doesn't need them.

// plainRequest is what was read the short way, if it could be.
type plainRequest struct {
	params Params
	ok     bool
}

// The requests that come again and again are read once. Long ones are not remembered, so that they don't fill the memory.
var (
	plainBodies = newMemo(func(body string) (r plainRequest) {
		r.params, r.ok = parsePlainBody([]byte(body))
		return r
	})
	plainURLs = newMemo(func(rawQuery string) (r plainRequest) {
		r.params, r.ok = parsePlainURL(rawQuery)
		return r
	})
)

const longestRemembered = 4 << 10

func plainBody(body []byte) (r plainRequest) {
	if len(body) > longestRemembered {
		r.params, r.ok = parsePlainBody(body)
		return r
	}
	if r, ok := known(plainBodies, body); ok {
		return r
	}
	return plainBodies.get(string(body))
}

func plainURL(rawQuery string) (r plainRequest) {
	if len(rawQuery) > longestRemembered {
		r.params, r.ok = parsePlainURL(rawQuery)
		return r
	}
	return plainURLs.get(rawQuery)
}

// parsePlainBody reads a JSON object with the members of a request and no others.
func parsePlainBody(body []byte) (p Params, ok bool) {
	if !utf8.Valid(body) {
		return p, false
	}
	s := plainScanner{rest: body}
	if !s.skip('{') {
		return p, false
	}
	var hasQuery bool
	var extensions []byte
	seen := 0
	once := func(member int) bool {
		first := seen&member == 0
		seen |= member
		return first
	}
	for {
		name, ok := s.text()
		if !ok || !s.skip(':') {
			return p, false
		}
		switch string(name) {
		case paramQuery:
			p.Query, ok = s.string()
			ok, hasQuery = ok && once(1), true
		case paramDocumentID:
			p.DocumentID, ok = s.string()
			ok = ok && once(2)
		case paramOperationName:
			p.OperationName, ok = s.stringOrNull()
			ok = ok && once(4)
		case paramVariables:
			var raw []byte
			raw, ok = s.objectOrNull()
			ok, p.VariablesText = ok && once(8), string(raw)
		case paramExtensions:
			extensions, ok = s.objectOrNull()
			ok = ok && once(16)
		default:
			ok = false
		}
		if !ok {
			return p, false
		}
		if s.skip('}') {
			break
		}
		if !s.skip(',') {
			return p, false
		}
	}
	if len(s.space()) > 0 {
		return p, false
	}
	return p.plain(extensions, hasQuery)
}

// parsePlainURL reads a query string with the parameters of a request and no others.
func parsePlainURL(rawQuery string) (p Params, ok bool) {
	p.ReadOnly = true
	var hasQuery bool
	var extensions string
	seen := 0
	for rest := rawQuery; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		name, escaped, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(escaped)
		if err != nil || !utf8.ValidString(value) || strings.IndexByte(pair, ';') >= 0 {
			return p, false
		}
		var member int
		switch name {
		case paramQuery:
			p.Query, hasQuery, member = value, true, 1
		case paramDocumentID:
			p.DocumentID, member = value, 2
		case paramOperationName:
			p.OperationName, member = value, 4
		case paramVariables:
			p.VariablesText, member = value, 8
		case paramExtensions:
			extensions, member = value, 16
		default:
			return p, false
		}
		if seen&member != 0 {
			return p, false
		}
		seen |= member
	}
	if p.VariablesText == "null" {
		p.VariablesText = ""
	}
	if v := p.VariablesText; v != "" && (v[0] != '{' || !json.Valid([]byte(v))) {
		return p, false
	}
	if extensions == "null" {
		extensions = ""
	}
	return p.plain([]byte(extensions), hasQuery)
}

// plain sets the extensions, and says whether there is a document.
func (p Params) plain(extensions []byte, hasQuery bool) (Params, bool) {
	if len(extensions) > 0 {
		var err error
		if p.Extensions, err = decodeObject(extensions); err != nil || extensions[0] != '{' || !json.Valid(extensions) {
			return p, false
		}
	}
	return p, hasQuery || namesDocument(p)
}

// decodeVariables sets Variables from their text.
func (p *Params) decodeVariables() {
	if p.Variables == nil && p.VariablesText != "" {
		p.Variables, _ = decodeObject([]byte(p.VariablesText)) // it was valid when it was read
	}
}

// plainScanner reads JSON from valid UTF-8 as long as it is simple.
type plainScanner struct{ rest []byte }

// space skips white space and returns what is left.
func (s *plainScanner) space() []byte {
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		default:
			return s.rest
		}
	}
	return nil
}

// skip skips white space and a character, if that comes next.
func (s *plainScanner) skip(c byte) bool {
	if rest := s.space(); len(rest) > 0 && rest[0] == c {
		s.rest = rest[1:]
		return true
	}
	return false
}

// null skips a null, if that comes next.
func (s *plainScanner) null() bool {
	if rest := s.space(); bytes.HasPrefix(rest, []byte("null")) {
		s.rest = rest[4:]
		return true
	}
	return false
}

// text reads a string without escapes.
func (s *plainScanner) text() ([]byte, bool) {
	if !s.skip('"') {
		return nil, false
	}
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text, true
		case c == '\\', c < ' ':
			return nil, false
		}
	}
	return nil, false
}

func (s *plainScanner) stringOrNull() (string, bool) {
	if s.null() {
		return "", true
	}
	return s.string()
}

// string reads a string with the short escapes, and without \u.
func (s *plainScanner) string() (string, bool) {
	if !s.skip('"') {
		return "", false
	}
	escapes := 0
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			raw := s.rest[:i]
			s.rest = s.rest[i+1:]
			if escapes == 0 {
				return string(raw), true
			}
			return unescape(raw, escapes)
		case c == '\\':
			escapes++
			i++ // what follows ends nothing
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// short are the escapes of one letter.
var short = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func unescape(raw []byte, escapes int) (string, bool) {
	var b strings.Builder
	b.Grow(len(raw) - escapes)
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			b.Write(raw)
			return b.String(), true
		}
		c := short[raw[i+1]]
		if c == 0 {
			return "", false
		}
		b.Write(raw[:i])
		b.WriteByte(c)
		raw = raw[i+2:]
	}
}

// objectOrNull reads a JSON object as it stands; nil for null.
func (s *plainScanner) objectOrNull() ([]byte, bool) {
	if s.null() {
		return nil, true
	}
	rest := s.space()
	if len(rest) == 0 || rest[0] != '{' {
		return nil, false
	}
	depth, inString := 0, false
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case inString:
			switch c {
			case '"':
				inString = false
			case '\\':
				i++
			}
		case c == '"':
			inString = true
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				s.rest = rest[i+1:]
				return rest[:i+1], json.Valid(rest[:i+1])
			}
		}
	}
	return nil, false
}
