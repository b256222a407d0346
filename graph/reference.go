package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

// navReader is a *nav.Store or a *nav.Snapshot.
type navReader interface {
	Menu(ctx context.Context, v viewer.Viewer, handle string) (*nav.Menu, error)
	Menus(ctx context.Context, v viewer.Viewer, handles []string) ([]*nav.Menu, error)
	MenusByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*nav.Menu, error)
	ItemsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*nav.Item, error)
	AlsoAt(ctx context.Context, v viewer.Viewer, items []*nav.Item) ([][]*nav.Item, error)
	Context(ctx context.Context, v viewer.Viewer, path, handle string) (*nav.Context, error)
	TrailsOf(ctx context.Context, v viewer.Viewer, handle string, entries []uuid.UUID) (map[uuid.UUID][]*nav.Item, error)
}

// unitReader is a *unit.Store or a *unit.Snapshot.
type unitReader interface {
	Section(ctx context.Context, v viewer.Viewer, slug string) (*unit.Section, error)
	Sections(ctx context.Context, v viewer.Viewer, only *unit.Status) ([]*unit.Section, error)
	SectionsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*unit.Section, error)
	SectionsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (map[uuid.UUID][]*unit.Section, error)
	Region(ctx context.Context, v viewer.Viewer, slug string) (*unit.Region, error)
	Regions(ctx context.Context, v viewer.Viewer, nation *unit.Nation) ([]*unit.Region, error)
	RegionsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*unit.Region, error)
	Committee(ctx context.Context, v viewer.Viewer, slug string) (*unit.Committee, error)
	Committees(ctx context.Context, v viewer.Viewer) ([]*unit.Committee, error)
	CommitteesByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*unit.Committee, error)
	CommitteesOf(ctx context.Context, v viewer.Viewer, units []uuid.UUID) (map[uuid.UUID]*unit.Committee, error)
	PostsOf(ctx context.Context, committees []uuid.UUID) (map[uuid.UUID][]*unit.Post, error)
	PostsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*unit.Post, error)
}

// careerReader is a *career.Store or a *career.Snapshot.
type careerReader interface {
	CaseStudy(ctx context.Context, v viewer.Viewer, slug string) (*career.CaseStudy, error)
	CaseStudies(ctx context.Context, v viewer.Viewer, f *career.Filter, args page.Args) (*career.Connection, error)
	Totals(ctx context.Context, v viewer.Viewer, lists []*career.Connection) ([]int, error)
	ByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*career.CaseStudy, error)
	AtLevels(ctx context.Context, v viewer.Viewer, levels []career.Level) (map[career.Level][]*career.CaseStudy, error)
	Neighbours(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (before, after map[uuid.UUID]*career.CaseStudy, err error)
	Levels(ctx context.Context) ([]*career.CareerLevel, error)
}

// contentReader is a *content.Store or a *content.Snapshot.
type contentReader interface {
	Page(ctx context.Context, v viewer.Viewer, path string) (*content.Page, error)
	Route(ctx context.Context, v viewer.Viewer, path string) (content.Route, error)
	PagesByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*content.Page, error)
	DocumentsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*content.Document, error)
	Organisation(ctx context.Context) (*content.Organisation, error)
}

// pin is the snapshot of one operation: all that it asks of the reference data is
// answered by one, or all by the database.
type pin struct {
	once     sync.Once
	snapshot *snapshot
}

type pinKey struct{}

// pin returns the context of an operation. A mutation reads what it has just
// written, which no snapshot holds.
func (h *Handler) pin(ctx context.Context, op ast.Operation) context.Context {
	if h.snapshots == nil || op != ast.Query {
		return ctx
	}
	return context.WithValue(ctx, pinKey{}, &pin{})
}

// pinned returns the snapshot that the operation of ctx reads; nil if it reads the
// database. The first who asks decides it for the whole operation.
func (r *Resolver) pinned(ctx context.Context) *snapshot {
	p, _ := ctx.Value(pinKey{}).(*pin)
	if p == nil {
		return nil
	}
	p.once.Do(func() { p.snapshot = r.snapshots.current(ctx, viewer.From(ctx)) })
	return p.snapshot
}

// nav returns where the operation of ctx reads menus.
func (r *Resolver) nav(ctx context.Context) navReader {
	if s := r.pinned(ctx); s != nil {
		fresh.RestOn(ctx, s.bases.nav)
		return s.nav
	}
	return &r.db.nav
}

// units returns where the operation of ctx reads sections, regions and committees.
func (r *Resolver) units(ctx context.Context) unitReader {
	if s := r.pinned(ctx); s != nil {
		fresh.RestOn(ctx, s.bases.units)
		return s.units
	}
	return &r.db.units
}

// career returns where the operation of ctx reads case studies.
func (r *Resolver) career(ctx context.Context) careerReader {
	if s := r.pinned(ctx); s != nil {
		fresh.RestOn(ctx, s.bases.career)
		return s.career
	}
	return &r.db.career
}

// content returns where the operation of ctx reads pages and documents, without
// their bodies.
func (r *Resolver) content(ctx context.Context) contentReader {
	if s := r.pinned(ctx); s != nil {
		fresh.RestOn(ctx, s.bases.content)
		return s.content
	}
	return &r.db.content
}

// snapshot is the reference data as one audience sees them: what is small, written
// seldom and read by nearly every operation, read in one transaction. It is never
// changed.
type snapshot struct {
	nav     *nav.Snapshot
	units   *unit.Snapshot
	career  *career.Snapshot
	content *content.Snapshot
	// all is what the snapshot rests on, and bases what its parts do.
	all   fresh.Basis
	bases struct{ nav, units, career, content fresh.Basis }
	// tooLarge says that there is more than may be held, and nothing is.
	tooLarge bool
}

// snapshots keeps a snapshot for each audience that asked.
type snapshots struct {
	resolver *Resolver
	db       *pgxpool.Pool
	watcher  *fresh.Watcher
	maxBytes int
	log      *slog.Logger
	byRole   [viewer.Staff + 1]atomic.Pointer[snapshot]

	answered, missed atomic.Uint64

	mu        sync.Mutex
	loading   bool
	notBefore time.Time
	// retry is how long to wait after a load that failed; zero if the last one didn't.
	retry    time.Duration
	toldSize bool
	stats    ReferenceStats
}

// ReferenceStats says what was done with the reference data in memory.
type ReferenceStats struct {
	// Loads is how often they were loaded, Failures how often that failed, and
	// LoadTime how long all of it took.
	Loads, Failures uint64
	LoadTime        time.Duration
	// Answered is how many operations read them from memory, and Missed how many read
	// them from the database because what was in memory had changed.
	Answered, Missed uint64
}

// ReferenceStats says what was done with the reference data in memory, nothing if
// they aren't kept there.
func (h *Handler) ReferenceStats() ReferenceStats {
	s := h.snapshots
	if s == nil {
		return ReferenceStats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Answered, stats.Missed = s.answered.Load(), s.missed.Load()
	return stats
}

const (
	// Loading takes one part in so many of the time at most, however much is written.
	loadShare = 10
	// loadTimeout is how long the database may take to answer all that is loaded.
	loadTimeout = 30 * time.Second
	// How long to wait after a load that failed: first, and at most.
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// current returns the snapshot of what the viewer sees if it is still what the
// database would answer, else nil; then the next one is on its way.
func (s *snapshots) current(ctx context.Context, v viewer.Viewer) *snapshot {
	if v.Role < 0 || int(v.Role) >= len(s.byRole) {
		return nil
	}
	kept := s.byRole[v.Role].Load()
	switch {
	case !s.watcher.Fresh(ctx):
	case kept == nil || !s.watcher.Holds(kept.all):
		s.reload(v)
	case !kept.tooLarge:
		s.answered.Add(1)
		return kept
	}
	s.missed.Add(1)
	return nil
}

// reload loads the snapshot for the viewer, unless one is being loaded or one was
// loaded just now: then whoever asks later reloads it.
func (s *snapshots) reload(v viewer.Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loading || time.Now().Before(s.notBefore) {
		return
	}
	s.loading = true
	go func() {
		loaded, took, err := s.load(v)
		if err == nil {
			s.byRole[v.Role].Store(loaded)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.loading = false
		s.stats.Loads++
		s.stats.LoadTime += took
		pause := (loadShare - 1) * took
		if err != nil {
			s.stats.Failures++
			if s.retry == 0 {
				s.log.Warn("the reference data can't be loaded; they are read from the database for each operation", "error", err)
			}
			s.retry = min(max(2*s.retry, firstRetry), lastRetry)
			pause = max(pause, s.retry)
		} else {
			s.retry = 0
		}
		s.notBefore = time.Now().Add(pause)
	}()
}

// load reads all, and says how long that took besides waiting for a connection.
func (s *snapshots) load(v viewer.Viewer) (_ *snapshot, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	conn, err := s.db.Acquire(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Release()
	began := time.Now()
	loaded, err := s.read(ctx, conn, v)
	return loaded, time.Since(began), err
}

// read reads all in one transaction, so that it is one state of the database.
func (s *snapshots) read(ctx context.Context, conn *pgxpool.Conn, v viewer.Viewer) (_ *snapshot, err error) {
	defer func() {
		if p := recover(); p != nil { // nobody else would catch it
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	all := s.note(ctx) // from before the transaction on
	nav, units, career, content := s.note(all.ctx), s.note(all.ctx), s.note(all.ctx), s.note(all.ctx)
	loaded := &snapshot{}
	err = pgx.BeginTxFunc(all.ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// The policies hold for what is loaded too.
		if err := pg.Act(all.ctx, tx, viewer.OfRole(v.Role)); err != nil {
			return err
		}
		size, err := referenceSize(all.ctx, tx)
		if err != nil {
			return err
		}
		loaded.tooLarge = size > s.maxBytes
		s.tellSize(loaded.tooLarge, size)
		if loaded.tooLarge {
			return nil
		}
		db := &s.resolver.db
		if loaded.nav, err = db.nav.Snapshot(nav.ctx, tx, v); err != nil {
			return err
		}
		if loaded.units, err = db.units.Snapshot(units.ctx, tx, v); err != nil {
			return err
		}
		if loaded.career, err = db.career.Snapshot(career.ctx, tx, v); err != nil {
			return err
		}
		// Where menus and case studies lead.
		placed := loaded.nav.Entries()
		loaded.content, err = db.content.Snapshot(content.ctx, tx, v,
			unique(slices.Concat(placed["PAGE"], placed["SPECIALIST_SECTION"], placed["REGION"], loaded.units.Pages())),
			unique(slices.Concat(placed["DOCUMENT"], loaded.career.Documents())))
		return err
	})
	if err != nil {
		return nil, err
	}
	b := &loaded.bases
	for _, part := range []struct {
		noted noted
		basis *fresh.Basis
	}{{all, &loaded.all}, {nav, &b.nav}, {units, &b.units}, {career, &b.career}, {content, &b.content}} {
		var known bool
		if *part.basis, known = part.noted.reading.Basis(); !known {
			return nil, errors.New("nobody learns when what it rests on changes")
		}
	}
	return loaded, nil
}

// noted is a context in which what is read is noted.
type noted struct {
	ctx     context.Context
	reading *fresh.Reading
}

func (s *snapshots) note(ctx context.Context) noted {
	ctx, reading := s.watcher.Begin(ctx)
	return noted{ctx, reading}
}

// tellSize says once that there is too much to be held.
func (s *snapshots) tellSize(tooLarge bool, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tooLarge && !s.toldSize {
		s.log.Warn("the reference data are too large for memory; they are read from the database for each operation",
			"mib", bytes>>20, "most_mib", s.maxBytes>>20)
	}
	s.toldSize = tooLarge
}

// referenceSize estimates how many bytes of memory the reference data takes, for
// the audience that sees all of it.
func referenceSize(ctx context.Context, db pg.Querier) (int, error) {
	return pg.Scalar[int](ctx, db, `
		SELECT COALESCE(sum(x.bytes), 0)::bigint
		FROM (
			SELECT 1000 + octet_length(i.label) + COALESCE(octet_length(e.title || e.summary), 0) AS bytes
			FROM menu_items i
			LEFT JOIN entries e ON e.id = i.entry_id
			UNION ALL
			SELECT 150 + octet_length(r.path)
			FROM routes r
			WHERE r.kind = 'REDIRECT' AND r.entry_id IN (SELECT i.entry_id FROM menu_items i)
			UNION ALL
			SELECT 1500 + octet_length(e.title || e.summary || u.local_names::text)
			FROM units u
			JOIN entries e ON e.id = u.id
			UNION ALL
			SELECT 500 + octet_length(c.name)
			FROM committees c
			UNION ALL
			SELECT 300 + octet_length(p.title)
			FROM posts p
			UNION ALL
			SELECT 1500 + octet_length(e.title || e.summary || c.headline || COALESCE(c.setting, ''))
			FROM case_studies c
			JOIN entries e ON e.id = c.entry_id
		) x`)
}
