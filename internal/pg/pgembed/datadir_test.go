//go:build unix

package pgembed

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A folder with somebody else's files is refused, and stays as it is.
func TestForeignFolder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"documents":          {map[string]string{"thesis.txt": "ten years of work"}, "files that are not Collegium's"},
		"hidden":             {map[string]string{".profile": "export EDITOR=ed"}, "files that are not Collegium's"},
		"another PostgreSQL": {map[string]string{"PG_VERSION": "16\n", "base": ""}, "a data folder of PostgreSQL 16"},
		"pgNN without data":  {map[string]string{lockFile: "1\n", "pg15/thesis.txt": "ten years of work"}, "is not a data folder of PostgreSQL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tempDir(t)
			for file, text := range tc.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Start(t.Context(), Options{DataDir: dir})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "nothing there was touched") {
				t.Errorf("error = %v; want one that names the folder and says %q", err, tc.want)
			}
			for file, text := range tc.files {
				got, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil || string(got) != text && file != lockFile {
					t.Errorf("%s now holds %q, %v", file, got, err)
				}
			}
			if _, ours := tc.files[lockFile]; !ours {
				if entries, _ := os.ReadDir(dir); len(entries) != len(tc.files) {
					t.Errorf("%d files where %d were", len(entries), len(tc.files))
				}
			}
		})
	}
}

func TestDataDirIsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tempDir(t), "file")
	if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{DataDir: file}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error = %v; want one that names the file", err)
	}
}

// Data decide which programs run them. Other programs are an error that names both versions, never an empty database.
func TestWrongMajor(t *testing.T) {
	t.Parallel()
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	write := func(t *testing.T, dir, folder, version string) {
		t.Helper()
		sub := filepath.Join(dir, folder)
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{filepath.Join(sub, "PG_VERSION"): version + "\n", filepath.Join(dir, lockFile): ""} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := acct.own(sub); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("programs", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		write(t, dir, "pg15", "15")
		write(t, dir, "pg99", "99") // the newest counts
		s := &Server{}
		defer s.abandon()
		err := s.start(t.Context(), Options{DataDir: dir}, fakePrograms(t, acct, "17.4"))
		if err == nil || !strings.Contains(err.Error(), "data of PostgreSQL 99") || !strings.Contains(err.Error(), "PostgreSQL 17.4 in ") || !strings.Contains(err.Error(), dir) {
			t.Errorf("error = %v; want one that names 99, 17.4 and the folder", err)
		}
		if entries, _ := os.ReadDir(filepath.Join(dir, "pg99")); len(entries) != 1 {
			t.Errorf("the data folder was touched: %v", entries)
		}
	})
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		dir := tempDir(t)
		write(t, dir, "pg15", "16")
		_, err := Start(t.Context(), Options{DataDir: dir})
		if err == nil || !strings.Contains(err.Error(), "pg15 holds data of PostgreSQL 16, where those of 15 belong") {
			t.Errorf("error = %v; want one that names both", err)
		}
	})
}

// A folder with a very long name works: the socket is elsewhere. So does a long TMPDIR, which is passed over.
func TestLongPaths(t *testing.T) {
	needPostgres(t)
	long := filepath.Join(tempDir(t), strings.Repeat("a-folder-with-a-long-name/", 9))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	s := mustStart(t, Options{DataDir: filepath.Join(long, "data"), FsyncOff: true})
	socket := filepath.Join(s.socketDir, ".s.PGSQL."+port)
	if _, err := os.Stat(socket); err != nil || len(socket) > maxSocketPath {
		t.Errorf("socket %s of %d bytes: %v", socket, len(socket), err)
	}
	if got := ask(t, s.DSN(), `SELECT 'up'`); got != "up" {
		t.Error("the server does not answer")
	}
}

// Somebody who makes a folder of the socket's name first gains nothing.
func TestSquattedSocketFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can make another account's folder")
	}
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(tempDir(t), "pg15")
	base, err := tempBase(acct, 0)
	if err != nil {
		t.Fatal(err)
	}
	squatted := filepath.Join(base, "collegium-"+shortHash(data, 0))
	if err := os.Mkdir(squatted, 0o777); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(squatted)
	if err := os.Chown(squatted, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	dir, err := makeSocketDir(data, acct)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	if dir == squatted {
		t.Error("the socket lies in another account's folder")
	}
	again, err := makeSocketDir(data, acct) // our own leftover is used again
	if err != nil || again != dir {
		t.Errorf("second time %s, %v; want %s", again, err, dir)
	}
}

func TestSweep(t *testing.T) {
	tmp := tempDir(t)
	t.Setenv("TMPDIR", tmp)
	old := time.Now().Add(-2 * time.Hour)
	make := func(name string, locked bool, at time.Time) {
		dir := filepath.Join(tmp, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		if locked {
			t.Cleanup(func() { f.Close() })
		} else {
			f.Close()
		}
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
	}
	make(ephemeralPrefix+"dead", false, old)
	make(ephemeralPrefix+"alive", true, old)
	make(ephemeralPrefix+"new", false, time.Now())
	make("another", false, old)
	sweep()
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{"another", ephemeralPrefix + "alive", ephemeralPrefix + "new"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("after a sweep (-want +got):\n%s", diff)
	}
}

// A log that grew long is moved aside, and tail shows only what was said since.
func TestLog(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	name := filepath.Join(dir, logFile)
	if err := os.WriteFile(name, make([]byte, maxLog+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("before\nafter\n"); err != nil {
		t.Fatal(err)
	}
	if got := tail(name, int64(len("before\n"))); got != "after" {
		t.Errorf("tail = %q, want %q", got, "after")
	}
	if _, err := os.Stat(name + ".old"); errors.Is(err, os.ErrNotExist) {
		t.Error("the long log was not kept")
	}
}
