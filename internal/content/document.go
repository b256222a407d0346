package content

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// DocumentConnection is a page of documents.
type DocumentConnection = page.Connection[*Document]

// DocumentEdge is one document with its cursor.
type DocumentEdge = page.Edge[*Document]

// The address and the fingerprint of the bytes are for those who may download it.
const documentColumns = `
	e.id,
	e.title,
	e.summary,
	d.file_name,
	d.media_type,
	d.byte_size,
	d.size_label,
	CASE WHEN e.access = ANY(@reach) THEN d.sha256 END AS sha256,
	CASE WHEN e.access = ANY(@reach) THEN d.url END AS url,
	e.access`

// DocumentsByID returns the documents with the IDs that the viewer may know of.
func (s *Store) DocumentsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Document, err error) {
	defer errs.Wrap(&err, "content.DocumentsByID(%d)", len(ids))
	docs, err := pg.All[Document](ctx, s.DB, `
		SELECT`+documentColumns+`
		FROM entries e
		JOIN documents d ON d.entry_id = e.id
		WHERE e.id = ANY(@ids) AND `+viewer.Visible,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Document, len(docs))
	for _, d := range docs {
		d.ViewerAccess = v.To(d.Access)
		byID[d.ID] = d
	}
	return byID, nil
}

// AlternativesOf returns, for each document, the versions of it that are easier
// to use and that the viewer may know of, in order.
func (s *Store) AlternativesOf(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID][]*Document, err error) {
	defer errs.Wrap(&err, "content.AlternativesOf(%d)", len(ids))
	type alternative struct {
		DocumentID uuid.UUID
		Document
	}
	found, err := pg.All[alternative](ctx, s.DB, `
		SELECT
			da.document_id,`+documentColumns+`
		FROM document_alternatives da
		JOIN entries e ON e.id = da.alternative_id
		JOIN documents d ON d.entry_id = e.id
		WHERE da.document_id = ANY(@ids) AND `+viewer.Visible+`
		ORDER BY da.document_id, da.position`,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byDocument := make(map[uuid.UUID][]*Document, len(ids))
	for _, a := range found {
		a.ViewerAccess = v.To(a.Access)
		byDocument[a.DocumentID] = append(byDocument[a.DocumentID], &a.Document)
	}
	return byDocument, nil
}

// Documents returns a page of the documents, by title.
func (s *Store) Documents(ctx context.Context, v viewer.Viewer, args page.Args) (_ *DocumentConnection, err error) {
	defer errs.Wrap(&err, "content.Documents")
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	params := pgx.StrictNamedArgs{"reach": v.Reach(), "limit": pg.Limit(k)}
	if err := bindTitles(params, k); err != nil {
		return nil, err
	}
	docs, err := pg.All[Document](ctx, s.DB, pg.Paged(`
		SELECT`+documentColumns+`
		FROM entries e
		JOIN documents d ON d.entry_id = e.id
		WHERE e.kind = 'DOCUMENT' AND `+viewer.Visible+byTitles.Bounds(k)+byTitles.OrderBy(k)), params)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		d.ViewerAccess = v.To(d.Access)
	}
	c := page.New(k, docs, func(d *Document) []string { return []string{d.Title, d.ID.String()} })
	return &c, nil
}

// DocumentCount returns how many documents the viewer may know of.
func (s *Store) DocumentCount(ctx context.Context, v viewer.Viewer) (_ int, err error) {
	defer errs.Wrap(&err, "content.DocumentCount")
	return pg.Scalar[int](ctx, s.DB, `
		SELECT count(*)
		FROM entries e
		JOIN documents d ON d.entry_id = e.id
		WHERE `+viewer.Visible,
		pgx.StrictNamedArgs{"reach": v.Reach()})
}

// byTitles is how documents are sorted.
var byTitles = pg.Sort{
	After:    `(e.title COLLATE "und-x-icu", e.id) > (@after_title, @after_id::uuid)`,
	Before:   `(e.title COLLATE "und-x-icu", e.id) < (@before_title, @before_id::uuid)`,
	Forward:  `e.title COLLATE "und-x-icu", e.id`,
	Backward: `e.title COLLATE "und-x-icu" DESC, e.id DESC`,
}

// bindTitles sets the arguments for the cursors of a page.
func bindTitles(args pgx.StrictNamedArgs, k page.Keyset) error {
	return pg.EachCursor(k, func(name string, key []string) error {
		id, err := uuid.Parse(key[1])
		if err != nil {
			return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
		}
		args[name+"_title"], args[name+"_id"] = key[0], id
		return nil
	})
}
