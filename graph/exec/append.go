package exec

import (
	"encoding/binary"
	hexes "encoding/hex"
	"math/bits"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
)

const hex = "0123456789ABCDEF"

// AppendString appends s as a JSON string, escaped as graphql.MarshalString does it: control
// characters, quotes and backslashes, nothing else. Bytes that aren't UTF-8 stay as they are.
func AppendString[S ~string](dst []byte, s S) []byte {
	dst = append(dst, '"')
	start := 0
	for i := nextEscape(string(s), 0); i < len(s); i = nextEscape(string(s), i+1) {
		dst = append(dst, s[start:i]...)
		switch c := s[i]; c {
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\\', '"':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// nextEscape returns the index of the first byte of s at or after i that has to be escaped, or
// len(s). It looks at eight bytes at once.
func nextEscape(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if found := escapes(binary.LittleEndian.Uint64([]byte(s[i : i+8]))); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	if left := len(s) - i; left > 0 && len(s) >= 8 { // the last eight bytes, without those before i
		w := binary.LittleEndian.Uint64([]byte(s[len(s)-8:]))>>(64-8*left) | ^uint64(0)<<(8*left)
		if found := escapes(w); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		return len(s)
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// escapes sets the top bit of each byte of w that has to be escaped, and clears all others up to the
// lowest of them. In each byte of the three differences the top bit is set if the byte was below a space,
// or equal to the quote or the backslash. A borrow can set it only above a byte that is itself one of
// them, so the lowest one is always right.
func escapes(w uint64) uint64 {
	const (
		ones = 0x0101010101010101
		tops = 0x8080808080808080
	)
	quote := w ^ ('"' * ones)
	slash := w ^ ('\\' * ones)
	return ((w - ' '*ones) | (quote - ones) | (slash - ones)) & ^w & tops
}

// AppendInt appends a signed number as graphql.MarshalInt and its like do.
func AppendInt[N ~int | ~int8 | ~int16 | ~int32 | ~int64](dst []byte, n N) []byte {
	return strconv.AppendInt(dst, int64(n), 10)
}

// AppendUint appends an unsigned number as graphql.MarshalUint and its like do.
func AppendUint[N ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](dst []byte, n N) []byte {
	return strconv.AppendUint(dst, uint64(n), 10)
}

// AppendIntID appends a signed number in quotes, as graphql.MarshalIntID does.
func AppendIntID(dst []byte, n int) []byte {
	return append(strconv.AppendInt(append(dst, '"'), int64(n), 10), '"')
}

// AppendBool appends true or false.
func AppendBool(dst []byte, b bool) []byte { return strconv.AppendBool(dst, b) }

// AppendFloat appends a float as graphql.MarshalFloat does, in the shortest form that reads back as
// the same number.
func AppendFloat(dst []byte, f float64) []byte {
	switch {
	case f-f == 0:
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	case f > 0:
		return append(dst, "+Inf"...)
	case f < 0:
		return append(dst, "-Inf"...)
	}
	return append(dst, "NaN"...)
}

// AppendTime appends t as graphql.MarshalTime does: RFC 3339 with nanoseconds, and nothing for the
// zero time, which is null.
func AppendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
}

// AppendDate appends the day of t as graphql.MarshalDate does, and nothing for the zero time.
func AppendDate(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return append(t.AppendFormat(append(dst, '"'), time.DateOnly), '"')
}

// AppendUUID appends id as graphql.MarshalUUID does, and nothing for the zero UUID.
func AppendUUID(dst []byte, id uuid.UUID) []byte {
	if id == uuid.Nil {
		return dst
	}
	dst = hexes.AppendEncode(append(dst, '"'), id[:4])
	for _, group := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		dst = hexes.AppendEncode(append(dst, '-'), group)
	}
	return append(dst, '"')
}

// AppendMarshaler appends what m writes, and nothing for graphql.Null.
func AppendMarshaler(dst []byte, m graphql.Marshaler) []byte {
	if m == graphql.Null {
		return dst
	}
	w := appendWriter{dst}
	m.MarshalGQL(&w)
	return w.buf
}

type appendWriter struct{ buf []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

// WriteString saves a copy, see io.StringWriter.
func (w *appendWriter) WriteString(s string) (int, error) {
	w.buf = append(w.buf, s...)
	return len(s), nil
}

// bufferWriter lets a marshaler write into the buffer of a run.
type bufferWriter run

func (w *bufferWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *bufferWriter) WriteString(s string) (int, error) {
	w.buf = append(w.buf, s...)
	return len(s), nil
}
