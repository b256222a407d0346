package main

import (
	"context"
	"fmt"
	"math"
	"path"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/slug"
)

// entry is an item of the large menu and the page that it leads to.
type entry struct {
	id, page uuid.UUID
	path     string
	label    string
	position int
	parent   *entry
	children int
}

// tree returns a menu of n items in so many levels, each level larger than the
// one above it by the same factor and each item after those above it. It is the
// same for the same arguments. n is at least levels.
func tree(n, levels int) []*entry {
	items := make([]*entry, 0, n)
	var above []*entry
	for _, size := range levelSizes(n, levels) {
		row := make([]*entry, size)
		for i := range row {
			number := len(items)
			e := &entry{label: fmt.Sprintf("%s %d", topics[number%len(topics)], number), position: i}
			up := "/" + largeMenu
			if above != nil {
				e.parent = above[i*len(above)/size]
				e.position = e.parent.children
				e.parent.children++
				up = e.parent.path
			}
			e.path = up + "/" + slug.Slug(e.label)
			e.id, e.page = node.Keyed("menu-item", largeMenu+e.path), node.Keyed("entry", "page:"+e.path)
			row[i] = e
			items = append(items, e)
		}
		above = row
	}
	return items
}

// addMenu writes a tree as the large menu, with a page and a path for each item.
// It goes past the triggers that check row by row whether a tree is one, and past
// foreign keys: this one is, and a menu of 100,000 items should not take longer to
// load than to measure. The triggers that note changes always run.
func addMenu(ctx context.Context, pool *pgxpool.Pool, items []*entry) error {
	menu := node.Keyed("menu", largeMenu)
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL session_replication_role = replica`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO menus (id, handle, title, position) VALUES ($1, $2, 'Large menu', 100)`, menu, largeMenu)
		if err != nil {
			return err
		}
		for _, t := range []struct {
			table   string
			columns []string
			row     func(*entry) []any
		}{
			{"entries", []string{"id", "key", "kind", "parent_id", "position", "slug", "title"}, func(e *entry) []any {
				var parent *uuid.UUID
				if e.parent != nil {
					parent = &e.parent.page
				}
				return []any{e.page, "page:" + e.path, "PAGE", parent, e.position, path.Base(e.path), e.label}
			}},
			{"pages", []string{"entry_id"}, func(e *entry) []any { return []any{e.page} }},
			{"routes", []string{"path", "kind", "entry_id"}, func(e *entry) []any { return []any{e.path, "CURRENT", e.page} }},
			{"menu_items", []string{"id", "key", "menu_id", "parent_id", "position", "label", "kind", "entry_id", "is_canonical"}, func(e *entry) []any {
				var parent *uuid.UUID
				if e.parent != nil {
					parent = &e.parent.id
				}
				return []any{e.id, largeMenu + e.path, menu, parent, e.position, e.label, "PAGE", e.page, true}
			}},
		} {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{t.table}, t.columns,
				pgx.CopyFromSlice(len(items), func(i int) ([]any, error) { return t.row(items[i]), nil }))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// levelSizes splits n into levels that grow by the same factor.
func levelSizes(n, levels int) []int {
	low, high := 1.0, float64(n)
	sum := func(factor float64) (s float64) {
		for k := range levels {
			s += math.Pow(factor, float64(k+1))
		}
		return s
	}
	for range 60 {
		if middle := (low + high) / 2; sum(middle) > float64(n) {
			high = middle
		} else {
			low = middle
		}
	}
	sizes := make([]int, levels)
	left := n
	for k := range levels {
		sizes[k] = min(max(1, int(math.Pow(low, float64(k+1)))), left-(levels-1-k))
		if k == levels-1 {
			sizes[k] = left
		}
		left -= sizes[k]
	}
	return sizes
}

var topics = []string{
	"Housing and home", "Children and families", "Mental health", "Work and learning", "Neurological practice",
	"Older people", "Research", "Standards", "Events", "Professional development", "Resources for members",
}
