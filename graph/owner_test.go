package graph

import (
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
)

// asOwner are the stores that the graph has and that ask with the rights of whoever owns the
// tables, so that no policy holds for them; each with the reason.
var asOwner = map[string]string{
	"accounts":    "to sign somebody in, rows are read of whom nobody has said yet who asks: password hashes, sessions, keys, roles, and whether a membership lasts",
	"privacy.Own": "who is erased and what they are given is read whole, and only for the account itself",
}

// TestWhoAsksAsOwner looks at which connection each store of the graph has.
func TestWhoAsksAsOwner(t *testing.T) {
	t.Parallel()
	graphs, owners := &pgxpool.Pool{}, &pgxpool.Pool{}
	r := NewResolver(graphs, &identity.Store{DB: pg.Acting{Pool: owners}})
	querier := reflect.TypeFor[pg.Querier]()
	seen := map[string]bool{}
	look := func(name string, v reflect.Value) {
		t.Helper()
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Type != querier {
				continue
			}
			at := name
			if f.Name != "DB" {
				at += "." + f.Name
			}
			pool := v.Field(i).Elem().FieldByName("Pool").Pointer()
			switch {
			case pool == reflect.ValueOf(owners).Pointer():
				seen[at] = true
				if asOwner[at] == "" {
					t.Errorf("%s asks with the rights of the owner, whom no policy holds: say in asOwner why", at)
				}
			case pool != reflect.ValueOf(graphs).Pointer():
				t.Errorf("%s asks over a connection of its own", at)
			}
		}
	}
	look("accounts", reflect.ValueOf(*r.accounts))
	stores := reflect.ValueOf(r.db)
	for i := range stores.NumField() {
		look(stores.Type().Field(i).Name, stores.Field(i))
	}
	for name := range asOwner {
		if !seen[name] {
			t.Errorf("%s does not ask as the owner", name)
		}
	}
}
