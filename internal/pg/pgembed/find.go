package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// programs are PostgreSQL's, of one version.
type programs struct {
	postgres, initdb string
	major            int
	version          string // "15.18"
	source           string // for people: the folder, or the package
}

// search knows where to look for programs. The fields are what a machine may differ in.
type search struct {
	acct     account
	bindir   string   // PG_BINDIR: if given, the only place
	path     string   // PATH
	globs    []string // folders where packages put the programs
	npm      string   // the npm program, "" if there is none
	cacheDir string   // where an unpacked npm package is kept
}

func newSearch(acct account) *search {
	s := &search{acct: acct, bindir: os.Getenv("PG_BINDIR"), path: os.Getenv("PATH"), cacheDir: defaultCacheDir()}
	s.globs = []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // PostgreSQL's own packages for RHEL and Fedora
		"/usr/lib/postgresql*/bin",           // SUSE
		"/usr/libexec/postgresql*",           // Alpine
		"/usr/local/pgsql/bin",               // built from source
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/Library/PostgreSQL/*/bin", // EDB's installer
		"/opt/local/lib/postgresql*/bin",
	}
	if npm, err := exec.LookPath("npm"); err == nil {
		s.npm = npm
	}
	return s
}

// defaultCacheDir is where an unpacked npm package is kept: for root a folder that the server's account can read. It is
// "" where nobody said: a folder that others can write to is no place for programs.
func defaultCacheDir() string {
	if os.Geteuid() == 0 {
		return "/var/cache/collegium"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "collegium")
}

// find returns programs of the wanted major version, or if that is 0 the first that are new enough: installed ones,
// then the npm package. step is told of a download.
func (s *search) find(ctx context.Context, want int, step func(string, ...any)) (*programs, error) {
	var passed []string // what was found and did not fit, for the error
	for _, dir := range s.candidates() {
		p, err := s.probe(ctx, dir)
		if err != nil {
			if s.bindir != "" {
				return nil, fmt.Errorf("PG_BINDIR=%s: %w", s.bindir, err)
			}
			if !errors.Is(err, os.ErrNotExist) {
				passed = append(passed, err.Error())
			}
			continue
		}
		if p.major >= Oldest && (want == 0 || p.major == want) {
			return p, nil
		}
		passed = append(passed, fmt.Sprintf("PostgreSQL %s in %s", p.version, dir))
	}

	var npmErr error
	if s.bindir == "" && (want == 0 || want == npmMajor) {
		p, err := s.npmPrograms(ctx, step)
		if err == nil {
			return p, nil
		}
		npmErr = err
	}
	return nil, s.notFound(want, passed, npmErr)
}

// notFound is one line: what is needed, what is there instead, what to do.
func (s *search) notFound(want int, passed []string, npmErr error) error {
	var b strings.Builder
	if want != 0 {
		fmt.Fprintf(&b, ": version %d is needed", want)
	} else {
		fmt.Fprintf(&b, ": version %d or later is needed", Oldest)
	}
	if len(passed) > 0 {
		fmt.Fprintf(&b, " (found: %s)", strings.Join(passed, "; "))
	}
	if npmErr != nil && !errors.Is(npmErr, errNoNpm) {
		fmt.Fprintf(&b, ", and fetching it failed (%v)", npmErr)
	}
	b.WriteString("; do ")
	major := max(want, 17)
	if runtime.GOOS == "darwin" {
		fmt.Fprintf(&b, "`brew install postgresql@%d`", major)
	} else if want != 0 {
		fmt.Fprintf(&b, "`apt-get install postgresql-%d`", want)
	} else {
		b.WriteString("`apt-get install postgresql`")
	}
	if want == 0 || want == npmMajor {
		b.WriteString(", or install Node.js with npm")
	}
	if want != 0 {
		b.WriteString(", or start afresh with another --data-dir")
	}
	b.WriteString(", or set DATABASE_URL to a server of your own")
	return fmt.Errorf("%w%s", ErrNotInstalled, b.String())
}

// candidates are the folders to look into, in order and once each.
func (s *search) candidates() []string {
	if s.bindir != "" {
		return []string{s.bindir}
	}
	var dirs []string
	for _, dir := range filepath.SplitList(s.path) {
		exe := filepath.Join(dir, "postgres")
		if fi, err := os.Stat(exe); err != nil || fi.IsDir() || !filepath.IsAbs(dir) {
			continue
		}
		// A link in PATH leads to the real folder, where initdb is too.
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		dirs = append(dirs, dir)
	}
	for _, glob := range s.globs {
		found, _ := filepath.Glob(glob)
		slices.SortFunc(found, func(a, b string) int { return lastNumber(b) - lastNumber(a) }) // the newest first
		dirs = append(dirs, found...)
	}
	var once []string
	for _, dir := range dirs {
		if !slices.Contains(once, dir) {
			once = append(once, dir)
		}
	}
	return once
}

var numbers = regexp.MustCompile(`\d+`)

// lastNumber is the major version in a folder's name.
func lastNumber(dir string) int {
	all := numbers.FindAllString(dir, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1])
	return n
}

var versionOutput = regexp.MustCompile(`^postgres \(PostgreSQL\) ((\d+)\S*)`)

// probe asks the programs in dir for their version, under the account that will run them. A folder without both is
// os.ErrNotExist.
func (s *search) probe(ctx context.Context, dir string) (*programs, error) {
	p := &programs{postgres: filepath.Join(dir, "postgres"), initdb: filepath.Join(dir, "initdb"), source: dir}
	for _, exe := range []string{p.postgres, p.initdb} {
		if _, err := os.Stat(exe); err != nil {
			return nil, fmt.Errorf("no program there: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var out []byte
	var err error
	for range 100 {
		cmd := exec.CommandContext(ctx, p.postgres, "--version")
		cmd.Dir = "/"
		cmd.Env = childEnv(os.Environ())
		cmd.SysProcAttr = s.acct.attr()
		out, err = cmd.CombinedOutput()
		// A program just unpacked is busy while a child that another goroutine forks still holds it open for writing.
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("%s does not run as user %s: %w %s", p.postgres, s.acct.name, err, strings.TrimSpace(string(out)))
	}
	m := versionOutput.FindStringSubmatch(string(out))
	if m == nil {
		return nil, fmt.Errorf("%s answers --version with %q, which is not PostgreSQL's", p.postgres, strings.TrimSpace(string(out)))
	}
	p.version = m[1]
	p.major, err = strconv.Atoi(m[2])
	return p, err
}
