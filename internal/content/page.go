package content

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

const pageColumns = `
	e.id,
	e.kind,
	e.parent_id,
	r.path,
	e.slug,
	e.title,
	e.summary,
	e.access,
	e.published_at,
	e.updated_at,
	e.review_due_on,
	` + subKind + ` AS sub_kind`

// subKind is looked up for each page: few are asked for at once, of many.
const subKind = `COALESCE((SELECT p.sub_kind FROM pages p WHERE p.entry_id = e.id), 'OTHER')`

const pageTables = `
	entries e
	JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'`

const isPage = `e.kind IN ('PAGE', 'SPECIALIST_SECTION', 'REGION')`

// Page returns the page at a path, or at an earlier path of it. A path without a
// page is errs.NotFound.
func (s *Store) Page(ctx context.Context, v viewer.Viewer, path string) (_ *Page, err error) {
	defer errs.Wrap(&err, "content.Page(%.100q)", path)
	path, err = slug.Path(path)
	if err != nil {
		return nil, err
	}
	p, err := pg.One[Page](ctx, s.DB, `
		SELECT`+pageColumns+`
		FROM routes asked
		JOIN`+pageTables+` ON e.id = asked.entry_id
		WHERE asked.path = @path AND `+isPage+` AND `+viewer.Visible,
		pgx.StrictNamedArgs{"path": path, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	p.ViewerAccess = v.To(p.Access)
	return p, nil
}

// PagesByID returns the pages with the IDs that the viewer may know of.
func (s *Store) PagesByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Page, err error) {
	defer errs.Wrap(&err, "content.PagesByID(%d)", len(ids))
	pages, err := pg.All[Page](ctx, s.DB, `
		SELECT`+pageColumns+`
		FROM`+pageTables+`
		WHERE e.id = ANY(@ids) AND `+isPage+` AND `+viewer.Visible,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Page, len(pages))
	for _, p := range pages {
		p.ViewerAccess = v.To(p.Access)
		byID[p.ID] = p
	}
	return byID, nil
}

// ChildrenOf returns the pages that live under each of the parents, in order;
// only those of the sub-kind, if one is given.
func (s *Store) ChildrenOf(ctx context.Context, v viewer.Viewer, parents []uuid.UUID, kind *SubPageKind) (_ map[uuid.UUID][]*Page, err error) {
	defer errs.Wrap(&err, "content.ChildrenOf(%d)", len(parents))
	args := pgx.StrictNamedArgs{"parents": parents, "reach": v.Reach()}
	ofKind := ``
	if kind != nil {
		ofKind = ` AND ` + subKind + ` = @kind`
		args["kind"] = *kind
	}
	pages, err := pg.All[Page](ctx, s.DB, `
		SELECT`+pageColumns+`
		FROM`+pageTables+`
		WHERE e.parent_id = ANY(@parents) AND `+isPage+` AND `+viewer.Visible+ofKind+`
		ORDER BY e.position, r.path`, args)
	if err != nil {
		return nil, err
	}
	byParent := make(map[uuid.UUID][]*Page, len(parents))
	for _, p := range pages {
		p.ViewerAccess = v.To(p.Access)
		byParent[*p.ParentID] = append(byParent[*p.ParentID], p)
	}
	return byParent, nil
}

// BreadcrumbsOf returns where each of the entries lives: from the home page to
// itself. Steps the viewer may not know of are left out.
func (s *Store) BreadcrumbsOf(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID][]*Breadcrumb, err error) {
	defer errs.Wrap(&err, "content.BreadcrumbsOf(%d)", len(ids))
	type step struct {
		LeafID uuid.UUID
		Title  string
		Path   string
	}
	steps, err := pg.All[step](ctx, s.DB, `
		WITH RECURSIVE up AS (
			SELECT e.id AS leaf_id, e.id, e.parent_id, 0 AS height
			FROM entries e
			WHERE e.id = ANY(@ids)
			UNION ALL
			SELECT up.leaf_id, e.id, e.parent_id, up.height + 1
			FROM up
			JOIN entries e ON e.id = up.parent_id
		)
		SELECT
			up.leaf_id,
			s.title,
			s.path
		FROM up
		CROSS JOIN LATERAL (
			SELECT e.title, r.path
			FROM entries e
			JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
			WHERE e.id = up.id AND `+viewer.Visible+`
			OFFSET 0 -- one by one: the planner takes the way up for much longer than it is
		) s
		ORDER BY up.leaf_id, up.height DESC`,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byLeaf := make(map[uuid.UUID][]*Breadcrumb, len(ids))
	for _, st := range steps {
		byLeaf[st.LeafID] = append(byLeaf[st.LeafID], &Breadcrumb{Title: st.Title, Path: st.Path})
	}
	return byLeaf, nil
}
