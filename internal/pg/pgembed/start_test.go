//go:build unix

package pgembed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the schema and the search need of the server, whichever account and programs it has.
func checkServer(t *testing.T, dsn string) {
	t.Helper()
	for sql, want := range map[string]string{
		`SELECT current_database()`:                     "collegium",
		`SELECT ('ÉCLAIR' ILIKE '%éclair%')::text`:      "true",
		`SELECT lower('ÅSA Ünal')`:                      "åsa ünal",
		`SELECT to_tsvector('english', 'Éclair')::text`: "'éclair':1",
		`SELECT string_agg(w, ' ' ORDER BY w COLLATE "und-x-icu") FROM unnest('{zoo,Émile,eve}'::text[]) w`: "Émile eve zoo",
		`SHOW listen_addresses`: "",
		`SHOW jit`:              "off",
		`SHOW shared_buffers`:   "128MB",
		`SHOW TimeZone`:         "UTC",
		`SHOW server_encoding`:  "UTF8",
	} {
		if got := ask(t, dsn, sql); got != want {
			t.Errorf("%s = %q, want %q", sql, got, want)
		}
	}
	ask(t, dsn, `CREATE EXTENSION IF NOT EXISTS unaccent`)
	ask(t, dsn, `CREATE EXTENSION IF NOT EXISTS pg_trgm`)
	if got := ask(t, dsn, `SELECT unaccent('Café') || ' ' || (similarity('membership', 'memebrship') > 0.3)::text`); got != "Cafe true" {
		t.Errorf("unaccent and pg_trgm answer %q", got)
	}
}

func TestStartStopStart(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := filepath.Join(tempDir(t), "data")
	s := mustStart(t, Options{DataDir: dir})
	checkServer(t, s.DSN())
	if got := ask(t, s.DSN(), `SHOW fsync`); got != "on" {
		t.Errorf("fsync = %s for data that matter", got)
	}
	ask(t, s.DSN(), `CREATE TABLE kept AS SELECT 'still here' AS said`)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Stop")
	}
	if !gone(s.info.Postgres) {
		t.Error("the server runs on after Stop")
	}
	if _, err := os.Stat(s.socketDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder after Stop: %v", err)
	}

	again := mustStart(t, Options{DataDir: dir, Progress: func(step string) { t.Errorf("a warm start took its time: %s", step) }})
	if got := ask(t, again.DSN(), `SELECT said FROM kept`); got != "still here" {
		t.Errorf("after a restart the table says %q", got)
	}
}

// As root the server must be another account's, and its folders closed to all others.
func TestRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	needPostgres(t)
	for _, name := range []string{"postgres", "nobody"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			acct, err := dropTo("no-such-account", name)
			if err != nil {
				t.Skip(err)
			}
			s := &Server{}
			if err := s.start(t.Context(), Options{DataDir: filepath.Join(tempDir(t), "data"), FsyncOff: true}, newSearch(acct)); err != nil {
				s.abandon()
				t.Fatal(err)
			}
			defer s.Stop(context.Background())
			checkServer(t, s.DSN())
			fi, err := os.Stat("/proc/" + strconv.Itoa(s.info.Postgres))
			if err != nil {
				t.Fatal(err)
			}
			if !acct.owns(fi) {
				uid, _ := owner(fi)
				t.Errorf("the server runs as %s, want %s", accountName(uid), name)
			}
			for _, dir := range []string{s.dataDir, s.socketDir} {
				if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 || !acct.owns(fi) {
					t.Errorf("%s: %v, %v; want mode 0700 and owner %s", dir, fi.Mode(), err, name)
				}
			}
		})
	}
}

// Root finds no account to run the server as: the error must say what to do.
func TestRootWithoutAccount(t *testing.T) {
	t.Parallel()
	_, err := dropTo("no-such-account", "nor-this-one")
	if err == nil || !strings.Contains(err.Error(), "ordinary user") || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("error = %v; want one that says how to go on", err)
	}
}

// Root's home is closed: the error must name the folder that is in the way.
func TestRootUnreachableFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{DataDir: filepath.Join(closed, "data")})
	if err == nil || !strings.Contains(err.Error(), "can't enter "+closed) {
		t.Errorf("error = %v; want one that names %s", err, closed)
	}
}

// Someone who is not root runs the server as themselves.
func TestNonRoot(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	var acct account
	base := tempDir(t)
	if os.Getuid() == 0 {
		var err error
		if acct, err = dropTo("nobody"); err != nil {
			t.Skip(err)
		}
		if err := acct.own(base); err != nil {
			t.Fatal(err)
		}
	}
	p := startProgram(t, Options{FsyncOff: true}, acct, "XDG_DATA_HOME="+base, "HOME=/nonexistent")
	if want := filepath.Join(base, "collegium"); p.Dir != want {
		t.Errorf("data in %s, want %s", p.Dir, want)
	}
	checkServer(t, p.Info.DSN)
	fi, err := os.Stat("/proc/" + strconv.Itoa(p.Info.Postgres))
	if err != nil {
		t.Fatal(err)
	}
	if uid, _ := owner(fi); acct.drop && uid != acct.uid {
		t.Errorf("the server runs as %s, want nobody", accountName(uid))
	}
}

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	for _, idle := range []string{dir, filepath.Join(dir, "not-there")} {
		if _, err := Join(t.Context(), idle); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Join where nothing runs: %v, want ErrNotRunning", err)
		}
	}
	p := startProgram(t, Options{DataDir: dir, FsyncOff: true}, account{})

	_, err := Start(t.Context(), Options{DataDir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(p.cmd.Process.Pid)) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second Start: %v; want ErrInUse with the process and the folder", err)
	}
	s, err := StartOrJoin(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Joined() || s.DSN() != p.Info.DSN || s.Version() == "" {
		t.Errorf("joined = %t, %s; want the other process's %s", s.Joined(), s.DSN(), p.Info.DSN)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s.DSN(), `SELECT 'runs on'`); got != "runs on" {
		t.Error("Stop of a joined server stopped it")
	}

	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := Join(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Join after the other process ended: %v, want ErrNotRunning", err)
	}
}

// While another process is still starting its server, Join waits no longer than asked to. A server.json of an earlier,
// killed process must not be taken for the new one's.
func TestJoinWhileStarting(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	lock, err := acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	stale := `{"supervisor": 1, "dsn": "postgres://nowhere"}`
	if err := os.WriteFile(filepath.Join(dir, infoFile), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if s, err := Join(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Join = %v, %v; want a deadline", s, err)
	}
}

func TestEphemeral(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	s := mustStart(t, Options{Ephemeral: true})
	if got := ask(t, s.DSN(), `SHOW fsync`); got != "off" {
		t.Errorf("fsync = %s for data that go away", got)
	}
	for range 2 { // the second does nothing
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{s.dataDir, s.socketDir} {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after Stop: %v", dir, err)
		}
	}
}

// Whatever libpq's variables say in our environment must reach neither the server nor the connection to it.
func TestHostileEnvironment(t *testing.T) {
	needPostgres(t)
	for name, value := range map[string]string{
		"PGPORT": "", "PGHOST": "db.invalid", "PGUSER": "stranger", "PGDATABASE": "elsewhere", "PGDATA": "/nowhere",
		"PGOPTIONS": "-c search_path=nowhere", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/nowhere",
		"PGTARGETSESSIONATTRS": "standby", "PGCHANNELBINDING": "require", "PGCONNECT_TIMEOUT": "",
		"LANG": "xx_XX.nonsense", "LC_ALL": "xx_XX.nonsense", "LC_MESSAGES": "C", "LANGUAGE": "xx", "TZ": "Nowhere/Else",
	} {
		t.Setenv(name, value)
	}
	s := mustStart(t, Options{Ephemeral: true})
	checkServer(t, s.DSN())
	if got := ask(t, s.DSN(), `SHOW search_path`); got != `"$user", public` {
		t.Errorf("search_path = %s", got)
	}
}

func TestDefaultDataDir(t *testing.T) {
	if os.Getuid() == 0 {
		if dir, err := DefaultDataDir(); dir != "/var/lib/collegium" || err != nil {
			t.Errorf("for root: %s, %v", dir, err)
		}
		return
	}
	t.Setenv("XDG_DATA_HOME", "/xdg")
	if dir, err := DefaultDataDir(); dir != "/xdg/collegium" || err != nil {
		t.Errorf("with XDG_DATA_HOME: %s, %v", dir, err)
	}
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "")
	if dir, err := DefaultDataDir(); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("without HOME: %s, %v; want an error that names --data-dir", dir, err)
	}
}

func TestChildEnv(t *testing.T) {
	t.Parallel()
	got := childEnv([]string{"PATH=/bin", "PGPORT=", "PG_BINDIR=/x", "LC_ALL=C", "LANG=de", "LANGUAGE=de", "HOME=/h", "LD_LIBRARY_PATH=/l", "TZ=X"})
	want := []string{"PATH=/bin", "HOME=/h", "LD_LIBRARY_PATH=/l"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("childEnv (-want +got):\n%s", diff)
	}
}
