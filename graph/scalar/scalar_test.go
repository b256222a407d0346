package scalar_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/graph/scalar"
	"github.com/collegium/collegium/internal/errs"
)

// read runs an unmarshaller as the graph does, for values as JSON decodes them.
func read[T any](f func(any) (T, error)) func(any) (any, error) {
	return func(v any) (any, error) { return f(v) }
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		read func(any) (any, error)
		in   any
		want any // nil: refused
	}{
		{"Int", read(scalar.UnmarshalInt), json.Number("20"), 20},
		{"Int", read(scalar.UnmarshalInt), int64(-3), -3},
		{"Int", read(scalar.UnmarshalInt), float64(7), 7},
		{"Int", read(scalar.UnmarshalInt), json.Number("2147483648"), nil},
		{"Int", read(scalar.UnmarshalInt), json.Number("1.5"), nil},
		{"Int", read(scalar.UnmarshalInt), 1.5, nil},
		{"Int", read(scalar.UnmarshalInt), "5", nil},
		{"Int", read(scalar.UnmarshalInt), true, nil},
		{"Int", read(scalar.UnmarshalInt), nil, nil},
		{"Date", read(scalar.UnmarshalDate), "2024-02-29", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"Date", read(scalar.UnmarshalDate), "2023-02-29", nil},
		{"Date", read(scalar.UnmarshalDate), "2024-02-29T00:00:00Z", nil},
		{"Date", read(scalar.UnmarshalDate), json.Number("20240229"), nil},
		{"DateTime", read(scalar.UnmarshalDateTime), "2024-02-29T12:00:00Z", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)},
		{"DateTime", read(scalar.UnmarshalDateTime), "2024-02-29", nil},
		{"DateTime", read(scalar.UnmarshalDateTime), 5, nil},
		{"URL", read(scalar.UnmarshalURL), "https://www.example.org/a?b=c", "https://www.example.org/a?b=c"},
		{"URL", read(scalar.UnmarshalURL), "/about-us", "/about-us"},
		{"URL", read(scalar.UnmarshalURL), "javascript:alert(1)", nil},
		{"URL", read(scalar.UnmarshalURL), "//elsewhere.example.org", nil},
		{"URL", read(scalar.UnmarshalURL), "https://user:secret@example.org", nil},
		{"URL", read(scalar.UnmarshalURL), "about-us", nil},
		{"URL", read(scalar.UnmarshalURL), 5, nil},
	} {
		got, err := tt.read(tt.in)
		if tt.want == nil {
			var invalid *errs.Invalid
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "pass") {
				t.Errorf("%s %v: got %v, %v; want bad input that says what to pass", tt.name, tt.in, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %v: %v", tt.name, tt.in, err)
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %v (-want +got)\n%s", tt.name, tt.in, diff)
		}
	}
}
