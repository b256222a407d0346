package pack

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// leaving returns the gone paths that removals leave behind: those of the
// removed entries and of the redirects to them, unless the pack gives them a
// meaning.
func leaving(have, want *Pack) []*gone {
	stays := map[Key]bool{}
	taken := map[Path]bool{}
	want.eachEntry(func(e *entry, _ any) {
		stays[e.Key] = true
		taken[e.Path] = true
	})
	for _, r := range want.redirects {
		taken[r.From] = true
	}
	for _, g := range want.gone {
		taken[g.Path] = true
	}
	var left []*gone
	leave := func(p Path) {
		if p != "" && !taken[p] {
			taken[p] = true
			left = append(left, &gone{Path: p})
		}
	}
	have.eachEntry(func(e *entry, _ any) {
		if !stays[e.Key] {
			leave(e.Path)
		}
	})
	for _, r := range have.redirects {
		if r.entry != "" && !stays[r.entry] {
			leave(r.From)
		}
	}
	return left
}

// eachEntry visits everything that is published, with the thing it is part of.
func (p *Pack) eachEntry(visit func(e *entry, of any)) {
	for _, x := range p.pages {
		visit(&x.entry, x)
	}
	for _, x := range p.caseStudies {
		visit(&x.entry, x)
	}
	for _, x := range p.documents {
		visit(&x.entry, x)
	}
}

// entryKinds are the kinds of things that are entries.
var entryKinds = []string{pageKind, caseStudyKind, documentKind}

// writeRoutes gives paths their meanings. All routes that may change hands go
// first, so that two pages can swap their paths.
func (im *importer) writeRoutes(ctx context.Context) error {
	var entries []uuid.UUID
	var paths []string
	for id, action := range im.changes {
		switch id.kind {
		case pageKind, caseStudyKind, documentKind:
			entries = append(entries, im.have.id("entry", id.key))
		case redirectKind:
			if action != Created {
				paths = append(paths, id.key)
			}
		}
	}
	_, err := im.tx.Exec(ctx, `
		DELETE FROM routes
		WHERE kind = 'CURRENT' AND entry_id = ANY(@entries)
			OR kind = 'REDIRECT' AND path = ANY(@paths)`,
		pgx.StrictNamedArgs{"entries": entries, "paths": append([]string{}, paths...)})
	if err != nil {
		return err
	}
	var rows []row
	add := func(path Path, kind string, entry Key, url Target, reason Line) {
		r := row{"path": path, "kind": kind, "entry_id": nil, "url": nil, "reason": null(reason)}
		if entry != "" {
			r["entry_id"] = im.have.id("entry", string(entry))
		} else {
			r["url"] = null(url)
		}
		rows = append(rows, r)
	}
	for _, p := range im.pack.pages {
		if im.differs(pageKind, string(p.Key)) {
			add(p.Path, "CURRENT", p.Key, "", "")
		}
	}
	for _, c := range im.pack.caseStudies {
		if im.differs(caseStudyKind, string(c.Key)) {
			add(c.Path, "CURRENT", c.Key, "", "")
		}
	}
	for _, d := range im.pack.documents {
		if im.differs(documentKind, string(d.Key)) && d.Path != "" {
			add(d.Path, "CURRENT", d.Key, "", "")
		}
	}
	for _, r := range im.pack.redirects {
		if im.differs(redirectKind, string(r.From)) {
			add(r.From, "REDIRECT", r.entry, r.To, "")
		}
	}
	for _, g := range im.gone {
		if im.differs(goneKind, string(g.Path)) {
			add(g.Path, "GONE", "", "", g.Reason)
		}
	}
	return im.write(ctx, `
		INSERT INTO routes (
			path,
			kind,
			entry_id,
			url,
			reason
		)
		SELECT
			r.path,
			r.kind,
			r.entry_id,
			r.url,
			r.reason
		FROM json_to_recordset(@rows::json) AS r(
			path text,
			kind text,
			entry_id uuid,
			url text,
			reason text
		)
		-- A path that was gone, or a redirect, may be a page again.
		ON CONFLICT (path) DO UPDATE SET
			kind = EXCLUDED.kind,
			entry_id = EXCLUDED.entry_id,
			url = EXCLUDED.url,
			reason = EXCLUDED.reason`, rows)
}

func (im *importer) writeMenus(ctx context.Context) error {
	var menus, items []row
	for _, m := range im.pack.menus {
		id := im.have.id("menu", m.handle)
		if im.differs(menuKind, m.handle) {
			menus = append(menus, row{"id": id, "handle": m.handle, "title": m.Title, "position": m.Position})
		}
		walkItems(m, func(i, parent *menuItem) {
			if !im.differs(menuItemKind, string(i.Key)) {
				return
			}
			r := row{
				"id": im.have.id("menu-item", string(i.Key)), "key": i.Key, "menu_id": id, "parent_id": nil, "position": i.position, "label": i.Label,
				"kind": i.kind(), "entry_id": nil, "url": null(i.URL), "action": null(i.Action), "is_canonical": i.isCanonical, "access": i.Access,
			}
			if parent != nil {
				r["parent_id"] = im.have.id("menu-item", string(parent.Key))
			}
			if i.entry != "" {
				r["entry_id"] = im.have.id("entry", string(i.entry))
			}
			items = append(items, r)
		})
	}
	if err := im.write(ctx, `
		INSERT INTO menus (
			id,
			handle,
			title,
			position
		)
		SELECT
			r.id,
			r.handle,
			r.title,
			r.position
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			handle text,
			title text,
			position integer
		)
		ON CONFLICT (id) DO UPDATE SET
			title = EXCLUDED.title,
			position = EXCLUDED.position,
			revision = menus.revision + 1,
			updated_at = now()`, menus); err != nil {
		return err
	}
	return im.write(ctx, `
		INSERT INTO menu_items (
			id,
			key,
			menu_id,
			parent_id,
			position,
			label,
			kind,
			entry_id,
			url,
			action,
			is_canonical,
			access
		)
		SELECT
			r.id,
			r.key,
			r.menu_id,
			r.parent_id,
			r.position,
			r.label,
			r.kind,
			r.entry_id,
			r.url,
			r.action,
			r.is_canonical,
			r.access
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			key text,
			menu_id uuid,
			parent_id uuid,
			position integer,
			label text,
			kind text,
			entry_id uuid,
			url text,
			action text,
			is_canonical boolean,
			access text
		)
		ON CONFLICT (id) DO UPDATE SET
			menu_id = EXCLUDED.menu_id,
			parent_id = EXCLUDED.parent_id,
			position = EXCLUDED.position,
			label = EXCLUDED.label,
			kind = EXCLUDED.kind,
			entry_id = EXCLUDED.entry_id,
			url = EXCLUDED.url,
			action = EXCLUDED.action,
			is_canonical = EXCLUDED.is_canonical,
			access = EXCLUDED.access`, items)
}

// remove deletes what the pack does not have. Nothing refers to it any more.
func (im *importer) remove(ctx context.Context) error {
	stays := map[Key]bool{}
	im.pack.eachEntry(func(e *entry, _ any) { stays[e.Key] = true })
	var entries []uuid.UUID
	for _, kind := range entryKinds {
		for _, key := range im.removed(kind) {
			// A page can become a document under the same key.
			if !stays[Key(key)] {
				entries = append(entries, im.have.id("entry", key))
			}
		}
	}
	batch := &pgx.Batch{}
	del := func(sql string, ids []uuid.UUID) {
		if len(ids) > 0 {
			batch.Queue(sql, pgx.StrictNamedArgs{"ids": ids})
		}
	}
	del(`DELETE FROM menu_items WHERE id = ANY(@ids)`, im.removedIDs(menuItemKind, "menu-item"))
	del(`DELETE FROM menus WHERE id = ANY(@ids)`, im.removedIDs(menuKind, "menu"))
	del(`DELETE FROM terms WHERE id = ANY(@ids)`, im.removedIDs(termKind, "term"))
	del(`DELETE FROM posts WHERE id = ANY(@ids)`, im.removedIDs(postKind, "post"))
	del(`DELETE FROM committees WHERE id = ANY(@ids)`, im.removedIDs(committeeKind, "committee"))
	del(`DELETE FROM case_studies WHERE entry_id = ANY(@ids)`, im.removedIDs(caseStudyKind, "entry"))
	del(`DELETE FROM units WHERE id = ANY(@ids)`, im.removedIDs(unitKind, "entry"))
	del(`DELETE FROM documents WHERE entry_id = ANY(@ids)`, im.removedIDs(documentKind, "entry"))
	del(`DELETE FROM blocks WHERE entry_id = ANY(@ids)`, im.removedIDs(pageKind, "entry"))
	del(`DELETE FROM pages WHERE entry_id = ANY(@ids)`, im.removedIDs(pageKind, "entry"))
	del(`DELETE FROM entries WHERE id = ANY(@ids)`, entries)
	if levels := im.removed(levelKind); len(levels) > 0 {
		batch.Queue(`DELETE FROM career_levels WHERE level = ANY(@levels)`, pgx.StrictNamedArgs{"levels": levels})
	}
	if batch.Len() == 0 {
		return nil
	}
	return im.tx.SendBatch(ctx, batch).Close()
}
