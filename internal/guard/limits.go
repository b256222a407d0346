package guard

import "fmt"

// Limits bound a request. Every one must be at least 1; begin with [Default] and change what has
// to differ. The defaults are chosen together, so that the dearest document they accept takes no more
// than 5 ms of CPU and 8 MiB of allocations to parse, check and validate; a test searches for it.
type Limits struct {
	// Body is the size of a request body in bytes. The guard never sees bodies: the HTTP layer
	// enforces it.
	Body int
	// Bytes is the length of a document.
	Bytes int
	// Tokens is the number of lexical tokens of a document, comments included.
	Tokens int
	// Nesting is how many braces, brackets and parentheses of a document stand inside each other.
	Nesting int
	// NameBytes is the length of one name: of a field, an alias, a type, a variable. Messages repeat names.
	NameBytes int
	// Operations is the number of operations in a document.
	Operations int
	// Fragments is the number of named fragments in a document.
	Fragments int
	// Variables is the number of variables that one operation defines.
	Variables int
	// Directives is the number of directives in a document.
	Directives int
	// Values is the number of values written in a document: arguments, defaults, elements of lists and
	// fields of objects.
	Values int
	// ValueDepth is how many lists and objects of a value, written or in a variable, stand inside each other.
	ValueDepth int
	// VariableValues is the number of values in the variables of a request, elements and fields included.
	VariableValues int
	// Depth is how many fields of an operation stand inside each other, through fragments.
	Depth int
	// Aliases is the number of renamed fields in an operation with its fragments written out.
	Aliases int
	// Roots is the number of fields at the top of an operation with its fragments written out.
	Roots int
	// Selections is the number of fields and fragments in an operation with its fragments written out.
	Selections int
	// Pairs is the number of pairs of fields with one response name in a document, counted on merged
	// selection sets: the sets of equally named fields are one set, at every level and through fragments.
	Pairs int
	// Work is the work that validation of the document takes, as the guard estimates it, in steps of some 30 ns.
	// It bounds what the other limits only bound one by one.
	Work int
	// Cost is the cost of an operation: the weighted number of objects it can be answered with.
	Cost int
}

// Default returns the limits for documents that anyone may send.
func Default() Limits {
	return Limits{
		Body:           256 << 10,
		Bytes:          32 << 10,
		Tokens:         4_000,
		Nesting:        40,
		NameBytes:      128,
		Operations:     20,
		Fragments:      100,
		Variables:      50,
		Directives:     50,
		Values:         1_000,
		ValueDepth:     8,
		VariableValues: 5_000,
		Depth:          15,
		Aliases:        30,
		Roots:          20,
		Selections:     5_000,
		Pairs:          5_000,
		Work:           50_000,
		Cost:           50_000,
	}
}

// Error says which limit a request is over, or why a document can't be parsed.
type Error struct {
	// Limit names the limit as the field of Limits does, with a small first letter ("tokens",
	// "valueDepth"). It is "syntax" for a document that is not GraphQL, and "cycle" for a fragment
	// that spreads itself.
	Limit string
	// Got is what the request has, and Max what is allowed. Counting stops at some point past the limit, so
	// Got can be less than the whole. Both are 0 for "syntax" and "cycle".
	Got, Max int
	// Message says what is wrong and what would be right. It is meant for the client, and repeats
	// at most a few hundred bytes of the document.
	Message string
	// Line and Column are where in the document, counted from 1, or 0 if the error is about all of it.
	Line, Column int
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Code returns the extensions.code under which a client learns of the error.
func (e *Error) Code() string {
	switch e.Limit {
	case "syntax":
		return "GRAPHQL_PARSE_FAILED"
	case "cost":
		return "COST_EXCEEDED"
	}
	return "GRAPHQL_VALIDATION_FAILED"
}

// exceeds returns the error for a limit. The format takes got and limit.
func exceeds(limit string, got, most int, format string) *Error {
	return &Error{Limit: limit, Got: got, Max: most, Message: fmt.Sprintf(format, got, most)}
}
