package career

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

const columns = `
	e.id,
	e.slug,
	r.path,
	c.person,
	c.headline,
	c.level,
	c.level_label,
	c.setting,
	e.summary,
	c.document_id,
	c.member_id,
	c.section_id,
	c.region_id,
	c.consent_on,
	e.access,
	l.position AS level_position,
	e.position`

const tables = `
	case_studies c
	JOIN entries e ON e.id = c.entry_id
	JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
	JOIN career_levels l ON l.level = c.level`

// The conditions of a filter. One on a unit asks whether the viewer may know of the
// unit, so that a filter tells nothing that the answer would not.
const (
	atLevel   = ` AND c.level = @level`
	inSection = ` AND c.section_id IN (
		SELECT u.id
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.kind = 'SPECIALIST_SECTION' AND (u.slug = lower(@section) OR u.aliases @> ARRAY[lower(@section)])
			AND ` + viewer.Visible + `)`
	inRegion = ` AND c.region_id IN (
		SELECT u.id
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.kind = 'REGION' AND (u.slug = lower(@region) OR u.aliases @> ARRAY[lower(@region)])
			AND ` + viewer.Visible + `)`
)

// matches returns the conditions that a filter asks for, with their arguments.
func (f *Filter) matches(v viewer.Viewer) (conditions string, args pgx.StrictNamedArgs) {
	args = pgx.StrictNamedArgs{"reach": v.Reach()}
	if f.Level != nil {
		conditions += atLevel
		args["level"] = *f.Level
	}
	if f.Section != nil {
		conditions += inSection
		args["section"] = *f.Section
	}
	if f.Region != nil {
		conditions += inRegion
		args["region"] = *f.Region
	}
	return viewer.Visible + conditions, args
}

// byLadder is how lists are sorted: up the ladder, then in the editors' order.
var byLadder = pg.Sort{
	After:    `(l.position, e.position, e.id) > (@after_level::int, @after_position::int, @after_id::uuid)`,
	Before:   `(l.position, e.position, e.id) < (@before_level::int, @before_position::int, @before_id::uuid)`,
	Forward:  `l.position, e.position, e.id`,
	Backward: `l.position DESC, e.position DESC, e.id DESC`,
}

// CaseStudy returns the case study with the slug; errs.NotFound if there is none.
func (s *Store) CaseStudy(ctx context.Context, v viewer.Viewer, slug string) (_ *CaseStudy, err error) {
	defer errs.Wrap(&err, "career.CaseStudy(%.100q)", slug)
	return pg.One[CaseStudy](ctx, s.DB, `
		SELECT`+columns+`
		FROM`+tables+`
		WHERE e.slug = lower(@slug) AND `+viewer.Visible+`
		ORDER BY l.position, e.position, e.id
		LIMIT 1`,
		pgx.StrictNamedArgs{"slug": slug, "reach": v.Reach()})
}

// CaseStudies returns a page of the case studies, up the ladder, then in the
// editors' order.
func (s *Store) CaseStudies(ctx context.Context, v viewer.Viewer, f *Filter, args page.Args) (_ *Connection, err error) {
	defer errs.Wrap(&err, "career.CaseStudies")
	k, err := args.Keyset(3)
	if err != nil {
		return nil, err
	}
	c := &Connection{}
	if f != nil {
		c.Filter = *f
	}
	matches, params := c.Filter.matches(v)
	params["limit"] = pg.Limit(k)
	if err := bindLadder(params, k); err != nil {
		return nil, err
	}
	rows, err := pg.All[CaseStudy](ctx, s.DB, pg.Paged(`
		SELECT`+columns+`
		FROM`+tables+`
		WHERE `+matches+byLadder.Bounds(k)+byLadder.OrderBy(k)), params)
	if err != nil {
		return nil, err
	}
	c.Connection = page.New(k, rows, cursorKey)
	return c, nil
}

// Totals returns how many case studies each of the lists has, one statement
// each: only the root has such a list, so there is one.
func (s *Store) Totals(ctx context.Context, v viewer.Viewer, lists []*Connection) (_ []int, err error) {
	defer errs.Wrap(&err, "career.Totals(%d)", len(lists))
	totals := make([]int, len(lists))
	for i, l := range lists {
		matches, params := l.Filter.matches(v)
		totals[i], err = pg.Scalar[int](ctx, s.DB, `
			SELECT count(*)
			FROM`+tables+`
			WHERE `+matches, params)
		if err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// cursorKey is the sort key of a row.
func cursorKey(c *CaseStudy) []string {
	return []string{strconv.Itoa(c.LevelPosition), strconv.Itoa(c.Position), c.ID.String()}
}

// ladderKey reads the sort key of a row from a cursor.
func ladderKey(name string, key []string) (place []int, id *uuid.UUID, err error) {
	if key == nil {
		return nil, nil, nil
	}
	level, err1 := strconv.ParseInt(key[0], 10, 32)
	position, err2 := strconv.ParseInt(key[1], 10, 32)
	parsed, err3 := uuid.Parse(key[2])
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, nil, errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
	}
	return []int{int(level), int(position)}, &parsed, nil
}

// bindLadder sets the arguments for the cursors of a page.
func bindLadder(args pgx.StrictNamedArgs, k page.Keyset) error {
	return pg.EachCursor(k, func(name string, key []string) error {
		place, id, err := ladderKey(name, key)
		if err == nil {
			args[name+"_level"], args[name+"_position"], args[name+"_id"] = place[0], place[1], *id
		}
		return err
	})
}

// ByID returns the case studies with the IDs that the viewer may know of.
func (s *Store) ByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*CaseStudy, err error) {
	defer errs.Wrap(&err, "career.ByID(%d)", len(ids))
	rows, err := pg.All[CaseStudy](ctx, s.DB, `
		SELECT`+columns+`
		FROM`+tables+`
		WHERE e.id = ANY(@ids) AND `+viewer.Visible,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(rows, func(c *CaseStudy) uuid.UUID { return c.ID }), nil
}

// OfMembers returns the case studies about each of the members.
func (s *Store) OfMembers(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*CaseStudy, err error) {
	defer errs.Wrap(&err, "career.OfMembers(%d)", len(members))
	sight := v.Sight()
	args := pgx.StrictNamedArgs{"members": members, "reach": v.Reach()}
	sight.Bind(args)
	rows, err := pg.All[CaseStudy](ctx, s.DB, `
		SELECT`+columns+`
		FROM`+tables+`
		JOIN `+sight.Shape.Table("")+` m ON m.id = c.member_id
		WHERE c.member_id = ANY(@members) AND `+sight.Shape.Shows(`m.listing_audience`)+` AND `+viewer.Visible+`
		ORDER BY l.position, e.position, e.id`,
		args)
	if err != nil {
		return nil, err
	}
	return pg.GroupBy(rows, func(c *CaseStudy) uuid.UUID { return *c.MemberID }), nil
}

// AtLevels returns the case studies filed under each level, in the editors' order.
func (s *Store) AtLevels(ctx context.Context, v viewer.Viewer, levels []Level) (_ map[Level][]*CaseStudy, err error) {
	defer errs.Wrap(&err, "career.AtLevels(%d)", len(levels))
	rows, err := pg.All[CaseStudy](ctx, s.DB, `
		SELECT`+columns+`
		FROM`+tables+`
		WHERE c.level = ANY(@levels) AND `+viewer.Visible+`
		ORDER BY l.position, e.position, e.id`,
		pgx.StrictNamedArgs{"levels": levels, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.GroupBy(rows, func(c *CaseStudy) Level { return c.Level }), nil
}

// Neighbours returns for each case study the one before and the one after it on
// the ladder, by its ID; either may be nil.
func (s *Store) Neighbours(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (before, after map[uuid.UUID]*CaseStudy, err error) {
	defer errs.Wrap(&err, "career.Neighbours(%d)", len(ids))
	type row struct {
		CaseStudy
		IsAsked  bool
		Follows  *bool
		Precedes *bool
	}
	// The ladder is short; the rows around those asked for come with it.
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT *
		FROM (
			SELECT`+columns+`,
				e.id = ANY(@ids) AS is_asked,
				lag(e.id = ANY(@ids)) OVER ladder AS follows,
				lead(e.id = ANY(@ids)) OVER ladder AS precedes
			FROM`+tables+`
			WHERE `+viewer.Visible+`
			WINDOW ladder AS (ORDER BY l.position, e.position, e.id)
		) x
		WHERE x.is_asked OR x.follows OR x.precedes
		ORDER BY x.level_position, x.position, x.id`,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, nil, err
	}
	before, after = make(map[uuid.UUID]*CaseStudy, len(ids)), make(map[uuid.UUID]*CaseStudy, len(ids))
	for i, r := range rows {
		// Two rows beside each other, one of them asked for, are neighbours on the
		// ladder, since every neighbour of a row asked for is here.
		if i > 0 && (r.IsAsked || rows[i-1].IsAsked) {
			before[r.ID] = &rows[i-1].CaseStudy
			after[rows[i-1].ID] = &rows[i].CaseStudy
		}
	}
	return before, after, nil
}

// Levels returns the ladder, from the first step up.
func (s *Store) Levels(ctx context.Context) (_ []*CareerLevel, err error) {
	defer errs.Wrap(&err, "career.Levels")
	levels, err := pg.All[CareerLevel](ctx, s.DB, `
		SELECT
			l.level,
			l.position,
			l.title
		FROM career_levels l
		ORDER BY l.position`)
	if err != nil {
		return nil, err
	}
	for i, l := range levels {
		if i > 0 {
			l.Previous, levels[i-1].Next = levels[i-1], l
		}
	}
	return levels, nil
}
