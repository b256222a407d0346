package fresh

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// table is a table that is watched, or the calendar.
type table struct {
	name string
	// changed is the moment at which its last change became known.
	changed atomic.Uint64
}

// today stands for the calendar among the tables: a statement with CURRENT_DATE
// answers differently tomorrow.
const today = "current_date"

// The words of a statement that make it rest on the calendar or, without any write,
// answer differently at any moment. The volatile functions of PostgreSQL come to the
// second.
var (
	ofTheDay  = []string{"today", "tomorrow", "yesterday", "age"}
	unsteady  = []string{"now", "transaction_timestamp", "statement_timestamp", "current_timestamp", "current_time", "localtime", "localtimestamp"}
	ofTheHost = regexp.MustCompile(`^(pg_|txid_|information_schema$)`)
)

// catalog tells which tables a statement reads, by the names that stand in its text
// and in those of the functions it calls and the views it reads. A column or alias that has the name of a
// table counts as that table: then an answer is dropped once too often, and never
// once too seldom.
type catalog struct {
	tables   map[string]*table // nil for a table that is not watched
	oids     []uint32          // of the tables
	bodies   map[string]string // of functions and views, by name
	unsteady map[string]bool
	known    sync.Map // text of a statement → readOf
	// broken are the tables that were meant to be watched.
	broken []string
}

type readOf struct {
	tables []*table
	known  bool
}

// readCatalog reads the tables, and which of them note their changes, and the
// functions and views. A table that was watched before stays the same table.
func readCatalog(ctx context.Context, tx pgx.Tx, before *catalog) (*catalog, error) {
	c := &catalog{tables: map[string]*table{}, bodies: map[string]string{}, unsteady: map[string]bool{}}
	keep := func(name string) *table {
		if before != nil && before.tables[name] != nil {
			return before.tables[name]
		}
		return &table{name: name}
	}
	c.tables[today] = keep(today)
	for _, word := range ofTheDay {
		c.tables[word] = c.tables[today]
	}
	for _, word := range unsteady {
		c.unsteady[word] = true
	}
	// Watched is a plain table whose trigger fires after every kind of statement and
	// whoever writes. A partition or a child is written to under its own name, and what
	// a subscription writes fires no trigger.
	rows, err := tx.Query(ctx, `
		SELECT
			lower(c.relname),
			c.oid,
			COALESCE(
				t.tgenabled = 'A' AND t.tgtype = 60 AND t.tgqual IS NULL AND t.tgattr = ''
				AND c.relkind = 'r' AND NOT c.relhassubclass
				AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
				AND NOT EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid), false),
			t.oid IS NOT NULL
		FROM pg_class c
		LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgfoid = 'note_change'::regproc
		WHERE c.relkind IN ('r', 'p', 'f', 'm', 'S') AND c.relnamespace = (SELECT current_schema()::regnamespace)`)
	if err != nil {
		return nil, err
	}
	var name string
	var oid uint32
	var watched, meant bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &oid, &watched, &meant}, func() error {
		c.oids = append(c.oids, oid)
		switch {
		case watched:
			c.tables[name] = keep(name)
		default:
			c.tables[name] = nil
			if meant {
				c.broken = append(c.broken, name)
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	slices.Sort(c.broken)
	// A view is read as its text. Functions of extensions read no tables.
	rows, err = tx.Query(ctx, `
		SELECT
			lower(c.relname),
			pg_get_viewdef(c.oid),
			false
		FROM pg_class c
		WHERE c.relkind = 'v' AND c.relnamespace = (SELECT current_schema()::regnamespace)
			AND NOT EXISTS (
				SELECT
				FROM pg_depend d
				WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		UNION ALL
		SELECT
			lower(p.proname),
			COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc),
			p.pronamespace = 'pg_catalog'::regnamespace
		FROM pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile = 'v'
			OR p.pronamespace = (SELECT current_schema()::regnamespace)
			AND NOT EXISTS (
				SELECT
				FROM pg_depend d
				WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`)
	if err != nil {
		return nil, err
	}
	var source string
	var volatile bool
	_, err = pgx.ForEachRow(rows, []any{&name, &source, &volatile}, func() error {
		if volatile {
			c.unsteady[name] = true
		} else {
			c.bodies[name] += "\n" + source // functions of one name with other arguments
		}
		return nil
	})
	return c, err
}

// reads returns the tables that a statement reads; false if its answer depends on
// something that is not watched.
func (c *catalog) reads(sql string) ([]*table, bool) {
	if r, ok := c.known.Load(sql); ok {
		return r.(readOf).tables, r.(readOf).known
	}
	r := readOf{known: true}
	c.scan(sql, map[string]bool{}, &r)
	c.known.Store(sql, r)
	return r.tables, r.known
}

var words = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// scan takes words in comments and literals for names too: telling them apart would
// be one more thing that can go wrong.
func (c *catalog) scan(sql string, seen map[string]bool, into *readOf) {
	for _, word := range words.FindAllString(sql, -1) {
		word = strings.ToLower(word)
		if seen[word] {
			continue
		}
		seen[word] = true
		if c.unsteady[word] || ofTheHost.MatchString(word) {
			into.known = false
		}
		if t, ok := c.tables[word]; ok {
			if t == nil {
				into.known = false
			} else if !slices.Contains(into.tables, t) {
				into.tables = append(into.tables, t)
			}
		}
		if body, ok := c.bodies[word]; ok {
			c.scan(body, seen, into)
		}
	}
}
