// Package errs knows the kinds of failure that a caller can act on.
//
// Features return these; one presenter at the edge turns them into codes, and
// anything else into "internal error".
package errs

//lint:file-ignore ST1012 errs.NotFound says what errs.ErrNotFound says.

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of failure. Test for them with errors.Is.
var (
	// NotFound says that the thing asked for does not exist, or that the
	// viewer may not know that it does.
	NotFound = errors.New("not found")
	// Unauthenticated says that the caller must sign in first.
	Unauthenticated = errors.New("sign in first")
	// Forbidden says that the caller is known and may not do this.
	Forbidden = errors.New("not allowed")
	// Conflict says that the thing changed since the caller read it, or that
	// what is asked contradicts what is stored.
	Conflict = errors.New("conflict")
	// Unavailable says that the service cannot answer now and that the same
	// request may succeed later.
	Unavailable = errors.New("unavailable")
)

// Field is one thing wrong with an input.
type Field struct {
	// Path names the argument or the input field, as "first" or "input.slug";
	// empty if the place is told otherwise.
	Path string
	// Message says what was wrong and what would be right.
	Message string
}

// Invalid is bad input: what was wrong, field by field. Its text is safe to
// show to whoever sent the input.
type Invalid struct {
	Fields []Field
}

// Error joins the messages of all fields.
func (e *Invalid) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Message
		if f.Path != "" {
			parts[i] = f.Path + ": " + f.Message
		}
	}
	return strings.Join(parts, "; ")
}

// Invalidf returns bad input in one field.
func Invalidf(path, format string, args ...any) error {
	return &Invalid{Fields: []Field{{Path: path, Message: fmt.Sprintf(format, args...)}}}
}

// Said is a failure of a known kind with what was wrong, for who caused it. Its text is
// safe to show to them.
type Said struct {
	// Kind is one of those above, or a feature's.
	Kind error
	// Field names the input field, and says what was wrong and what would be right.
	Field
}

// Error returns the message.
func (e *Said) Error() string { return e.Message }

// Unwrap returns the kind.
func (e *Said) Unwrap() error { return e.Kind }

// Sayf returns a failure of a kind, which says of a field what was wrong; path is empty if
// it is about none.
func Sayf(kind error, path, format string, args ...any) error {
	return &Said{Kind: kind, Field: Field{Path: path, Message: fmt.Sprintf(format, args...)}}
}

// Wrap adds what was being done to *err, if there is one. Defer it first in an
// exported store method:
//
//	defer errs.Wrap(&err, "nav.Menu(%s)", handle)
func Wrap(err *error, format string, args ...any) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), *err)
	}
}
