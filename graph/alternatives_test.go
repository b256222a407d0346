package graph_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// TestAccessibleAlternatives gives a document versions that are easier to use:
// they come in order, to each viewer those that the viewer may know of, in one
// statement for all documents.
func TestAccessibleAlternatives(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `
		WITH e AS (
			INSERT INTO entries (id, key, kind, slug, title, access, status)
			VALUES
				('00000000-0000-4000-8000-0000000000d0', 'd0', 'DOCUMENT', 'd0', 'A report', 'PUBLIC', 'PUBLISHED'),
				('00000000-0000-4000-8000-0000000000d1', 'd1', 'DOCUMENT', 'd1', 'A report in plain text', 'PUBLIC', 'PUBLISHED'),
				('00000000-0000-4000-8000-0000000000d2', 'd2', 'DOCUMENT', 'd2', 'A report, easy to read', 'MEMBERS', 'PUBLISHED'),
				('00000000-0000-4000-8000-0000000000d3', 'd3', 'DOCUMENT', 'd3', 'A report in large print', 'STAFF', 'PUBLISHED'),
				('00000000-0000-4000-8000-0000000000d4', 'd4', 'DOCUMENT', 'd4', 'A report as audio', 'PUBLIC', 'DRAFT')
			RETURNING id
		)
		INSERT INTO documents (entry_id, media_type, url)
		SELECT id, 'text/plain', 'https://example.org/file' FROM e`)
	mustExec(t, db, `
		INSERT INTO document_alternatives (document_id, position, alternative_id)
		VALUES
			('00000000-0000-4000-8000-0000000000d0', 0, '00000000-0000-4000-8000-0000000000d3'),
			('00000000-0000-4000-8000-0000000000d0', 1, '00000000-0000-4000-8000-0000000000d2'),
			('00000000-0000-4000-8000-0000000000d0', 2, '00000000-0000-4000-8000-0000000000d1'),
			('00000000-0000-4000-8000-0000000000d0', 3, '00000000-0000-4000-8000-0000000000d4'),
			('00000000-0000-4000-8000-0000000000d1', 0, '00000000-0000-4000-8000-0000000000d0')`)
	h := graphOn(t, db)
	const query = `{ documents(first: 5) { nodes { title accessibleAlternatives { title url viewerAccess { canRead } } } } }`
	file := func(title string, mayRead bool) any {
		f := map[string]any{"title": title, "url": nil, "viewerAccess": map[string]any{"canRead": mayRead}}
		if mayRead {
			f["url"] = "https://example.org/file"
		}
		return f
	}
	for _, c := range []struct {
		role viewer.Role
		want []any
	}{
		{viewer.Anonymous, []any{file("A report, easy to read", false), file("A report in plain text", true)}},
		{viewer.Member, []any{file("A report, easy to read", true), file("A report in plain text", true)}},
		{viewer.Staff, []any{file("A report in large print", true), file("A report, easy to read", true), file("A report in plain text", true)}},
	} {
		ctx, counter := pg.WithRecorder(viewer.With(t.Context(), viewer.Viewer{Role: c.role}))
		got := decode(t, h.Execute(ctx, params(query, nil)).Body)
		alternatives := map[string]any{}
		for _, d := range list(got.Data, "documents", "nodes") {
			alternatives[at(d, "title").(string)] = at(d, "accessibleAlternatives")
		}
		if diff := cmp.Diff(c.want, alternatives["A report"]); diff != "" {
			t.Errorf("with role %v, of the report (-want +got)\n%s", c.role, diff)
		}
		if diff := cmp.Diff([]any{file("A report", true)}, alternatives["A report in plain text"]); diff != "" {
			t.Errorf("with role %v, of the plain text (-want +got)\n%s", c.role, diff)
		}
		if diff := cmp.Diff([]any{}, alternatives["Anita Raj – Operational strategic level"]); diff != "" {
			t.Errorf("with role %v, of a document that has none (-want +got)\n%s", c.role, diff)
		}
		if n := counter.Statements(); n != 2 {
			t.Errorf("with role %v: %d statements, want 2", c.role, n)
		}
	}
}
