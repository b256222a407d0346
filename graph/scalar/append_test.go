package scalar_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/collegium/collegium/graph/scalar"
)

// TestAppend states that the two ways to write a value write the same.
func TestAppend(t *testing.T) {
	t.Parallel()
	check := func(want graphql.Marshaler, got []byte) {
		t.Helper()
		var b bytes.Buffer
		want.MarshalGQL(&b)
		if b.String() != string(got) {
			t.Errorf("appended %s, marshalled %s", got, b.String())
		}
	}
	for _, n := range []int{0, 1, -1, 1 << 31, -1 << 40} {
		check(scalar.MarshalInt(n), scalar.AppendInt(nil, n))
	}
	for _, s := range []string{"", "/a?b=\"c\"", "https://example.org/é\\"} {
		check(scalar.MarshalURL(s), scalar.AppendURL(nil, s))
	}
	for _, at := range []time.Time{{}, time.Unix(0, 1), time.Date(2024, 12, 31, 23, 30, 0, 120000000, time.FixedZone("", -3600)), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		check(scalar.MarshalDate(at), scalar.AppendDate(nil, at))
		check(scalar.MarshalDateTime(at), scalar.AppendDateTime(nil, at))
	}
}
