package trusted_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/trusted"
)

// The hash is what sha256sum prints.
const (
	menus       = "{ menus { handle } }"
	menusSHA256 = "cd6d513f464606ff015ef01136393c988f848798dd2f08f6bb41f3fb5b385d8b"
)

func TestReadManifest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, manifest string
		want           []trusted.Entry
	}{
		{
			"GraphQL Code Generator, SHA-1",
			`{"b5d8a9a4d0a3f1a2f4b8a9f7d2c1e0b3a4958671": "query B { menus { handle } }", "7c4a8d09ca3762af61e59520943dc26494f8941b": "query A { menus { title } }"}`,
			[]trusted.Entry{
				{"7c4a8d09ca3762af61e59520943dc26494f8941b", "query A { menus { title } }"},
				{"b5d8a9a4d0a3f1a2f4b8a9f7d2c1e0b3a4958671", "query B { menus { handle } }"},
			},
		},
		{"SHA-256", `{"MENUS": "` + menus + `"}`, []trusted.Entry{{"MENUS", menus}}},
		{"SHA-256 with prefix", `{"sha256:MENUS": "` + menus + `"}`, []trusted.Entry{{"sha256:MENUS", menus}}},
		{"Relay, MD5", `{"5d41402abc4b2a76b9719d911017c592": "query AppQuery {\n  menus {\n    handle\n  }\n}\n"}`, []trusted.Entry{
			{"5d41402abc4b2a76b9719d911017c592", "query AppQuery {\n  menus {\n    handle\n  }\n}\n"},
		}},
		{
			"Apollo", `{"format":"apollo-persisted-query-manifest","version":1,"operations":[
				{"id":"MENUS","name":"Menus","type":"query","body":"` + menus + `","clientName":"web"}]}`,
			[]trusted.Entry{{"MENUS", menus}},
		},
		{"a name twice with one text", `{"Menus": "{ menus { handle } }", "Menus": "{ menus { handle } }"}`, []trusted.Entry{{"Menus", menus}}},
		{"an operation called format", `{"format": "{ menus { handle } }"}`, []trusted.Entry{{"format", menus}}},
	} {
		got, err := trusted.ReadManifest([]byte(real(tt.manifest)))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i := range tt.want {
			tt.want[i].ID = real(tt.want[i].ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// real puts the true hash in.
func real(s string) string { return strings.ReplaceAll(s, "MENUS", menusSHA256) }

func TestReadManifestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, manifest, want string }{
		{"empty file", ``, "the manifest isn't valid JSON"},
		{"not JSON", "{\n\"a\": x}", "line 2: invalid character 'x'"},
		{"cut off", `{"a": "{ menus { handle } }"`, "the manifest isn't valid JSON"},
		{"list", `["{ menus { handle } }"]`, "isn't a JSON object"},
		{"rest", `{"a": "{ menus { handle } }"} x`, "something follows the JSON object"},
		{"not UTF-8", "{\"a\": \"\xff\"}", "isn't valid UTF-8"},
		{"no documents", `{}`, "holds no documents"},
		{"no operations", `{"format":"apollo-persisted-query-manifest","version":1,"operations":[]}`, "holds no documents"},
		{"other value", `{"a": 1, "b": null}`, "a: its value must be the text of a document, as a string; b: "},
		{"other format", `{"format":"x","version":1,"operations":[]}`, `format: it is "x"; of the manifests with operations only "apollo-persisted-query-manifest" is read`},
		{"other version", `{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}`, "version: it is 2; version 1 is read"},
		{"operations no list", `{"format":"apollo-persisted-query-manifest","version":1,"operations":{}}`, "operations: it must be a list"},
		{"blank in the id", `{"a b": "{ menus { handle } }"}`, `"a b": an id has 1 to 255 letters`},
		{"long id", `{"` + strings.Repeat("a", 256) + `": "{ menus { handle } }"}`, "an id has 1 to 255 letters"},
		{"empty text", `{"a": " \n"}`, "a: its text is empty"},
		{"NUL", `{"a": "{ menus { handle } } # \u0000"}`, "a: its text holds a NUL character"},
		{"too long", `{"a": "` + strings.Repeat("# ", 1<<17) + `{a}"}`, "a: its text has 262147 bytes; at most 262144 are stored"},
		{"changed text", `{"MENUS": "{ menus { title } }"}`, "it is no SHA-256 of its text, which has "},
		{"changed text with prefix", `{"sha256:MENUS": "{ menus { title } }"}`, "it is no SHA-256 of its text, which has "},
		{"prefix without a hash", `{"sha256:abc": "{ menus { title } }"}`, "sha256:abc: after sha256: there must be 64 hexadecimal digits"},
		{"a name twice with two texts", `{"a": "{ menus { handle } }", "a": "{ menus { title } }"}`, "a: it stands there twice, with different texts"},
	} {
		_, err := trusted.ReadManifest([]byte(real(tt.manifest)))
		if invalid, ok := errors.AsType[*errs.Invalid](err); !ok || !strings.Contains(invalid.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSHA256(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		menusSHA256: true, "sha256:" + menusSHA256: true, strings.ToUpper(menusSHA256): true,
		"": false, "sha256:": false, menusSHA256[1:]: false, "sha1:" + menusSHA256: false, strings.Repeat("x", 64): false,
	} {
		if _, ok := trusted.SHA256(id); ok != want {
			t.Errorf("SHA256(%q) = %t, want %t", id, ok, want)
		}
	}
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(real(`{"MENUS": "` + menus + `"}`)))
	f.Add([]byte(`{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"a","body":"{b}"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := trusted.ReadManifest(data)
		if (err == nil) != (len(entries) > 0) {
			t.Errorf("%d entries and the error %v", len(entries), err)
		}
		for i, e := range entries {
			if i > 0 && entries[i-1].ID >= e.ID {
				t.Errorf("%q stands before %q", entries[i-1].ID, e.ID)
			}
		}
	})
}
