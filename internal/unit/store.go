package unit

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

const status = `CASE WHEN u.dissolved_on < CURRENT_DATE THEN 'DISSOLVED' ELSE 'ACTIVE' END`

const sectionColumns = `
	u.id,
	u.slug,
	u.name,
	u.short_name,
	` + status + ` AS status,
	u.established_on,
	u.dissolved_on,
	u.successor_id`

const regionColumns = `
	u.id,
	u.slug,
	u.name,
	u.short_name,
	u.nation,
	COALESCE((
		SELECT jsonb_agg(jsonb_build_object('language', l.key, 'name', l.value) ORDER BY l.key)
		FROM jsonb_each_text(u.local_names) l
	), '[]') AS local_names,
	` + status + ` AS status`

const unitTables = `
	units u
	JOIN entries e ON e.id = u.id`

// Section returns the section with the slug, or with an earlier slug of it;
// errs.NotFound if there is none.
func (s *Store) Section(ctx context.Context, v viewer.Viewer, slug string) (_ *Section, err error) {
	defer errs.Wrap(&err, "unit.Section(%.100q)", slug)
	return pg.One[Section](ctx, s.DB, `
		SELECT`+sectionColumns+`
		FROM`+unitTables+`
		WHERE u.kind = 'SPECIALIST_SECTION' AND (u.slug = lower(@slug) OR u.aliases @> ARRAY[lower(@slug)]) AND `+viewer.Visible+`
		ORDER BY u.slug = lower(@slug) DESC, u.position
		LIMIT 1`,
		pgx.StrictNamedArgs{"slug": slug, "reach": v.Reach()})
}

// Sections returns the sections in the body's order; only those with the status
// today, if one is given.
func (s *Store) Sections(ctx context.Context, v viewer.Viewer, only *Status) (_ []*Section, err error) {
	defer errs.Wrap(&err, "unit.Sections")
	args := pgx.StrictNamedArgs{"reach": v.Reach()}
	withStatus := ``
	if only != nil {
		withStatus = ` AND ` + status + ` = @only`
		args["only"] = *only
	}
	return pg.All[Section](ctx, s.DB, `
		SELECT`+sectionColumns+`
		FROM`+unitTables+`
		WHERE u.kind = 'SPECIALIST_SECTION' AND `+viewer.Visible+withStatus+`
		ORDER BY u.position`, args)
}

// SectionsByID returns the sections with the IDs that the viewer may know of.
func (s *Store) SectionsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Section, err error) {
	defer errs.Wrap(&err, "unit.SectionsByID(%d)", len(ids))
	sections, err := pg.All[Section](ctx, s.DB, `
		SELECT`+sectionColumns+`
		FROM`+unitTables+`
		WHERE u.kind = 'SPECIALIST_SECTION' AND u.id = ANY(@ids) AND `+viewer.Visible,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(sections, func(u *Section) uuid.UUID { return u.ID }), nil
}

// SectionsOf returns the sections that each of the members belongs to today, in
// the body's order. Members who keep their sections from the viewer have none.
func (s *Store) SectionsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*Section, err error) {
	defer errs.Wrap(&err, "unit.SectionsOf(%d)", len(members))
	sight := v.Sight()
	args := pgx.StrictNamedArgs{"members": members, "reach": v.Reach()}
	sight.Bind(args)
	type row struct {
		MemberID uuid.UUID
		Section
	}
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT
			m.id AS member_id,`+sectionColumns+`
		FROM `+sight.Shape.Table("sections")+` m
		JOIN`+unitTables+` ON u.id = m.section_id
		WHERE m.id = ANY(@members)
			AND m.starts_on <= CURRENT_DATE
			AND (m.ends_on IS NULL OR m.ends_on >= CURRENT_DATE)
			AND `+sight.Shape.Shows(`m.listing_audience`)+`
			AND `+sight.Shape.Shows(`m.sections_audience`)+`
			AND `+viewer.Visible+`
		ORDER BY m.id, u.position`,
		args)
	if err != nil {
		return nil, err
	}
	byMember := make(map[uuid.UUID][]*Section, len(members))
	for _, r := range rows {
		byMember[r.MemberID] = append(byMember[r.MemberID], &r.Section)
	}
	return byMember, nil
}

// SectionIDsOf is SectionsOf for a caller that holds the sections: it returns
// their IDs alone, each once, in no order.
func (s *Store) SectionIDsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]uuid.UUID, err error) {
	defer errs.Wrap(&err, "unit.SectionIDsOf(%d)", len(members))
	sight := v.Sight()
	args := pgx.StrictNamedArgs{"members": members, "reach": v.Reach()}
	sight.Bind(args)
	type row struct {
		MemberID  uuid.UUID
		SectionID uuid.UUID
	}
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT
			m.id AS member_id,
			m.section_id
		FROM `+sight.Shape.Table("sections")+` m
		JOIN entries e ON e.id = m.section_id
		WHERE m.id = ANY(@members)
			AND m.starts_on <= CURRENT_DATE
			AND (m.ends_on IS NULL OR m.ends_on >= CURRENT_DATE)
			AND `+sight.Shape.Shows(`m.listing_audience`)+`
			AND `+sight.Shape.Shows(`m.sections_audience`)+`
			AND `+viewer.Visible,
		args)
	if err != nil {
		return nil, err
	}
	byMember := make(map[uuid.UUID][]uuid.UUID, len(members))
	for _, r := range rows {
		byMember[r.MemberID] = append(byMember[r.MemberID], r.SectionID)
	}
	return byMember, nil
}

// Region returns the region with the slug, or with an earlier slug of it;
// errs.NotFound if there is none.
func (s *Store) Region(ctx context.Context, v viewer.Viewer, slug string) (_ *Region, err error) {
	defer errs.Wrap(&err, "unit.Region(%.100q)", slug)
	return pg.One[Region](ctx, s.DB, `
		SELECT`+regionColumns+`
		FROM`+unitTables+`
		WHERE u.kind = 'REGION' AND (u.slug = lower(@slug) OR u.aliases @> ARRAY[lower(@slug)]) AND `+viewer.Visible+`
		ORDER BY u.slug = lower(@slug) DESC, u.position
		LIMIT 1`,
		pgx.StrictNamedArgs{"slug": slug, "reach": v.Reach()})
}

// Regions returns the regions in the body's order; only those of the nation, if
// one is given.
func (s *Store) Regions(ctx context.Context, v viewer.Viewer, nation *Nation) (_ []*Region, err error) {
	defer errs.Wrap(&err, "unit.Regions")
	args := pgx.StrictNamedArgs{"reach": v.Reach()}
	inNation := ``
	if nation != nil {
		inNation = ` AND u.nation = @nation`
		args["nation"] = *nation
	}
	return pg.All[Region](ctx, s.DB, `
		SELECT`+regionColumns+`
		FROM`+unitTables+`
		WHERE u.kind = 'REGION' AND `+viewer.Visible+inNation+`
		ORDER BY u.position`, args)
}

// RegionsByID returns the regions with the IDs that the viewer may know of.
func (s *Store) RegionsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Region, err error) {
	defer errs.Wrap(&err, "unit.RegionsByID(%d)", len(ids))
	regions, err := pg.All[Region](ctx, s.DB, `
		SELECT`+regionColumns+`
		FROM`+unitTables+`
		WHERE u.kind = 'REGION' AND u.id = ANY(@ids) AND `+viewer.Visible,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(regions, func(u *Region) uuid.UUID { return u.ID }), nil
}

// SectionMemberCounts returns how many members belonged to each section on a day; nil
// is today. It is a published figure and counts everyone who was a member then. What is
// planned for a later day is not published: only who may read the register asks for one.
func (s *Store) SectionMemberCounts(ctx context.Context, v viewer.Viewer, sections []uuid.UUID, asOf *time.Time) (_ map[uuid.UUID]int, err error) {
	defer errs.Wrap(&err, "unit.SectionMemberCounts(%d)", len(sections))
	return s.counts(ctx, v, `
		SELECT
			c.id,
			c.n
		FROM section_member_counts(@ids, COALESCE(@as_of::date, CURRENT_DATE)) c`, sections, asOf)
}

// RegionMemberCounts returns how many people of each region, as it is today, were
// members on a day; nil is today. It is published as SectionMemberCounts is.
func (s *Store) RegionMemberCounts(ctx context.Context, v viewer.Viewer, regions []uuid.UUID, asOf *time.Time) (_ map[uuid.UUID]int, err error) {
	defer errs.Wrap(&err, "unit.RegionMemberCounts(%d)", len(regions))
	return s.counts(ctx, v, `
		SELECT
			c.id,
			c.n
		FROM region_member_counts(@ids, COALESCE(@as_of::date, CURRENT_DATE)) c`, regions, asOf)
}

func (s *Store) counts(ctx context.Context, v viewer.Viewer, sql string, ids []uuid.UUID, asOf *time.Time) (map[uuid.UUID]int, error) {
	if asOf != nil && asOf.After(time.Now()) && !v.May(viewer.ReadRegister) {
		return nil, errs.Invalidf("asOf", "%s lies ahead; pass today or an earlier day", asOf.Format(time.DateOnly))
	}
	type row struct {
		ID uuid.UUID
		N  int
	}
	rows, err := pg.All[row](ctx, s.DB, sql, pgx.StrictNamedArgs{"ids": ids, "as_of": asOf})
	if err != nil {
		return nil, err
	}
	counts := make(map[uuid.UUID]int, len(rows))
	for _, r := range rows {
		counts[r.ID] = r.N
	}
	return counts, nil
}
