package exec_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/collegium/collegium/graph/exec"
	"github.com/google/uuid"
)

func marshalled(m graphql.Marshaler) string {
	if m == graphql.Null {
		return ""
	}
	var b bytes.Buffer
	m.MarshalGQL(&b)
	return b.String()
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `\`, "\x00\x1f \x7f\x80", "12345678", "1234567\"", "12345678\n9", "é\xff日", "\\\\\\\\\\\\\\\\\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(exec.AppendString(nil, s)), marshalled(graphql.MarshalString(s)); got != want {
			t.Errorf("AppendString(%q) = %s, want %s", s, got, want)
		}
	})
}

// TestAppendStringPlaces puts each byte at each place of texts of all lengths around a word, after a byte that is escaped
// and beside each of its like.
func TestAppendStringPlaces(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 20; length++ {
		for c := range 256 {
			for place := range length {
				for _, fill := range []string{"a", "\x80", "!", "#", "[", "\xff"} {
					s := []byte(strings.Repeat(fill, length))
					s[place/2] = '"'
					s[place] = byte(c)
					if got, want := string(exec.AppendString(nil, string(s))), marshalled(graphql.MarshalString(string(s))); got != want {
						t.Fatalf("AppendString(%q) = %s, want %s", s, got, want)
					}
				}
			}
		}
	}
}

func TestAppendNumbers(t *testing.T) {
	t.Parallel()
	floats := []float64{0, math.Copysign(0, -1), 1, 0.1, 1e20, 1e21, 1e-4, 1e-5, 123456, 1234567, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		floats = append(floats, math.Float64frombits(r.Uint64()), r.NormFloat64(), float64(r.IntN(1<<30))/1000)
	}
	for _, f := range floats {
		if got, want := string(exec.AppendFloat(nil, f)), marshalled(graphql.MarshalFloat(f)); got != want {
			t.Errorf("AppendFloat(%v) = %s, want %s", f, got, want)
		}
		var b bytes.Buffer
		if err := graphql.MarshalFloatContext(f).MarshalGQLContext(context.Background(), &b); err == nil && b.String() != string(exec.AppendFloat(nil, f)) {
			t.Errorf("AppendFloat(%v) = %s, want %s", f, exec.AppendFloat(nil, f), b.String())
		}
	}
	for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		if got, want := string(exec.AppendInt(nil, n)), marshalled(graphql.MarshalInt64(n)); got != want {
			t.Errorf("AppendInt(%d) = %s, want %s", n, got, want)
		}
		if got, want := string(exec.AppendUint(nil, uint64(n))), marshalled(graphql.MarshalUint64(uint64(n))); got != want {
			t.Errorf("AppendUint(%d) = %s, want %s", n, got, want)
		}
		if got, want := string(exec.AppendIntID(nil, int(n))), marshalled(graphql.MarshalIntID(int(n))); got != want {
			t.Errorf("AppendIntID(%d) = %s, want %s", n, got, want)
		}
	}
	for _, b := range []bool{true, false} {
		if got, want := string(exec.AppendBool(nil, b)), marshalled(graphql.MarshalBoolean(b)); got != want {
			t.Errorf("AppendBool(%t) = %s, want %s", b, got, want)
		}
	}
}

func TestAppendTimes(t *testing.T) {
	t.Parallel()
	times := []time.Time{{}, time.Unix(0, 0), time.Unix(1700000000, 120).UTC(), time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.FixedZone("", -5400))}
	for _, at := range times {
		if got, want := string(exec.AppendTime(nil, at)), marshalled(graphql.MarshalTime(at)); got != want {
			t.Errorf("AppendTime(%v) = %s, want %s", at, got, want)
		}
		if got, want := string(exec.AppendDate(nil, at)), marshalled(graphql.MarshalDate(at)); got != want {
			t.Errorf("AppendDate(%v) = %s, want %s", at, got, want)
		}
	}
	for _, id := range []uuid.UUID{uuid.Nil, uuid.Max, uuid.NewSHA1(uuid.Nil, []byte("x"))} {
		if got, want := string(exec.AppendUUID(nil, id)), marshalled(graphql.MarshalUUID(id)); got != want {
			t.Errorf("AppendUUID(%v) = %s, want %s", id, got, want)
		}
	}
}
