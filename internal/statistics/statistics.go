// Package statistics counts the members, for dashboards: how many there are by
// grade, region, section and status, on a day and month by month. It tells numbers
// and nobody's name.
package statistics

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
)

// Dimension is by what members are counted.
type Dimension string

// The dimensions.
const (
	ByGrade   Dimension = "GRADE"
	ByRegion  Dimension = "REGION"
	BySection Dimension = "SECTION"
	ByStatus  Dimension = "STATUS"
)

// Filter says which members are counted. A field that is nil lets all through.
type Filter struct {
	// Grade is that of the period which counts on the day.
	Grade *string
	// Region and Section are slugs.
	Region, Section *string
}

// Statistics are about the members on a day, of those whom a filter lets through.
type Statistics struct {
	AsOf time.Time

	grade           *string
	region, section *uuid.UUID
	// coarse says that small counts are not told.
	coarse bool
}

// Row is one count.
type Row struct {
	// Key tells the rows of a table apart: the grade, the status, the slug of the unit,
	// or the month as 2024-05; NONE is for those without a region or section.
	Key, Label string
	// Count is nil if it is too small to be told.
	Count *int
}

// Table is a list of counts.
type Table struct {
	// By is the heading of the keys.
	By   string
	Rows []*Row
	// Total is how many members are counted, each once; nil if it is too small to be told.
	Total *int
}

// CSV returns the table with a heading and the total.
func (t *Table) CSV() string {
	w := newCSV(t.By, "label", "members")
	for _, r := range t.Rows {
		w.row(r.Key, r.Label, told(r.Count))
	}
	w.row("TOTAL", "Total", told(t.Total))
	return w.String()
}

// Month is what happened in a month, or in the part of it that was asked for.
type Month struct {
	// Month is as 2024-05, and AsOf the last day of it that was asked for.
	Month string
	AsOf  time.Time
	// Members is how many there were on that day. Joined is for how many a membership
	// began in the month, and Left for how many it was over.
	Members, Joined, Left *int
	// Rows are the members on that day by a dimension, if one was asked for.
	Rows []*Row
}

// Months are a series.
type Months struct {
	By     string
	Months []*Month
	// Joined and Left are the totals.
	Joined, Left *int
}

// CSV returns the series: a row a month, with a column for each row of a month.
func (m *Months) CSV() string {
	headings := []string{"month", "as_of", "members", "joined", "left"}
	if len(m.Months) > 0 {
		for _, r := range m.Months[0].Rows {
			headings = append(headings, r.Key)
		}
	}
	w := newCSV(headings...)
	for _, month := range m.Months {
		cells := []string{month.Month, month.AsOf.Format(time.DateOnly), told(month.Members), told(month.Joined), told(month.Left)}
		for _, r := range month.Rows {
			cells = append(cells, told(r.Count))
		}
		w.row(cells...)
	}
	return w.String()
}

// told writes a count; what is too small to be told is an empty cell.
func told(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// Small is the least count of people, besides none, that partners are told.
const Small = 5

// tell returns a count as the viewer may know it. To partners a count of 1 to 4 is
// not told and any other is rounded to the nearest 5: otherwise the total of a table,
// or the same table a day later, would tell what was left out.
func (s *Statistics) tell(n int) *int {
	switch {
	case !s.coarse:
	case n > 0 && n < Small:
		return nil
	default:
		n = (n + Small/2) / Small * Small
	}
	return &n
}

// maxMonths is how long a series may be.
const maxMonths = 120

// ends returns the last day of each month from one day to another; the last of them
// is the other day.
func ends(from, to time.Time) ([]time.Time, error) {
	switch months := (to.Year()-from.Year())*12 + int(to.Month()-from.Month()) + 1; {
	case to.Before(from):
		return nil, errs.Invalidf("to", "%s is before %s; pass a later day", to.Format(time.DateOnly), from.Format(time.DateOnly))
	case months > maxMonths:
		return nil, errs.Invalidf("to", "that is %d months; ask for at most %d", months, maxMonths)
	}
	var days []time.Time
	for first := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC); ; first = first.AddDate(0, 1, 0) {
		last := first.AddDate(0, 1, -1)
		if !last.Before(to) {
			return append(days, to), nil
		}
		days = append(days, last)
	}
}

// csvText writes RFC 4180 with line feeds. No cell begins a formula.
type csvText struct{ strings.Builder }

func newCSV(headings ...string) *csvText {
	w := &csvText{}
	w.row(headings...)
	return w
}

func (w *csvText) row(cells ...string) {
	for i, c := range cells {
		if i > 0 {
			w.WriteByte(',')
		}
		if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			c = "'" + c
		}
		if strings.ContainsAny(c, ",\"\r\n") {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		w.WriteString(c)
	}
	w.WriteByte('\n')
}
