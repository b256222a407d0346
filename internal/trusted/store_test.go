package trusted_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/trusted"
)

var (
	a = trusted.Entry{ID: "a", Body: "{ a }"}
	b = trusted.Entry{ID: "b", Body: "{ b }"}
	c = trusted.Entry{ID: "c", Body: "{ c }"}
)

// contents returns what is stored, as id → clients.
func contents(t *testing.T, s *trusted.Store, client string) map[string][]string {
	t.Helper()
	docs, err := s.Documents(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, d := range docs {
		out[d.ID] = d.Clients
	}
	return out
}

func TestStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := &trusted.Store{DB: pgtest.Tx(t)}
	last, err := s.Revision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(step string) {
		t.Helper()
		now, err := s.Revision(ctx)
		if err != nil || now <= last {
			t.Errorf("%s: revision %d after %d, %v", step, now, last, err)
		}
		last = now
	}
	add := func(client string, want trusted.Added, entries ...trusted.Entry) {
		t.Helper()
		got, err := s.Add(ctx, client, entries)
		if err != nil || got != want {
			t.Errorf("add for %s: %+v, %v, want %+v", client, got, err, want)
		}
		changed("add for " + client)
	}
	add("web", trusted.Added{New: 2}, a, b)
	add("web", trusted.Added{Known: 2}, a, b)
	add("app", trusted.Added{New: 1, Claimed: 1}, b, c)
	add("web", trusted.Added{Known: 1, Claimed: 1}, a, c)
	if diff := cmp.Diff(map[string][]string{"a": {"web"}, "b": {"app", "web"}, "c": {"app", "web"}}, contents(t, s, "")); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"b": {"app", "web"}, "c": {"app", "web"}}, contents(t, s, "app")); diff != "" {
		t.Errorf("of app (-want +got):\n%s", diff)
	}
	docs, err := s.Documents(ctx, "web")
	if err != nil {
		t.Fatal(err)
	}
	want := &trusted.Document{ID: "a", Body: "{ a }", Clients: []string{"web"}}
	if diff := cmp.Diff(want, docs[0], cmpopts.IgnoreFields(trusted.Document{}, "AddedAt")); diff != "" || docs[0].AddedAt.IsZero() {
		t.Errorf("a (-want +got):\n%s", diff)
	}

	// An id keeps its text, and nothing of a manifest that says otherwise is stored.
	_, err = s.Add(ctx, "web", []trusted.Entry{{ID: "b", Body: "{ other }"}, {ID: "d", Body: "{ d }"}})
	if !errors.Is(err, errs.Conflict) || err.Error() != "trusted.Add(web): stored with another text: b; an id belongs to one text for good, so give the changed document another, or remove the stored one first" {
		t.Errorf("another text: %v", err)
	}
	for _, client := range []string{"", "a b", "é"} {
		if _, err := s.Add(ctx, client, []trusted.Entry{a}); err == nil {
			t.Errorf("a client %q was taken", client)
		}
	}
	if got := contents(t, s, ""); len(got) != 3 {
		t.Errorf("after refused manifests: %v", got)
	}

	for _, step := range []struct {
		client         string
		ids            []string
		taken, deleted int
		left           map[string][]string
	}{
		{"web", []string{"a", "b"}, 2, 1, map[string][]string{"b": {"app"}, "c": {"app", "web"}}},
		{"", []string{"c"}, 1, 1, map[string][]string{"b": {"app"}}},
		{"web", nil, 0, 0, map[string][]string{"b": {"app"}}},
		{"app", nil, 1, 1, map[string][]string{}},
	} {
		taken, deleted, err := s.Remove(ctx, step.client, step.ids)
		if err != nil || taken != step.taken || deleted != step.deleted {
			t.Errorf("remove %q of %q: %d taken, %d deleted, %v", step.ids, step.client, taken, deleted, err)
		}
		if diff := cmp.Diff(step.left, contents(t, s, "")); diff != "" {
			t.Errorf("after remove %q of %q (-want +got):\n%s", step.ids, step.client, diff)
		}
		changed("remove")
	}
}

// TestRemoveUnknown asserts that a wrong id removes nothing of what stands beside it.
func TestRemoveUnknown(t *testing.T) {
	t.Parallel()
	s := &trusted.Store{DB: pgtest.Tx(t)}
	if _, err := s.Add(t.Context(), "web", []trusted.Entry{a, b}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Remove(t.Context(), "web", []string{"a", "x"}); !errors.Is(err, errs.NotFound) {
		t.Errorf("error %v, want not found", err)
	}
	if _, _, err := s.Remove(t.Context(), "app", []string{"a"}); !errors.Is(err, errs.NotFound) {
		t.Errorf("of another client: error %v, want not found", err)
	}
	if _, _, err := s.Remove(t.Context(), "", nil); err == nil {
		t.Error("everything can be removed by leaving everything out")
	}
	if got := contents(t, s, ""); len(got) != 2 {
		t.Errorf("left are %v", got)
	}
}

// TestWritersTogether lets clients add and remove the same documents at once: what
// one has added is never deleted by another's removal.
func TestWritersTogether(t *testing.T) {
	t.Parallel()
	s := &trusted.Store{DB: pgtest.New(t)}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			ctx, client := context.Background(), fmt.Sprintf("client%d", i)
			for range 10 {
				if _, err := s.Add(ctx, client, []trusted.Entry{a, b, c}); err != nil {
					t.Error(err)
				}
				if got := contents(t, s, client); len(got) != 3 {
					t.Errorf("%s has %v", client, got)
				}
				if _, _, err := s.Remove(ctx, client, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := contents(t, s, ""); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

// TestRevisionOfTruncate asserts that what a person does to the table by hand is
// noticed too.
func TestRevisionOfTruncate(t *testing.T) {
	t.Parallel()
	db := pgtest.Tx(t)
	s := &trusted.Store{DB: db}
	for _, sql := range []string{
		`INSERT INTO trusted_documents (id, body) VALUES ('x', '{ x }')`,
		`UPDATE trusted_documents SET body = '{ y }'`,
		`DELETE FROM trusted_documents`,
		`TRUNCATE trusted_documents CASCADE`,
	} {
		before, err := s.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		if after, err := s.Revision(t.Context()); err != nil || after != before+1 {
			t.Errorf("%s: revision %d after %d, %v", sql, after, before, err)
		}
	}
}
