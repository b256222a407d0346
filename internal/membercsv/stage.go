package membercsv

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/person"
)

var stagedColumns = []string{
	"id", "line", "number", "bad", "display_name", "sort_name", "other_sort_name", "pronouns", "headline", "bio", "grade", "region_id", "joined_on", "sections",
	"listing_audience", "pronouns_audience", "headline_audience", "bio_audience", "grade_audience", "region_audience", "joined_on_audience", "sections_audience",
	"details", "paid_until", "ended_how", "registration_number", "registered_until",
}

// stage copies the rows beside the members, where they can be compared.
func (im *importer) stage(ctx context.Context) error {
	if _, err := im.tx.Exec(ctx, `
		CREATE TEMPORARY TABLE imported_members (
			id                 uuid,
			line               integer,
			number             text,
			bad                boolean,
			display_name       text,
			sort_name          text,
			-- Of a member whose name is new and who is given no other.
			other_sort_name    text,
			pronouns           text,
			headline           text,
			bio                text,
			grade              text,
			region_id          uuid,
			joined_on          date,
			sections           jsonb,
			listing_audience   text,
			pronouns_audience  text,
			headline_audience  text,
			bio_audience       text,
			grade_audience     text,
			region_audience    text,
			joined_on_audience text,
			sections_audience  text,
			details            jsonb,
			paid_until         date,
			ended_how          text,
			registration_number text,
			registered_until   date
		) ON COMMIT DROP`); err != nil {
		return err
	}
	if _, err := im.tx.CopyFrom(ctx, pgx.Identifier{"imported_members"}, stagedColumns, im); err != nil {
		if im.err != nil {
			return im.err
		}
		return err
	}
	_, err := im.tx.Exec(ctx, `ANALYZE imported_members`)
	return err
}

// Next reads rows until one has a number. It is part of pgx.CopyFromSource.
func (im *importer) Next() bool {
	for {
		cells, line, problem, err := im.table.next()
		if im.options.Progress != nil {
			im.options.Progress(im.table.counted.n)
		}
		if err != nil {
			if err != io.EOF {
				im.err = err
			}
			return false
		}
		im.report.Rows++
		if problem != "" {
			im.problem(Problem{Line: line, Reason: problem})
			im.unreadable++
			continue
		}
		r, bad := im.parse(cells, line)
		if r.number == "" {
			im.unreadable++
			continue
		}
		im.values, im.err = r.values(line, bad, im.table.columns)
		return im.err == nil
	}
}

// Values is part of pgx.CopyFromSource.
func (im *importer) Values() ([]any, error) { return im.values, nil }

// Err is part of pgx.CopyFromSource.
func (im *importer) Err() error { return im.err }

func (im *importer) problem(p Problem) {
	im.all++
	if len(im.found) < im.options.MaxProblems {
		im.found = append(im.found, p)
	}
}

func (im *importer) parse(cells []string, line int) (*row, bool) {
	r := &row{units: im.units}
	bad := false
	for i, cell := range cells {
		f := im.table.columns.fields[i]
		if f == leftOut {
			continue
		}
		problem := notText(cell)
		switch cell = clean(unescape(cell)); {
		case problem != "":
		case f == nil && cell != "":
			problem = "stands below no heading"
		case f == nil:
		case cell == "" && f.required:
			problem = "is empty"
		case cell != "":
			problem = f.parse(r, cell)
		}
		if problem != "" {
			if f != nil && f.name == "number" {
				r.number = ""
			}
			im.problem(Problem{Line: line, Column: im.table.columns.headings[i], Reason: problem})
			bad = true
		}
	}
	if im.table.columns.has["given_name"] && r.given == "" && r.family == "" {
		im.problem(Problem{Line: line, Column: im.table.columns.heading("family_name"), Reason: "is empty, and so is " + im.table.columns.heading("given_name")})
		bad = true
	}
	if im.table.columns.has[practiceColumns[0]] {
		if problem := r.take(&member.ProfileUpdate{Practice: &r.practice}); problem != "" && !bad {
			im.problem(Problem{Line: line, Column: im.table.columns.heading("practice_latitude"), Reason: problem})
			bad = true
		}
	}
	for name, missing := range map[string]bool{
		"ended_how":        r.endedHow != nil && r.paidUntil == nil,
		"registered_until": r.registeredUntil != nil && r.registration == nil,
	} {
		if missing && !bad {
			with := map[string]string{"ended_how": "paid_until", "registered_until": "registration_number"}[name]
			im.problem(Problem{Line: line, Column: im.table.columns.heading(name), Reason: "stands without a " + with})
			bad = true
		}
	}
	return r, bad
}

// values are the row as it is staged.
func (r *row) values(line int, bad bool, c *columns) ([]any, error) {
	other := person.SortName(r.displayName)
	if c.has["given_name"] {
		r.displayName = strings.TrimSpace(r.given + " " + r.family)
		other = strings.TrimSuffix(strings.TrimPrefix(r.family+", "+r.given, ", "), ", ")
	}
	sections := r.sections
	if sections == nil {
		sections = []period{}
	}
	periods, err := json.Marshal(sections)
	if err != nil {
		return nil, err
	}
	v := []any{
		node.Keyed("member", r.number), line, r.number, bad, null(r.displayName), null(r.sortName), other, r.pronouns, r.headline, r.bio, r.grade, r.region,
		r.joinedOn, periods,
	}
	for _, a := range r.audiences {
		v = append(v, a)
	}
	details := []*detail{}
	for _, f := range detailFields {
		if d := r.detail(f); c.has[columnOf(f)] || c.has[audienceColumn(f)] {
			d.HasValue, d.HasAudience = c.has[columnOf(f)], c.has[audienceColumn(f)]
			details = append(details, d)
		}
	}
	more, err := json.Marshal(details)
	if err != nil {
		return nil, err
	}
	return append(v, more, r.paidUntil, r.endedHow, r.registration, r.registeredUntil), nil
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
