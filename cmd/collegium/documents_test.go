package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/trusted"
)

// TestServeTrusted runs a server that answers trusted documents only, and trusts a
// document while it runs.
func TestServeTrusted(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": pgtest.EmptyDSN(t), "COLLEGIUM_DOCUMENTS": "trusted"}
	getenv := func(name string) string { return env[name] }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--demo", "yes", "--demo-members", "10", "--log-format", "json", "--mail", t.TempDir()}, getenv, io.Discard, stderr)
		stderr.Close()
	}()
	address := ""
	for lines := bufio.NewScanner(logs); address == "" && lines.Scan(); {
		var line struct{ Msg, Graph string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			address = line.Graph
		}
	}
	if address == "" {
		t.Fatal("the server did not say where it serves")
	}
	go io.Copy(io.Discard, logs) //nolint:errcheck // what comes later is not looked at
	client := http.Client{Timeout: 30 * time.Second}
	get := func(target string) (int, string) {
		t.Helper()
		resp, err := client.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}

	if status, body := get(address + "?query=" + url.QueryEscape(`query Items { menu(handle: "main") { itemCount } }`)); status != http.StatusForbidden || !strings.Contains(body, `"FORBIDDEN"`) {
		t.Errorf("before: %d %s", status, body)
	}
	if _, page := get(strings.TrimSuffix(address, "graphql")); !strings.Contains(page, "case studies") {
		t.Errorf("the start page does not say what is served:\n%s", page)
	}
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(manifest, []byte(`{"items.v1": "query Items { menu(handle: \"main\") { itemCount } }"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := run(ctx, []string{"documents", "add", manifest, "--client", "web"}, getenv, &out, &out); code != exitOK {
		t.Fatalf("documents add: exit code %d\n%s", code, &out)
	}
	began := time.Now()
	for {
		status, body := get(address + "?documentId=items.v1")
		if status == http.StatusOK {
			if want := `{"data":{"menu":{"itemCount":312}}}`; body != want {
				t.Errorf("got %s, want %s", body, want)
			}
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("the document is not trusted: %d %s", status, body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("trusted after %v", time.Since(began))
	if _, metrics := get(strings.TrimSuffix(address, "graphql") + "metrics"); !strings.Contains(metrics, "\ncollegium_documents_trusted 1\n") {
		t.Errorf("the metrics do not count the trusted document:\n%s", metrics)
	}
	cancel()
	select {
	case got := <-code:
		if got != exitOK {
			t.Errorf("exit code %d after an orderly stop, want 0", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("the server did not stop")
	}
}

// TestVerifyStored checks documents that were stored when the schema was another.
func TestVerifyStored(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	pool, err := pg.Open(t.Context(), dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store := trusted.Store{DB: pool}
	for client, entries := range map[string][]trusted.Entry{
		"web": {{ID: "Broken", Body: "query Broken { nothing }"}, {ID: "Fine", Body: "{ menus { handle } }"}},
		"ios": {{ID: "Fine", Body: "{ menus { handle } }"}},
	} {
		if _, err := store.Add(t.Context(), client, entries); err != nil {
			t.Fatal(err)
		}
	}
	var out, stderr strings.Builder
	code := run(t.Context(), []string{"documents", "verify", "--database-url", dsn}, func(string) string { return "" }, &out, &stderr)
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if diff := cmp.Diff("Broken (query Broken; web): line 1, column 16: Cannot query field \"nothing\" on type \"Query\".\n", out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("collegium: 1 of 2 documents can't be run on the schema of this program\n", stderr.String()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
