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
	params := pgx.StrictNamedArgs{"reach": v.Reach(), "limit": k.Limit + 1}
	if params["after_title"], params["after_id"], err = titleKey("after", k.After); err != nil {
		return nil, err
	}
	if params["before_title"], params["before_id"], err = titleKey("before", k.Before); err != nil {
		return nil, err
	}
	const within = `
		SELECT` + documentColumns + `
		FROM entries e
		JOIN documents d ON d.entry_id = e.id
		WHERE ` + viewer.Visible + `
			AND (@after_title::text IS NULL
				OR (e.title COLLATE "und-x-icu", e.id) > (@after_title, @after_id::uuid))
			AND (@before_title::text IS NULL
				OR (e.title COLLATE "und-x-icu", e.id) < (@before_title, @before_id::uuid))`
	sql := within + ` ORDER BY e.title COLLATE "und-x-icu", e.id LIMIT @limit`
	if k.Backward {
		sql = within + ` ORDER BY e.title COLLATE "und-x-icu" DESC, e.id DESC LIMIT @limit`
	}
	docs, err := pg.All[Document](ctx, s.DB, sql, params)
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

// titleKey reads the sort key of a row from a cursor.
func titleKey(name string, key []string) (title *string, id *uuid.UUID, err error) {
	if key == nil {
		return nil, nil, nil
	}
	parsed, err := uuid.Parse(key[1])
	if err != nil {
		return nil, nil, errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
	}
	return &key[0], &parsed, nil
}
