package scalar

import (
	"fmt"

	"github.com/collegium/collegium/internal/errs"
)

// invalidf is bad input; the field is named by the path of the error.
func invalidf(format string, args ...any) error {
	return &errs.Invalid{Fields: []errs.Field{{Message: fmt.Sprintf(format, args...)}}}
}
