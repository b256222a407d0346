//go:build unix

package pgembed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakePrograms is a search that finds programs which know nothing but their version.
func fakePrograms(t *testing.T, acct account, versions ...string) *search {
	t.Helper()
	s := &search{acct: acct, cacheDir: tempDir(t)}
	base := tempDir(t)
	for _, v := range versions {
		dir := filepath.Join(base, v, "bin")
		writeProgram(t, filepath.Join(dir, "postgres"), fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s (Test 1)'\n", v))
		writeProgram(t, filepath.Join(dir, "initdb"), "#!/bin/sh\nexit 1\n")
		s.globs = append(s.globs, dir)
	}
	return s
}

func TestFind(t *testing.T) {
	t.Parallel()
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		have []string
		want int    // the major asked for
		got  string // the version found, or
		err  []string
	}{
		"first that is new enough": {have: []string{"14.9", "15.18", "17.4"}, got: "15.18"},
		"the one asked for":        {have: []string{"15.18", "17.4"}, want: 17, got: "17.4"},
		"only old":                 {have: []string{"9.6.24", "14.9"}, err: []string{"version 15 or later is needed", "PostgreSQL 14.9", "apt-get install postgresql", "npm", "DATABASE_URL"}},
		"not the one asked for":    {have: []string{"15.18"}, want: 16, err: []string{"version 16 is needed", "PostgreSQL 15.18", "apt-get install postgresql-16", "--data-dir"}},
		"nothing":                  {err: []string{"version 15 or later is needed", "apt-get install postgresql"}},
		"beta":                     {have: []string{"19beta1"}, got: "19beta1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := fakePrograms(t, acct, tc.have...).find(t.Context(), tc.want, t.Logf)
			if tc.got != "" {
				if err != nil || p.version != tc.got {
					t.Errorf("found %+v, %v; want %s", p, err, tc.got)
				}
				return
			}
			if !errors.Is(err, ErrNotInstalled) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error = %v; want ErrNotInstalled on one line", err)
			}
			for _, part := range tc.err {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error = %v; want it to say %q", err, part)
				}
			}
		})
	}
}

// A folder named by hand is the only one looked into, and what is wrong with it is said.
func TestBindir(t *testing.T) {
	t.Parallel()
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	s := fakePrograms(t, acct, "15.18", "17.4")
	s.bindir = s.globs[1]
	if p, err := s.find(t.Context(), 0, t.Logf); err != nil || p.version != "17.4" {
		t.Errorf("found %+v, %v; want 17.4", p, err)
	}
	s.bindir = tempDir(t)
	if p, err := s.find(t.Context(), 0, t.Logf); err == nil || !strings.Contains(err.Error(), "PG_BINDIR="+s.bindir) {
		t.Errorf("found %+v, %v; want an error about PG_BINDIR", p, err)
	}
	writeProgram(t, filepath.Join(s.bindir, "postgres"), "#!/bin/sh\necho hello\n")
	writeProgram(t, filepath.Join(s.bindir, "initdb"), "#!/bin/sh\n")
	if p, err := s.find(t.Context(), 0, t.Logf); err == nil || !strings.Contains(err.Error(), "hello") {
		t.Errorf("found %+v, %v; want an error that shows the answer", p, err)
	}
}

// A link in PATH is followed to the folder that has initdb too. Relative and doubled entries of PATH are passed over.
func TestCandidates(t *testing.T) {
	t.Parallel()
	base := tempDir(t)
	linkDir, globbed := filepath.Join(base, "usr-local-bin"), filepath.Join(base, "lib")
	real15, real9 := filepath.Join(globbed, "15", "bin"), filepath.Join(globbed, "9", "bin")
	for _, dir := range []string{real15, real9} {
		writeProgram(t, filepath.Join(dir, "postgres"), "#!/bin/sh\n")
	}
	if err := os.Mkdir(linkDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(real9, "postgres"), filepath.Join(linkDir, "postgres")); err != nil {
		t.Fatal(err)
	}
	s := &search{path: strings.Join([]string{".", linkDir, linkDir, "/nowhere"}, ":"), globs: []string{filepath.Join(globbed, "*", "bin")}}
	want := []string{real9, linkDir, real15}
	if diff := cmp.Diff(want, s.candidates()); diff != "" {
		t.Errorf("candidates (-want +got):\n%s", diff)
	}
}

// Where C.UTF-8 is unknown, initdb is asked for the next best locale.
func TestOtherLocale(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	asked := filepath.Join(dir, "asked")
	if err := os.WriteFile(asked, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(asked, 0o666); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
for a; do case $a in --*locale*) echo "$a" >> %s;; esac; done
case "$*" in *--locale=C.UTF-8*) echo 'initdb: error: invalid locale name "C.UTF-8"' >&2; exit 1;; esac
echo 18 > "$2/PG_VERSION"
`, asked)
	writeProgram(t, filepath.Join(dir, "initdb"), script)
	c := &cluster{
		dir: filepath.Join(dir, "pg18"), acct: acct, log: log,
		progs: &programs{initdb: filepath.Join(dir, "initdb"), major: 18, version: "18.4"},
	}
	if err := c.initdb(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(asked)
	if err != nil {
		t.Fatal(err)
	}
	want := "--locale=C.UTF-8\n--locale-provider=builtin\n--builtin-locale=C.UTF-8\n--locale=C\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("locales asked for (-want +got):\n%s", diff)
	}
	if major, err := dataMajor(dir); major != 18 || err != nil {
		t.Errorf("dataMajor = %d, %v; want 18", major, err)
	}
}
