package fresh

import (
	"context"
	"regexp"
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

// unknowable are the words of a statement whose answer may change at any moment
// without any write.
var unknowable = map[string]bool{
	"now": true, "clock_timestamp": true, "statement_timestamp": true, "transaction_timestamp": true,
	"current_timestamp": true, "current_time": true, "localtime": true, "localtimestamp": true, "timeofday": true,
	"random": true, "gen_random_uuid": true, "nextval": true, "currval": true, "lastval": true,
}

// catalog tells which tables a statement reads, by the names that stand in its text
// and in those of the functions and views it calls. A column or alias that has the
// name of a table counts as that table: then an answer is dropped once too often,
// and never once too seldom.
type catalog struct {
	tables map[string]*table // nil for a table that is not watched
	bodies map[string]string // of functions and views, by name
	known  sync.Map          // text of a statement → readOf
}

type readOf struct {
	tables []*table
	known  bool
}

// readCatalog reads the tables, and which of them note their changes, the functions
// and the views. A table that was watched before stays the same table.
func readCatalog(ctx context.Context, conn *pgx.Conn, before *catalog) (*catalog, error) {
	c := &catalog{tables: map[string]*table{}, bodies: map[string]string{}}
	keep := func(name string) *table {
		if before != nil && before.tables[name] != nil {
			return before.tables[name]
		}
		return &table{name: name}
	}
	c.tables[today] = keep(today)
	rows, err := conn.Query(ctx, `
		SELECT
			c.relname,
			EXISTS (
				SELECT
				FROM pg_trigger t
				JOIN pg_proc p ON p.oid = t.tgfoid
				WHERE t.tgrelid = c.oid AND p.proname = 'note_change' AND t.tgenabled <> 'D'),
			CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
		FROM pg_class c
		WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relnamespace = current_schema()::regnamespace`)
	if err != nil {
		return nil, err
	}
	var name string
	var watched bool
	var body *string
	if _, err := pgx.ForEachRow(rows, []any{&name, &watched, &body}, func() error {
		switch {
		case body != nil:
			c.bodies[name] = *body
		case watched:
			c.tables[name] = keep(name)
		default:
			c.tables[name] = nil
		}
		return nil
	}); err != nil {
		return nil, err
	}
	// Those of extensions read no tables.
	rows, err = conn.Query(ctx, `
		SELECT
			p.proname,
			COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc)
		FROM pg_proc p
		WHERE p.pronamespace = current_schema()::regnamespace
			AND p.prokind IN ('f', 'p')
			AND NOT EXISTS (
				SELECT
				FROM pg_depend d
				WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`)
	if err != nil {
		return nil, err
	}
	var source string
	_, err = pgx.ForEachRow(rows, []any{&name, &source}, func() error {
		c.bodies[name] += "\n" + source // functions of one name with other arguments
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
	seen := map[string]bool{}
	c.scan(sql, seen, &r)
	c.known.Store(sql, r)
	return r.tables, r.known
}

var (
	words    = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
	comments = regexp.MustCompile(`--[^\n]*`)
)

func (c *catalog) scan(sql string, seen map[string]bool, into *readOf) {
	for _, word := range words.FindAllString(comments.ReplaceAllString(sql, ""), -1) {
		word = strings.ToLower(word)
		if seen[word] {
			continue
		}
		seen[word] = true
		if unknowable[word] {
			into.known = false
		}
		if t, ok := c.tables[word]; ok {
			if t == nil {
				into.known = false
				continue
			}
			into.tables = append(into.tables, t)
		}
		if body, ok := c.bodies[word]; ok {
			c.scan(body, seen, into)
		}
	}
}
