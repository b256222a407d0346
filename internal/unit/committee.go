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

// A committee is as visible as its unit; one of the body's own always is.
const committees = `
	SELECT
		c.id,
		c.slug,
		c.name,
		c.unit_id,
		u.kind AS unit_kind
	FROM committees c
	LEFT JOIN units u ON u.id = c.unit_id
	LEFT JOIN entries e ON e.id = u.id
	WHERE (c.unit_id IS NULL OR ` + viewer.Visible + `)`

// Committee returns the committee with the slug; errs.NotFound if there is none.
func (s *Store) Committee(ctx context.Context, v viewer.Viewer, slug string) (_ *Committee, err error) {
	defer errs.Wrap(&err, "unit.Committee(%.100q)", slug)
	return pg.One[Committee](ctx, s.DB, committees+` AND c.slug = lower(@slug)`,
		pgx.StrictNamedArgs{"slug": slug, "reach": v.Reach()})
}

// Committees returns all committees by name.
func (s *Store) Committees(ctx context.Context, v viewer.Viewer) (_ []*Committee, err error) {
	defer errs.Wrap(&err, "unit.Committees")
	return pg.All[Committee](ctx, s.DB, committees+` ORDER BY c.name COLLATE "und-x-icu", c.id`,
		pgx.StrictNamedArgs{"reach": v.Reach()})
}

// CommitteesByID returns the committees with the IDs.
func (s *Store) CommitteesByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Committee, err error) {
	defer errs.Wrap(&err, "unit.CommitteesByID(%d)", len(ids))
	found, err := pg.All[Committee](ctx, s.DB, committees+` AND c.id = ANY(@ids)`,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(found, func(c *Committee) uuid.UUID { return c.ID }), nil
}

// CommitteesOf returns the committee of each unit that has one.
func (s *Store) CommitteesOf(ctx context.Context, v viewer.Viewer, units []uuid.UUID) (_ map[uuid.UUID]*Committee, err error) {
	defer errs.Wrap(&err, "unit.CommitteesOf(%d)", len(units))
	found, err := pg.All[Committee](ctx, s.DB, committees+` AND c.unit_id = ANY(@units)`,
		pgx.StrictNamedArgs{"units": units, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(found, func(c *Committee) uuid.UUID { return *c.UnitID }), nil
}

const postColumns = `
	p.id,
	p.committee_id,
	p.title,
	p.seats`

// PostsOf returns the posts of each committee, in order.
func (s *Store) PostsOf(ctx context.Context, committees []uuid.UUID) (_ map[uuid.UUID][]*Post, err error) {
	defer errs.Wrap(&err, "unit.PostsOf(%d)", len(committees))
	posts, err := pg.All[Post](ctx, s.DB, `
		SELECT`+postColumns+`
		FROM posts p
		WHERE p.committee_id = ANY(@committees)
		ORDER BY p.committee_id, p.position`,
		pgx.StrictNamedArgs{"committees": committees})
	if err != nil {
		return nil, err
	}
	return pg.GroupBy(posts, func(p *Post) uuid.UUID { return p.CommitteeID }), nil
}

// PostsByID returns the posts with the IDs whose committee the viewer may know of.
func (s *Store) PostsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Post, err error) {
	defer errs.Wrap(&err, "unit.PostsByID(%d)", len(ids))
	posts, err := pg.All[Post](ctx, s.DB, `
		SELECT`+postColumns+`
		FROM posts p
		WHERE p.id = ANY(@ids) AND p.committee_id IN (SELECT v.id FROM (`+committees+`) v)`,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(posts, func(p *Post) uuid.UUID { return p.ID }), nil
}

const termColumns = `
	t.id,
	t.post_id,
	t.member_id,
	t.starts_on,
	t.ends_on`

// HoldersOf returns the terms of each post that ran on a day, the longest-serving
// first; nil is today.
func (s *Store) HoldersOf(ctx context.Context, posts []uuid.UUID, asOf *time.Time) (_ map[uuid.UUID][]*Term, err error) {
	defer errs.Wrap(&err, "unit.HoldersOf(%d)", len(posts))
	terms, err := pg.All[Term](ctx, s.DB, `
		SELECT`+termColumns+`
		FROM terms t
		WHERE t.post_id = ANY(@posts)
			AND t.starts_on <= COALESCE(@as_of::date, CURRENT_DATE)
			AND (t.ends_on IS NULL OR t.ends_on >= COALESCE(@as_of::date, CURRENT_DATE))
		ORDER BY t.post_id, t.starts_on, t.key`,
		pgx.StrictNamedArgs{"posts": posts, "as_of": asOf})
	if err != nil {
		return nil, err
	}
	return pg.GroupBy(terms, func(t *Term) uuid.UUID { return t.PostID }), nil
}

// RolesOf returns the terms that each member serves today, the longest first. A
// member whom the viewer may not see has none, and neither has a post of a
// committee that the viewer may not know of.
func (s *Store) RolesOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*Term, err error) {
	defer errs.Wrap(&err, "unit.RolesOf(%d)", len(members))
	sight := v.Sight()
	args := pgx.StrictNamedArgs{"members": members, "reach": v.Reach()}
	sight.Bind(args)
	terms, err := pg.All[Term](ctx, s.DB, `
		SELECT`+termColumns+`
		FROM terms t
		JOIN `+sight.Shape.Table("")+` m ON m.id = t.member_id
		JOIN posts p ON p.id = t.post_id
		WHERE t.member_id = ANY(@members)
			AND t.starts_on <= CURRENT_DATE
			AND (t.ends_on IS NULL OR t.ends_on >= CURRENT_DATE)
			AND `+sight.Shape.Shows(`m.listing_audience`)+`
			AND p.committee_id IN (SELECT v.id FROM (`+committees+`) v)
		ORDER BY t.member_id, t.starts_on, t.key`,
		args)
	if err != nil {
		return nil, err
	}
	return pg.GroupBy(terms, func(t *Term) uuid.UUID { return t.MemberID }), nil
}
