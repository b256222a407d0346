package guard

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
)

// Parse parses an executable document. It first reads the document with the lexer alone, which
// takes no stack and hardly any memory, and refuses one that is over the limits on bytes, tokens, nesting
// and names; the parser, which recurses, runs on what is left. A refusal is an [*Error].
func (g *Guard) Parse(source string) (*ast.QueryDocument, error) {
	l := &g.limits
	if len(source) > l.Bytes {
		return nil, exceeds("bytes", len(source), l.Bytes, "the document has %d bytes; at most %d are allowed")
	}
	src := &ast.Source{Input: source}
	if err := scan(src, l); err != nil {
		return nil, err
	}
	doc, err := parser.ParseQueryWithTokenLimit(src, l.Tokens)
	if err != nil {
		return nil, syntax(err)
	}
	return doc, nil
}

// scan counts the tokens of src and how deep its brackets nest.
func scan(src *ast.Source, l *Limits) error {
	lex := lexer.New(src)
	tokens, open := 0, 0
	for {
		tok, err := lex.ReadToken()
		if err != nil {
			return syntax(err)
		}
		if tok.Kind == lexer.EOF {
			return nil
		}
		if tokens++; tokens > l.Tokens {
			return exceeds("tokens", tokens, l.Tokens, "the document has %d tokens or more; at most %d are allowed")
		}
		switch tok.Kind {
		case lexer.BraceL, lexer.BracketL, lexer.ParenL:
			if open++; open > l.Nesting {
				e := exceeds("nesting", open, l.Nesting, "the document nests %d brackets or more; at most %d levels are allowed")
				e.Line, e.Column = tok.Pos.Line, tok.Pos.Column
				return e
			}
		case lexer.BraceR, lexer.BracketR, lexer.ParenR:
			open = max(open-1, 0)
		case lexer.Name:
			if len(tok.Value) > l.NameBytes {
				e := exceeds("nameBytes", len(tok.Value), l.NameBytes, "a name in the document has %d bytes; at most %d are allowed")
				e.Line, e.Column = tok.Pos.Line, tok.Pos.Column
				return e
			}
		}
	}
}

// syntax turns an error of the lexer or the parser into one that is fit for a client: their messages
// repeat a token whole, even a string of 30 kB.
func syntax(err error) *Error {
	const most = 200
	e := &Error{Limit: "syntax"}
	message := err.Error()
	if g := (*gqlerror.Error)(nil); errors.As(err, &g) {
		message = g.Message
		if len(g.Locations) > 0 {
			e.Line, e.Column = g.Locations[0].Line, g.Locations[0].Column
		}
	}
	if len(message) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(message[cut]) {
			cut--
		}
		message = message[:cut] + "…"
	}
	e.Message = fmt.Sprintf("the document is not valid GraphQL: %s", message)
	return e
}
