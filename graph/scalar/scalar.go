// Package scalar knows how the graph writes and reads values.
package scalar

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// MarshalInt writes an Int (GraphQL specification section 3.5.1).
func MarshalInt(i int) graphql.Marshaler { return graphql.MarshalInt(i) }

// UnmarshalInt reads an Int: a whole number of 32 bits, and no string.
func UnmarshalInt(v any) (int, error) {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case json.Number:
		parsed, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return 0, invalidf("%.40s is not a whole number; pass an Int, as 20", v)
		}
		n = parsed
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			return 0, invalidf("%g is not a whole number of 32 bits; pass an Int, as 20", v)
		}
		n = int64(v)
	default:
		return 0, invalidf("%s is not a number; pass an Int, as 20", describe(v))
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, invalidf("%d does not fit in 32 bits; pass a smaller number", n)
	}
	return int(n), nil
}

// MarshalDate writes a day as 2024-05-31 (RFC 3339 full-date).
func MarshalDate(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var b [12]byte
		_, _ = w.Write(t.AppendFormat(b[:0], `"2006-01-02"`))
	})
}

// UnmarshalDate reads a day from 0001-01-01 to 9999-12-31.
func UnmarshalDate(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, invalidf("%s is not a string; pass a Date, as \"2024-05-31\"", describe(v))
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return time.Time{}, invalidf("%.40q is not a day; pass a Date, as \"2024-05-31\"", s)
	}
	return t, nil
}

// MarshalDateTime writes a moment in UTC as 2024-05-31T14:30:00Z (RFC 3339).
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var b [40]byte
		_, _ = w.Write(t.UTC().AppendFormat(b[:0], `"`+time.RFC3339Nano+`"`))
	})
}

// UnmarshalDateTime reads a moment with an offset (RFC 3339).
func UnmarshalDateTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, invalidf("%s is not a string; pass a DateTime, as \"2024-05-31T14:30:00Z\"", describe(v))
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, invalidf("%.40q is not a moment; pass a DateTime, as \"2024-05-31T14:30:00Z\"", s)
	}
	return t, nil
}

// MarshalURL writes an address.
func MarshalURL(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalURL reads an address: absolute with http or https, or a path of this
// site (RFC 3986).
func UnmarshalURL(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", invalidf("%s is not a string; pass a URL, as \"https://www.example.org/page\"", describe(v))
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.User != nil,
		u.Scheme == "" && (u.Host != "" || !strings.HasPrefix(s, "/")),
		u.Scheme != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		return "", invalidf("%.80q is no address; pass one with http or https, as \"https://www.example.org/page\", or a path, as \"/about-us\"", s)
	}
	return s, nil
}

// describe names a value of the wrong type without repeating it at length.
func describe(v any) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprintf("%.40v", v)
}
