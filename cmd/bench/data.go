package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
)

// seed makes the members; largeLevels is how deep the large menu is.
const (
	seed        = 1
	largeLevels = 8
)

// sizes are how much there is to ask of.
type sizes struct {
	// Items is how many items the large menu has, Members how many people there
	// are.
	Items   int `json:"largeMenuItems"`
	Members int `json:"members"`
}

// addDatabase creates an empty database on the server and returns its address.
func addDatabase(ctx context.Context, dsn, name string) (string, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("the address of the database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// fill migrates an empty database and loads the data: the demo body with its
// main menu, a large menu, members, and what the questions need of them. It
// returns what there is to ask of.
func fill(ctx context.Context, dsn string, s sizes, say func(string, ...any)) (subjects, error) {
	if _, _, err := pg.Migrate(ctx, dsn); err != nil {
		return subjects{}, err
	}
	pool, err := pg.Open(ctx, dsn, pg.Options{StatementTimeout: -1, IdleInTransactionTimeout: -1})
	if err != nil {
		return subjects{}, err
	}
	defer pool.Close()
	demo, err := pack.Read(pack.Demo())
	if err != nil {
		return subjects{}, err
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"the demo body", func() error {
			_, err := pack.Import(ctx, pool, demo, pack.ImportOptions{})
			return err
		}},
		{fmt.Sprintf("a menu of %d items", s.Items), func() error {
			return addMenu(ctx, pool, tree(s.Items, largeLevels))
		}},
		{fmt.Sprintf("%d members", s.Members), func() error {
			_, err := pack.GenerateMembers(ctx, pool, s.Members, seed, nil)
			return err
		}},
		{"audiences and case studies", func() error { return prepare(ctx, pool) }},
	} {
		began := time.Now()
		if err := step.run(); err != nil {
			return subjects{}, fmt.Errorf("load %s: %w", step.name, err)
		}
		say("loaded %s in %v", step.name, time.Since(began).Round(time.Millisecond))
	}
	return find(ctx, pool)
}

// prepare lets everyone see nine members of ten in full, so that answers are as
// long as they get while the rules of access still have something to hide, and
// makes the case studies about members and regions.
func prepare(ctx context.Context, pool *pgxpool.Pool) error {
	for _, sql := range []string{
		`UPDATE members SET
			listing_audience = 'PUBLIC',
			pronouns_audience = 'PUBLIC',
			headline_audience = 'PUBLIC',
			bio_audience = 'PUBLIC',
			grade_audience = 'PUBLIC',
			region_audience = 'PUBLIC',
			joined_on_audience = 'PUBLIC',
			sections_audience = 'PUBLIC'
		WHERE key NOT LIKE '%7'`,
		`WITH studies AS (
			SELECT c.entry_id, row_number() OVER (ORDER BY c.entry_id) AS n FROM case_studies c
		), people AS (
			SELECT x.id, x.region_id, row_number() OVER (ORDER BY x.key) AS n
			FROM (
				SELECT m.id, m.key, m.region_id
				FROM members m
				WHERE m.region_id IS NOT NULL
					AND m.listing_audience = 'PUBLIC'
					AND (SELECT count(*) FROM section_memberships sm WHERE sm.member_id = m.id AND sm.ends_on IS NULL) >= 2
				ORDER BY m.key
				LIMIT 100
			) x
		)
		UPDATE case_studies c SET member_id = p.id, region_id = p.region_id
		FROM studies s
		JOIN people p USING (n)
		WHERE c.entry_id = s.entry_id`,
		// The update above has left a dead row for each live one.
		`VACUUM FULL members`,
		`VACUUM ANALYZE`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// find looks for what the questions ask of.
func find(ctx context.Context, pool *pgxpool.Pool) (s subjects, err error) {
	s.sections, err = pg.Scalars[string](ctx, pool, `
		SELECT u.slug
		FROM units u
		WHERE u.kind = 'SPECIALIST_SECTION' AND u.dissolved_on IS NULL
		ORDER BY u.position`)
	if err != nil {
		return s, err
	}
	s.members, err = pg.Scalars[uuid.UUID](ctx, pool, `
		SELECT m.id
		FROM members m
		WHERE m.listing_audience = 'PUBLIC' AND m.bio_audience = 'PUBLIC' AND m.bio IS NOT NULL
		ORDER BY md5(m.key)
		LIMIT 64`)
	if err != nil {
		return s, err
	}
	for handle, depth := range map[string]*int{"main": &s.mainDepth, largeMenu: &s.largeDepth} {
		*depth, err = pg.Scalar[int](ctx, pool, `
			WITH RECURSIVE walk AS (
				SELECT i.id, 1 AS depth
				FROM menu_items i
				JOIN menus m ON m.id = i.menu_id
				WHERE m.handle = @handle AND i.parent_id IS NULL
				UNION ALL
				SELECT i.id, w.depth + 1
				FROM menu_items i
				JOIN walk w ON i.parent_id = w.id
			)
			SELECT COALESCE(max(depth), 0) FROM walk`,
			pgx.StrictNamedArgs{"handle": handle})
		if err != nil {
			return s, err
		}
	}
	if len(s.sections) == 0 || len(s.members) == 0 || s.mainDepth == 0 || s.largeDepth == 0 {
		return s, fmt.Errorf("the data have too little to ask of: %+v", s)
	}
	return s, nil
}
