package person_test

import (
	"errors"
	"testing"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/person"
)

func TestName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  Ada \t Lovelace\n": "Ada Lovelace",
		"Zoë O’Neill":         "Zoë O’Neill",
		"محمد":                "محمد",
		"":                    "",
		" ":                   "",
		"Ada\u202eecalevoL":   "",
		"Ada \u2066L\u2069":   "",
		"\u202aAda":           "",
		"Ada\x07":             "",
		"Ada\x00":             "",
		"Ada\xff":             "",
	} {
		got, err := person.Name("input.displayName", in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
		if invalid := (*errs.Invalid)(nil); err != nil && (!errors.As(err, &invalid) || invalid.Fields[0].Path != "input.displayName") {
			t.Errorf("%q: %v names no field", in, err)
		}
	}
}

func TestSortName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Ada Byron King": "King, Ada Byron", "Ada": "Ada"} {
		if got := person.SortName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" ada@example.org ":           "ada@example.org",
		"Ada.L+x@mail.example.co":     "Ada.L+x@mail.example.co",
		"zoë@exämple.org":             "zoë@exämple.org",
		"a@b":                         "",
		"a@b.":                        "",
		"a@.b":                        "",
		"a@-b.org":                    "",
		"a@b_c.org":                   "",
		"a@[192.0.2.1]":               "",
		"Ada <ada@example.org>":       "",
		"\"a b\"@example.org":         "",
		"a\u202e@example.org":         "",
		"ada":                         "",
		"ada@example.org@example.org": "",
	} {
		if got, err := person.Email("input.email", in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
}
