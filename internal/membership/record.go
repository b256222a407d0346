package membership

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// Record is a member as they stand in the register: not what they show of
// themselves, but what the body knows.
type Record struct {
	ID          uuid.UUID
	Number      string
	DisplayName string
	RegionID    *uuid.UUID
	SortName    string
}

// NodeID returns the opaque ID in the graph.
func (r *Record) NodeID() string { return node.ID("MemberRecord", r.ID) }

func (r *Record) of() *uuid.UUID { return &r.ID }

// AppendNodeID appends NodeID as a JSON string.
func (r *Record) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "MemberRecord", r.ID) }

// Filter says which records. All conditions must hold.
type Filter struct {
	Status *Status
	Grade  *string
	// Region and Section are slugs.
	Region  *string
	Section *string
	// Text stands in the name, or is the number.
	Text *string
	// EndsFrom and EndsUntil bound the last day that is paid for, also by a renewal ahead.
	EndsFrom, EndsUntil *time.Time
}

// Records is a page of the register.
type Records struct {
	page.Connection[*Record]
	filter Filter
	asOf   *time.Time
}

// RecordEdge is one record with its cursor.
type RecordEdge = page.Edge[*Record]

const recordColumns = `
	m.id,
	m.key AS number,
	m.display_name,
	m.region_id,
	m.sort_name`

var byName = pg.Sort{
	After:    `(m.sort_name COLLATE "und-x-icu", m.id) > (@after_name, @after_id::uuid)`,
	Before:   `(m.sort_name COLLATE "und-x-icu", m.id) < (@before_name, @before_id::uuid)`,
	Forward:  `m.sort_name COLLATE "und-x-icu", m.id`,
	Backward: `m.sort_name COLLATE "und-x-icu" DESC, m.id DESC`,
}

// roster returns what stands after SELECT of the records of a filter as of a day, with
// its arguments.
func roster(v viewer.Viewer, f Filter, asOf *time.Time) (string, pgx.StrictNamedArgs, error) {
	args := pgx.StrictNamedArgs(reading(v, map[string]any{"as_of": asOf}))
	sql := `
		FROM members_registered m
		JOIN membership_statuses(COALESCE(@as_of::date, CURRENT_DATE)) st ON st.member_id = m.id
		WHERE ` + mayRead
	if f.Status != nil {
		sql += ` AND st.status = @status`
		args["status"] = *f.Status
	}
	if f.Grade != nil {
		sql += ` AND st.grade = @grade`
		args["grade"] = *f.Grade
	}
	if f.EndsFrom != nil {
		sql += ` AND ` + paidUntil + ` >= @ends_from`
		args["ends_from"] = *f.EndsFrom
	}
	if f.EndsUntil != nil {
		// The end of one period bounds that of all, and costs nothing to ask.
		sql += ` AND st.ends_on <= @ends_until AND ` + paidUntil + ` <= @ends_until`
		args["ends_until"] = *f.EndsUntil
	}
	if f.Region != nil {
		sql += ` AND m.region_id = (SELECT u.id FROM units u WHERE u.kind = 'REGION' AND u.slug = lower(@region))`
		args["region"] = *f.Region
	}
	if f.Section != nil {
		sql += ` AND EXISTS (
			SELECT FROM section_memberships sm
			JOIN units u ON u.id = sm.section_id
			WHERE sm.member_id = m.id
				AND u.kind = 'SPECIALIST_SECTION'
				AND u.slug = lower(@section)
				AND sm.starts_on <= COALESCE(@as_of::date, CURRENT_DATE)
				AND (sm.ends_on IS NULL OR sm.ends_on >= COALESCE(@as_of::date, CURRENT_DATE)))`
		args["section"] = *f.Section
	}
	if f.Text != nil {
		text := strings.TrimSpace(*f.Text)
		if n := utf8.RuneCountInString(text); n < 1 || n > 100 || strings.ContainsRune(text, 0) {
			return "", nil, errs.Invalidf("filter.text", "pass 1 to 100 characters; there are %d", n)
		}
		sql += ` AND (m.display_name ILIKE @text OR m.key = @number)`
		args["text"] = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
		args["number"] = text
	}
	return sql, args, nil
}

// Register returns a page of the register by name, as of a day; nil is today.
func (s *Store) Register(ctx context.Context, v viewer.Viewer, f *Filter, asOf *time.Time, args page.Args) (_ *Records, err error) {
	defer errs.Wrap(&err, "membership.Register")
	c := &Records{asOf: asOf}
	if f != nil {
		c.filter = *f
	}
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	sql, named, err := roster(v, c.filter, asOf)
	if err != nil {
		return nil, err
	}
	named["limit"] = pg.Limit(k)
	err = pg.EachCursor(k, func(name string, key []string) error {
		id, err := uuid.Parse(key[1])
		if err != nil {
			return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
		}
		named[name+"_name"], named[name+"_id"] = key[0], id
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[Record](ctx, s.DB, pg.Paged(`SELECT`+recordColumns+sql+byName.Bounds(k)+byName.OrderBy(k)), named)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		if err := s.knownUnits(ctx, v, c.filter); err != nil {
			return nil, err
		}
	}
	c.Connection = page.New(k, rows, func(r *Record) []string { return []string{r.SortName, r.ID.String()} })
	reads.Note(ctx, v, c.Nodes(), (*Record).of, c.filter.looksFor()...)
	return c, nil
}

// knownUnits says which unit of a filter there is not, or is none that the viewer may know
// of. It is asked of a filter that finds nobody.
func (s *Store) knownUnits(ctx context.Context, v viewer.Viewer, f Filter) error {
	if f.Region == nil && f.Section == nil {
		return nil
	}
	type row struct{ Region, Section bool }
	known, err := pg.One[row](ctx, s.DB, `
		SELECT
			@region::text IS NULL OR EXISTS (
				SELECT FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'REGION' AND u.slug = lower(@region) AND `+viewer.Visible+`
			) AS region,
			@section::text IS NULL OR EXISTS (
				SELECT FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = lower(@section) AND `+viewer.Visible+`
			) AS section`,
		pgx.StrictNamedArgs{"region": f.Region, "section": f.Section, "reach": v.Reach()})
	switch {
	case err != nil:
		return err
	case !known.Region:
		return errs.Invalidf("filter.region", "there is no such region; pass the slug of one that regions lists")
	case !known.Section:
		return errs.Invalidf("filter.section", "there is no such section; pass the slug of one that specialistSections lists")
	}
	return nil
}

// looksFor returns what is read of the records that a filter finds.
func (f Filter) looksFor() []reads.Fact {
	facts := []reads.Fact{reads.Entry}
	if f.Status != nil || f.Grade != nil || f.EndsFrom != nil || f.EndsUntil != nil {
		facts = append(facts, reads.Membership)
	}
	if f.Section != nil {
		facts = append(facts, reads.Sections)
	}
	return facts
}

// RegisterTotals returns how many records each list has.
func (s *Store) RegisterTotals(ctx context.Context, v viewer.Viewer, lists []*Records) (_ []int, err error) {
	defer errs.Wrap(&err, "membership.RegisterTotals(%d)", len(lists))
	totals := make([]int, len(lists))
	for i, l := range lists { // one, since only the root returns them
		sql, args, err := roster(v, l.filter, l.asOf)
		if err != nil {
			return nil, err
		}
		if totals[i], err = pg.Scalar[int](ctx, s.DB, `SELECT count(*)`+sql, args); err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// Records returns the records with the IDs that the viewer may read.
func (s *Store) Records(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Record, err error) {
	defer errs.Wrap(&err, "membership.Records(%d)", len(ids))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Record](ctx, s.DB, `
		SELECT`+recordColumns+`
		FROM members_registered m
		WHERE m.id = ANY(@ids) AND `+mayRead,
		pgx.StrictNamedArgs(reading(v, map[string]any{"ids": ids})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, (*Record).of, reads.Entry)
	return pg.ByKey(found, func(r *Record) uuid.UUID { return r.ID }), nil
}

// OwnRecords returns the records of members to themselves.
func (s *Store) OwnRecords(ctx context.Context, members []uuid.UUID) (_ map[uuid.UUID]*Record, err error) {
	defer errs.Wrap(&err, "membership.OwnRecords(%d)", len(members))
	found, err := pg.All[Record](ctx, s.DB, `
		SELECT`+recordColumns+`
		FROM members_registered m
		WHERE m.id = ANY(@ids)`,
		pgx.StrictNamedArgs{"ids": members})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(found, func(r *Record) uuid.UUID { return r.ID }), nil
}
