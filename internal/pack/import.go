package pack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// ImportOptions tune Import.
type ImportOptions struct {
	// DryRun does everything and rolls it back.
	DryRun bool
	// Progress, if set, is told how many of the things that differ have been
	// written, of how many, and of which kind the last ones were.
	Progress func(done, total int, what string)
}

// Import makes the database say what a pack says, in one transaction; editors
// wait while it runs, readers do not. What is the same is not touched.
//
// The pack is the whole truth about content: what it does not have is removed,
// and the paths of removed entries become gone. It is not the truth about
// people: members are created and changed, never removed. If members outside the
// pack depend on something that it does not have, nothing is imported and the
// error (errs.Conflict) says which.
func Import(ctx context.Context, pool *pgxpool.Pool, p *Pack, opts ImportOptions) (_ *Report, err error) {
	defer errs.Wrap(&err, "pack.Import(%s)", p.name)
	tx, err := pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	// A statement of an import, and the comparison between two, may take longer
	// than those of a request.
	for _, sql := range []string{`SET LOCAL statement_timeout = '5min'`, `SET LOCAL idle_in_transaction_session_timeout = '5min'`} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	// Editors wait, so that what is compared is what is changed.
	_, err = tx.Exec(ctx, `
		LOCK TABLE organisation, entries, routes, pages, documents, document_alternatives, blocks, block_entries, menus, menu_items, units, members,
			section_memberships, committees, posts, terms, career_levels, case_studies
		IN SHARE ROW EXCLUSIVE MODE`)
	if err != nil {
		return nil, err
	}
	have, err := load(ctx, tx)
	if err != nil {
		return nil, err
	}
	want := p.things()
	left := leaving(have.Pack, p)
	for _, g := range left {
		want = append(want, g.thing())
	}
	report := newReport(p, want, diff(have.things(), want), opts.DryRun)
	if report.Changed() {
		im := &importer{tx: tx, have: have, pack: p, gone: slices.Concat(p.gone, left), progress: opts.Progress, total: len(report.Changes), changes: map[thingID]Action{}}
		for _, c := range report.Changes {
			im.changes[thingID{c.Kind, c.Key}] = c.Action
		}
		report.Warnings = slices.Concat(report.Warnings, im.moved())
		if err := im.apply(ctx); err != nil {
			return nil, err
		}
	}
	if opts.DryRun {
		return report, nil
	}
	return report, tx.Commit(ctx)
}

// importer is one import on its way.
type importer struct {
	tx       pgx.Tx
	have     *stored
	pack     *Pack
	units    map[unitID]*unit // by slug, once they are asked for
	gone     []*gone          // of the pack and of what it removes
	changes  map[thingID]Action
	progress func(done, total int, what string)
	done     int
	total    int
}

// row is a row on its way to the database, by column.
type row map[string]any

// null returns nil for an empty text.
func null[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// differs says whether a thing of the pack is to be written.
func (im *importer) differs(kind, key string) bool {
	_, ok := im.changes[thingID{kind, key}]
	return ok
}

// removed returns the keys of the things of a kind that the pack does not have.
func (im *importer) removed(kind string) []string {
	var keys []string
	for id, action := range im.changes {
		if id.kind == kind && action == Removed {
			keys = append(keys, id.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// removedIDs is removed, as IDs of rows; rows is the kind of node.Keyed.
func (im *importer) removedIDs(kind, rows string) []uuid.UUID {
	keys := im.removed(kind)
	ids := make([]uuid.UUID, len(keys))
	for i, k := range keys {
		ids[i] = im.have.id(rows, k)
	}
	return ids
}

// write runs sql once for every 5,000 rows, which it finds as JSON in @rows.
func (im *importer) write(ctx context.Context, sql string, rows []row) error {
	for part := range slices.Chunk(rows, rowsAtOnce) {
		asJSON, err := json.Marshal(part)
		if err != nil {
			return err
		}
		if _, err := im.tx.Exec(ctx, sql, pgx.StrictNamedArgs{"rows": string(asJSON)}); err != nil {
			return err
		}
	}
	return nil
}

// report tells that the things of some kinds have been written.
func (im *importer) report(kinds ...string) {
	n := 0
	for id := range im.changes {
		if slices.Contains(kinds, id.kind) {
			n++
		}
	}
	im.done += n
	if im.progress != nil && n > 0 {
		im.progress(im.done, im.total, kinds[0])
	}
}

// apply writes the changes. What leaves makes room first, is removed last, and
// what comes stands in between, so that references always have an end.
func (im *importer) apply(ctx context.Context) error {
	for _, step := range []struct {
		do    func(context.Context) error
		kinds []string
	}{
		{do: im.refuse},
		{do: im.makeRoom},
		{im.writeOrganisation, []string{organisationKind}},
		{im.writeEntries, nil},
		{im.writePages, []string{pageKind}},
		{im.writeDocuments, []string{documentKind}},
		{im.writeUnits, nil},
		{im.writePeople, []string{personKind}},
		{im.writeCommittees, nil},
		{im.writeCareers, []string{caseStudyKind}},
		{im.writeRoutes, []string{redirectKind, goneKind}},
		{im.writeMenus, []string{menuItemKind, menuKind}},
		{im.remove, []string{unitKind, committeeKind, postKind, termKind, levelKind}},
		// A dry run finds out too what is checked at the end.
		{do: func(ctx context.Context) error {
			_, err := im.tx.Exec(ctx, `SET CONSTRAINTS ALL IMMEDIATE`)
			return err
		}},
	} {
		if err := step.do(ctx); err != nil {
			return err
		}
		im.report(step.kinds...)
	}
	return nil
}

// refuse reports what cannot be removed, since members outside the pack depend
// on it.
func (im *importer) refuse(ctx context.Context) error {
	units := im.removedIDs(unitKind, "entry")
	posts := im.removedIDs(postKind, "post")
	var people []string
	for _, p := range im.pack.people {
		people = append(people, personKey(p.Key))
	}
	type obstacle struct {
		What  string
		Count int
	}
	found, err := pg.All[obstacle](ctx, im.tx, `
		SELECT
			'the region ' || u.slug AS what,
			count(*) AS count
		FROM members m
		JOIN units u ON u.id = m.region_id
		WHERE u.id = ANY(@units) AND m.key <> ALL(@people)
		GROUP BY u.slug
		UNION ALL
		SELECT
			'the section ' || u.slug,
			count(DISTINCT m.id)
		FROM section_memberships sm
		JOIN members m ON m.id = sm.member_id
		JOIN units u ON u.id = sm.section_id
		WHERE u.id = ANY(@units) AND m.key <> ALL(@people)
		GROUP BY u.slug
		UNION ALL
		SELECT
			'the post ' || p.key,
			count(DISTINCT m.id)
		FROM terms t
		JOIN members m ON m.id = t.member_id
		JOIN posts p ON p.id = t.post_id
		WHERE p.id = ANY(@posts) AND m.key NOT LIKE 'person:%'
		GROUP BY p.key
		ORDER BY what`,
		pgx.StrictNamedArgs{"units": units, "posts": posts, "people": append([]string{}, people...)})
	if err != nil || len(found) == 0 {
		return err
	}
	text := ""
	for _, o := range found {
		text += fmt.Sprintf("\n%s is not in the pack, but %s outside the pack belong to it, or did", o.What, countOf(o.Count, "member"))
	}
	return fmt.Errorf("%w: nothing was imported; put these back, and close them with dissolvedOn or terms that end:%s", errs.Conflict, text)
}

// moved warns of paths that would lead nowhere, since a thing has a new one.
func (im *importer) moved() []Problem {
	paths := map[Key]Path{}
	taken := map[Path]bool{}
	im.have.eachEntry(func(e *entry, _ any) { paths[e.Key] = e.Path })
	im.pack.eachEntry(func(e *entry, _ any) { taken[e.Path] = true })
	for _, r := range im.pack.redirects {
		taken[r.From] = true
	}
	for _, g := range im.pack.gone {
		taken[g.Path] = true
	}
	var warnings []Problem
	im.pack.eachEntry(func(e *entry, x any) {
		if before := paths[e.Key]; before != "" && before != e.Path && !taken[before] && len(warnings) < maxProblems {
			at := im.pack.at.of(x)
			warnings = append(warnings, Problem{File: at.file, Line: at.line, Message: fmt.Sprintf("%s moves here from %s, which then leads nowhere; write redirectFrom: [%s]", e.Key, before, before)})
		}
	})
	return warnings
}
