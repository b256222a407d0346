package member_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

// many makes 50,000 members whom everyone sees and 5,000 whom nobody sees, in two
// regions, every third in the section.
func many(ctx context.Context, db *pgxpool.Pool) error {
	if err := units(ctx, db); err != nil {
		return err
	}
	_, err := db.Exec(ctx, `
		INSERT INTO members (id, key, display_name, sort_name, pronouns, headline, bio, grade, region_id, joined_on,
			listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience,
			joined_on_audience, sections_audience)
		SELECT md5(n::text)::uuid, n::text, 'Given ' || s, s, 'they/them', 'headline of ' || s, repeat('bio ', 50), 'PROFESSIONAL',
			CASE n % 2 WHEN 0 THEN $1::uuid ELSE $2::uuid END, DATE '2000-01-01' + n % 9000, a, a, a, a, a, a, a, a
		FROM generate_series(1, 55000) AS n
		CROSS JOIN LATERAL (SELECT 'Family ' || md5(n::text) AS s, CASE n % 11 WHEN 0 THEN 'NOBODY' ELSE 'PUBLIC' END AS a) x`,
		london, wales)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `
		INSERT INTO section_memberships (member_id, section_id, starts_on)
		SELECT m.id, $1, m.joined_on
		FROM members m
		WHERE m.key::int % 3 = 0`, housing)
	return err
}

// BenchmarkMembers measures the reading of rows: the server's share of a call is
// what its allocations show, PostgreSQL's share is in the time.
func BenchmarkMembers(b *testing.B) {
	store := member.Store{DB: pgtest.NewWith(b, "many", many)}
	ids, err := pg.Scalars[uuid.UUID](b.Context(), store.DB, `SELECT id FROM members WHERE listing_audience = 'PUBLIC' ORDER BY id LIMIT 8`)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name string
		ask  func(ctx context.Context) error
	}{
		{"ByID/1", func(ctx context.Context) error {
			_, err := store.ByID(ctx, viewer.Viewer{}, ids[:1])
			return err
		}},
		{"ByID/8", func(ctx context.Context) error {
			_, err := store.ByID(ctx, viewer.Viewer{}, ids)
			return err
		}},
		{"OfSections/1", func(ctx context.Context) error {
			_, err := store.OfSections(ctx, viewer.Viewer{}, []uuid.UUID{housing}, page.Args{})
			return err
		}},
		{"OfRegions/2", func(ctx context.Context) error {
			_, err := store.OfRegions(ctx, viewer.Viewer{}, []uuid.UUID{london, wales}, page.Args{First: ptr(70)})
			return err
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bb.ask(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPages reads pages of ten by name, the first and the five thousandth:
// they cost the same, since a cursor is looked up in the index and nothing is
// skipped.
func BenchmarkPages(b *testing.B) {
	store := member.Store{DB: pgtest.NewWith(b, "many", many)}
	for _, page5000 := range []bool{false, true} {
		args, name := page.Args{First: ptr(10)}, "Page1"
		if page5000 {
			type key struct{ Name, ID string }
			k, err := pg.One[key](b.Context(), store.DB, `
				SELECT m.sort_name AS name, m.id::text AS id
				FROM members m
				WHERE m.listing_audience = 'PUBLIC'
				ORDER BY m.sort_name COLLATE "und-x-icu", m.id
				OFFSET 4999 * 10 - 1
				LIMIT 1`)
			if err != nil {
				b.Fatal(err)
			}
			args.After, name = ptr(page.Cursor(k.Name, k.ID)), "Page5000"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := store.Members(b.Context(), viewer.Viewer{}, nil, nil, args)
				if err != nil || len(c.Edges) != 10 {
					b.Fatalf("%d members, %v; want 10", len(c.Edges), err)
				}
			}
		})
	}
}

// BenchmarkWhoAsks reads one member for another, who is signed in: by one batch, as the
// graph does it, by a transaction of four round trips, and without saying who asks, which
// is the measure of the two.
func BenchmarkWhoAsks(b *testing.B) {
	db := pgtest.NewWith(b, "many", many)
	ids, err := pg.Scalars[uuid.UUID](b.Context(), db, `SELECT id FROM members WHERE listing_audience = 'PUBLIC' ORDER BY id LIMIT 2`)
	if err != nil {
		b.Fatal(err)
	}
	v := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
	v.MemberID, ids = ids[0], ids[1:2]
	acting, signedIn := pgtest.Acting(b, db), viewer.With(b.Context(), v)
	ask := func(ctx context.Context, q pg.Querier) error {
		of, err := (&member.Store{DB: q}).ByID(ctx, v, ids)
		if err == nil && len(of) != len(ids) {
			err = errs.NotFound
		}
		return err
	}
	ways := []func() error{
		func() error { return ask(b.Context(), acting) },
		func() error { return ask(signedIn, acting) },
		func() error {
			return pgx.BeginFunc(signedIn, acting, func(tx pgx.Tx) error { return ask(signedIn, tx) })
		},
	}
	// One after another, and the medians: a machine that does something else for a while
	// slows them alike.
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			began := time.Now()
			if err := way(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	median := func(i int) float64 {
		slices.Sort(took[i])
		return float64(took[i][len(took[i])/2])
	}
	b.ReportMetric(median(0)/1000, "µs-unsaid")
	b.ReportMetric(median(1)/median(0), "×-batch")
	b.ReportMetric(median(2)/median(0), "×-four-trips")
}
