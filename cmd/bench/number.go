package main

import (
	"math"
	"strconv"
)

// number is a measured number; NaN stands for what could not be measured, and
// is null in JSON.
type number float64

// MarshalJSON writes the number, null for NaN.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'f', -1, 64), nil
}

// short returns a number as people read it in a table: three digits that count,
// a dash for NaN.
func short(n float64) string {
	switch {
	case math.IsNaN(n):
		return "–"
	case n >= 100 || n == math.Trunc(n):
		return thousands(int64(math.Round(n)))
	case n >= 10:
		return strconv.FormatFloat(n, 'f', 1, 64)
	default:
		return strconv.FormatFloat(n, 'f', 2, 64)
	}
}

// thousands writes a number that is not negative with a comma before each group
// of three digits.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b []byte
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b = append(b, ',')
		}
		b = append(b, digits[i])
	}
	return string(b)
}
