// Package membercsv reads and writes the register of members as CSV (RFC 4180),
// one member a row. What Export writes, Import takes, and then changes nothing.
//
// Both stream: neither the file nor the register is ever in memory as a whole.
package membercsv

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a row.
type Problem struct {
	// Line is where the row begins, counted from 1.
	Line int
	// Column is the heading of the cell; empty if the row as a whole is meant.
	Column string
	// Reason says what is wrong and what would be right.
	Reason string
}

// String returns "line: column: reason".
func (p Problem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("%d: %s", p.Line, p.Reason)
	}
	return fmt.Sprintf("%d: %s: %s", p.Line, p.Column, p.Reason)
}

// Problems are what is wrong with the rows of a file.
type Problems struct {
	// Told are the first of them, by line.
	Told []Problem
	// All is how many there are, and Rows in how many rows.
	All, Rows int
}

// list lists the problems, one a line, as "file:line: column: reason".
func (p *Problems) list(file string) string {
	var b strings.Builder
	for _, one := range p.Told {
		fmt.Fprintf(&b, "%s:%s\n", file, one)
	}
	if more := p.All - len(p.Told); more > 0 {
		fmt.Fprintf(&b, "and %s\n", count(more, "more problem"))
	}
	return strings.TrimRight(b.String(), "\n")
}

// BadRowsError says which rows keep a file from being imported.
type BadRowsError struct {
	File string
	Problems
}

// Error lists the problems, one a line.
func (e *BadRowsError) Error() string {
	return fmt.Sprintf("%s of %s cannot be imported, and nothing was written:\n%s", count(e.Rows, "row"), e.File, e.list(e.File))
}

// Report says what an import did, or with DryRun would have done.
type Report struct {
	File string
	// Rows are the members in the file: created, changed in anything that is counted
	// below or in the profile, left as they were, and skipped because something is wrong
	// with them.
	Rows, Created, Changed, Unchanged, Skipped int
	// Joined and Left are the memberships of sections that were added and removed. One
	// whose days change is both.
	Joined, Left int
	// Details are the fields of profiles that have rows of their own, Periods those of
	// memberships, and Registrations those with the regulator, that were written or
	// removed.
	Details, Periods, Registrations int
	// Problems say why rows were skipped.
	Problems Problems
	DryRun   bool
}

// String returns the report for people.
func (r *Report) String() string {
	var b strings.Builder
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "%s\n", r.Problems.list(r.File))
	}
	fmt.Fprintf(&b, "members: %s read: %d created, %d changed, %d unchanged, %d skipped\n", count(r.Rows, "row"), r.Created, r.Changed, r.Unchanged, r.Skipped)
	if r.Joined+r.Left > 0 {
		fmt.Fprintf(&b, "memberships of sections: %d added, %d removed\n", r.Joined, r.Left)
	}
	for _, w := range []struct {
		what string
		n    int
	}{{"contact and practice fields", r.Details}, {"periods of memberships", r.Periods}, {"registrations", r.Registrations}} {
		if w.n > 0 {
			fmt.Fprintf(&b, "%s: %d written\n", w.what, w.n)
		}
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
