package pack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems is how many problems an error tells; maxFound is how many are
// looked for.
const (
	maxProblems = 50
	maxFound    = 5_000
)

// Problem is one thing that is wrong with a pack.
type Problem struct {
	// File is the path of the file within the pack; Line counts from 1, and is 0
	// where the file as a whole is meant.
	File string
	Line int
	// Message says what is wrong and what would be right.
	Message string
}

// String returns "file:line: message".
func (p Problem) String() string {
	return pos{file: p.File, line: p.Line}.String() + ": " + p.Message
}

// InvalidError says what is wrong with a pack.
type InvalidError struct {
	// Problems are at most 50, by file and line.
	Problems []Problem
	// More is how many were found besides.
	More int
}

// Error lists the problems, one a line.
func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %s more", countOf(e.More, "problem"))
	}
	return b.String()
}

// pos is a place in a pack.
type pos struct {
	file string
	line int
}

// String returns "file:line", or the file where all of it is meant.
func (p pos) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// problems collects what is wrong.
type problems struct {
	found []Problem
	// broken is true if a file could not be read at all, so that what refers to
	// things in it cannot be judged.
	broken bool
}

func (p *problems) add(at pos, format string, args ...any) {
	if len(p.found) < maxFound {
		p.found = append(p.found, Problem{File: at.file, Line: at.line, Message: fmt.Sprintf(format, args...)})
	}
}

// err returns the problems as an error, or nil if there are none.
func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	found := slices.Compact(p.found)
	shown := min(len(found), maxProblems)
	return &InvalidError{Problems: slices.Clone(found[:shown]), More: len(found) - shown}
}
