package pg

import (
	"context"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement is what is known of a text of SQL once it has been sent: its form with numbered arguments, and how its rows
// become structs. Finding that out anew for every call costs more than most answers do.
type statement struct {
	// text is the SQL with $1, $2 … in place of the names; it is empty if the arguments have no names.
	text  string
	names []string // of $1, $2 …

	// shapes holds a *shape for each struct that rows were read into. There is hardly ever a second one.
	shapes atomic.Pointer[[]*shape]
}

// known holds the statements by their text. It is copied to add one, so that reading it takes no lock.
var known struct {
	sync.Mutex // held to write
	statements atomic.Pointer[map[string]*statement]
}

// maxKnown bounds how many statements are kept. Texts are static, so there are some hundreds; a program that makes up
// texts is served too, at the old price.
const maxKnown = 1000

// statementOf returns what is known of the text. args are those of this call.
func statementOf(sql string, args []any) *statement {
	if all := known.statements.Load(); all != nil {
		if st := (*all)[sql]; st != nil {
			return st
		}
	}
	st := &statement{}
	if len(args) > 0 {
		if named, ok := args[0].(pgx.StrictNamedArgs); ok {
			// With its own name as the value of each argument the driver tells the order.
			probe := make(pgx.StrictNamedArgs, len(named))
			for name := range named {
				probe[name] = name
			}
			text, names, err := probe.RewriteQuery(context.Background(), nil, sql, nil)
			if err != nil {
				return st // the driver will say what is wrong
			}
			st.text = text
			for _, name := range names {
				st.names = append(st.names, name.(string))
			}
		}
	}
	known.Lock()
	defer known.Unlock()
	all := map[string]*statement{sql: st}
	if before := known.statements.Load(); before != nil {
		if len(*before) >= maxKnown {
			return st
		}
		maps.Copy(all, *before)
	}
	known.statements.Store(&all)
	return st
}

// arguments puts the arguments of a call in the order of a statement. It is the driver's StrictNamedArgs without
// reading the text again.
type arguments struct {
	statement *statement
	named     pgx.StrictNamedArgs
}

// RewriteQuery is called by the driver, after a tracer has seen the text with names.
func (a *arguments) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, args []any) (string, []any, error) {
	ordered := make([]any, len(a.statement.names))
	for i, name := range a.statement.names {
		v, ok := a.named[name]
		if !ok {
			return a.named.RewriteQuery(ctx, conn, sql, args) // which says what is missing
		}
		ordered[i] = v
	}
	if len(a.named) != len(ordered) || a.statement.text == "" {
		return a.named.RewriteQuery(ctx, conn, sql, args) // which says what is too much
	}
	return a.statement.text, ordered, nil
}

// query sends sql. Named arguments take the short way.
func query(ctx context.Context, q Querier, sql string, args []any) (pgx.Rows, *statement, error) {
	st := statementOf(sql, args)
	if len(args) > 0 {
		if named, ok := args[0].(pgx.StrictNamedArgs); ok {
			rows, err := q.Query(ctx, sql, &arguments{st, named})
			return rows, st, err
		}
	}
	rows, err := q.Query(ctx, sql, args...)
	return rows, st, err
}

// shape returns how rows with the columns become a t.
func (st *statement) shape(t reflect.Type, columns []pgconn.FieldDescription) (*shape, error) {
	var others []*shape
	if all := st.shapes.Load(); all != nil {
		for _, s := range *all {
			if s.of != t {
				others = append(others, s)
			} else if s.fits(columns) {
				return s, nil
			}
		}
	}
	s, err := newShape(t, columns)
	if err != nil {
		return nil, err
	}
	all := append(others, s)
	st.shapes.Store(&all)
	return s, nil
}
