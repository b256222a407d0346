package pack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// addPages adds the new pages, each behind the pages that live beside it.
func (m *menuImport) addPages(ctx context.Context) error {
	if len(m.pages) == 0 {
		return nil
	}
	next, err := m.nextPositions(ctx)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(m.pages, rowsAtOnce) {
		var (
			ids                        []uuid.UUID
			parents                    []*uuid.UUID
			positions                  []int
			keys, slugs, titles, paths []string
		)
		for _, p := range part {
			beside := uuid.Nil
			if p.lives != nil {
				beside = *p.lives
			}
			path := p.item.path
			ids = append(ids, *p.item.entry)
			parents = append(parents, p.lives)
			positions = append(positions, next[beside])
			keys = append(keys, pageKey(path))
			slugs = append(slugs, path[strings.LastIndexByte(path, '/')+1:])
			titles = append(titles, p.item.Label)
			paths = append(paths, path)
			next[beside]++
		}
		_, err := m.tx.Exec(ctx, `
			WITH new AS (
				SELECT *
				FROM unnest(@ids::uuid[], @keys::text[], @parents::uuid[], @positions::integer[], @slugs::text[], @titles::text[], @paths::text[])
					AS n (id, key, parent_id, position, slug, title, path)
			), new_entries AS (
				INSERT INTO entries (id, key, kind, parent_id, position, slug, title)
				SELECT id, key, 'PAGE', parent_id, position, slug, title
				FROM new
				RETURNING id
			), new_pages AS (
				INSERT INTO pages (entry_id)
				SELECT id
				FROM new_entries
			)
			INSERT INTO routes (path, kind, entry_id)
			SELECT path, 'CURRENT', id
			FROM new`,
			pgx.StrictNamedArgs{
				"ids": ids, "keys": keys, "parents": parents, "positions": positions,
				"slugs": slugs, "titles": titles, "paths": paths,
			})
		switch pg.Constraint(err) {
		case "entries_pkey", "entries_key_unique", "routes_one_current_per_entry":
			return fmt.Errorf("%w: a page that was added for one of the paths %s to %s has moved without a redirect; add a redirect from its old path: %w",
				errs.Conflict, paths[0], paths[len(paths)-1], err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nextPositions returns the first free position among the pages under each
// entry that gets a new one. What has no parent stands under the nil UUID.
func (m *menuImport) nextPositions(ctx context.Context) (map[uuid.UUID]int, error) {
	var parents []uuid.UUID
	for _, p := range m.pages {
		if p.lives != nil {
			parents = append(parents, *p.lives)
		}
	}
	type row struct {
		ParentID uuid.UUID
		Next     int
	}
	rows, err := pg.All[row](ctx, m.tx, `
		SELECT
			coalesce(parent_id, '00000000-0000-0000-0000-000000000000') AS parent_id,
			max(position) + 1 AS next
		FROM entries
		WHERE (parent_id = ANY(@parents) OR parent_id IS NULL)
			AND kind IN ('PAGE', 'SPECIALIST_SECTION', 'REGION')
		GROUP BY 1`,
		pgx.StrictNamedArgs{"parents": parents})
	if err != nil {
		return nil, err
	}
	next := make(map[uuid.UUID]int, len(rows))
	for _, r := range rows {
		next[r.ParentID] = r.Next
	}
	return next, nil
}

// addItems adds the new items. One that leads to a new page is the page's own
// placement.
func (m *menuImport) addItems(ctx context.Context) error {
	own := make(map[*wantedItem]bool, len(m.pages))
	for _, p := range m.pages {
		own[p.item] = true
	}
	var added []*wantedItem
	for _, w := range m.items {
		if w.have == nil {
			added = append(added, w)
		}
	}
	for part := range slices.Chunk(added, rowsAtOnce) {
		var (
			ids              []uuid.UUID
			parents, entries []*uuid.UUID
			positions        []int
			keys, labels     []string
			urls             []*string
			canonical        []bool
		)
		for _, w := range part {
			ids = append(ids, w.id)
			keys = append(keys, w.key)
			parents = append(parents, w.parentID())
			positions = append(positions, w.position)
			labels = append(labels, w.Label)
			entries = append(entries, w.entry)
			urls = append(urls, w.url)
			canonical = append(canonical, own[w])
		}
		_, err := m.tx.Exec(ctx, `
			INSERT INTO menu_items (id, key, menu_id, parent_id, position, label, kind, entry_id, url, is_canonical)
			SELECT
				id,
				key,
				@menu,
				parent_id,
				position,
				label,
				CASE WHEN url IS NULL THEN 'PAGE' ELSE 'EXTERNAL' END,
				entry_id,
				url,
				is_canonical
			FROM unnest(@ids::uuid[], @keys::text[], @parents::uuid[], @positions::integer[], @labels::text[],
					@entries::uuid[], @urls::text[], @canonical::boolean[])
				AS n (id, key, parent_id, position, label, entry_id, url, is_canonical)`,
			pgx.StrictNamedArgs{
				"menu": m.menu, "ids": ids, "keys": keys, "parents": parents, "positions": positions, "labels": labels,
				"entries": entries, "urls": urls, "canonical": canonical,
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// changeItems gives the items that stay their place and label.
func (m *menuImport) changeItems(ctx context.Context) error {
	var changed []*wantedItem
	for _, w := range m.items {
		if w.have != nil && w.changed() {
			changed = append(changed, w)
		}
	}
	for part := range slices.Chunk(changed, rowsAtOnce) {
		var (
			ids       []uuid.UUID
			parents   []*uuid.UUID
			positions []int
			labels    []string
		)
		for _, w := range part {
			ids = append(ids, w.id)
			parents = append(parents, w.parentID())
			positions = append(positions, w.position)
			labels = append(labels, w.Label)
		}
		_, err := m.tx.Exec(ctx, `
			UPDATE menu_items i
			SET
				parent_id = n.parent_id,
				position = n.position,
				label = n.label
			FROM unnest(@ids::uuid[], @parents::uuid[], @positions::integer[], @labels::text[])
				AS n (id, parent_id, position, label)
			WHERE i.id = n.id`,
			pgx.StrictNamedArgs{"ids": ids, "parents": parents, "positions": positions, "labels": labels})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeItems removes what the outline does not have. What stays below such an
// item has another place by now.
func (m *menuImport) removeItems(ctx context.Context) error {
	if len(m.gone) == 0 {
		return nil
	}
	_, err := m.tx.Exec(ctx, `
		DELETE FROM menu_items
		WHERE id = ANY(@ids)`,
		pgx.StrictNamedArgs{"ids": m.gone})
	return err
}

// setCanonical makes a new placement of what was there before its own one, if
// it has no other.
func (m *menuImport) setCanonical(ctx context.Context) error {
	if len(m.placed) == 0 {
		return nil
	}
	var ids []uuid.UUID // in the order of the menu
	for _, w := range m.placed {
		ids = append(ids, w.id)
	}
	_, err := m.tx.Exec(ctx, `
		UPDATE menu_items
		SET is_canonical = true
		WHERE id IN (
			SELECT DISTINCT ON (i.entry_id) i.id
			FROM unnest(@ids::uuid[]) WITH ORDINALITY AS n (id, place)
			JOIN menu_items i USING (id)
			WHERE NOT EXISTS (
				SELECT 1
				FROM menu_items c
				WHERE c.entry_id = i.entry_id AND c.is_canonical
			)
			ORDER BY i.entry_id, n.place
		)`,
		pgx.StrictNamedArgs{"ids": ids})
	return err
}
