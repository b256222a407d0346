package scalar

import (
	"time"

	"github.com/collegium/collegium/graph/exec"
)

// The functions here append what their Marshal twins write. The executor below the roots calls
// these, see package tablegen.

// AppendInt appends an Int.
func AppendInt(dst []byte, i int) []byte { return exec.AppendInt(dst, i) }

// AppendURL appends an address.
func AppendURL(dst []byte, s string) []byte { return exec.AppendString(dst, s) }

// AppendDate appends a day as 2024-05-31.
func AppendDate(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, `"2006-01-02"`)
}

// AppendDateTime appends a moment in UTC as 2024-05-31T14:30:00Z.
func AppendDateTime(dst []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
}
