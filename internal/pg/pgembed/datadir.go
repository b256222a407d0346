package pgembed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	lockFile = "collegium.lock" // marks the folder as ours; whoever holds its lock runs the server; holds that pid
	infoFile = "server.json"    // how to reach the running server
	logFile  = "postgres.log"

	ephemeralPrefix = "collegium-pg-"
	maxLog          = 10 << 20 // bytes after which a start moves the log aside
	maxSocketPath   = 103      // bytes; 107 on Linux, 103 on macOS and the BSDs
)

// DefaultDataDir is where the data go when nobody says otherwise: /var/lib/collegium for root, whose home no other
// account can enter, and the user's data folder by the XDG convention (on macOS, Application Support) for others.
func DefaultDataDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/collegium", nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "collegium"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no place for the database: neither HOME nor XDG_DATA_HOME is set, so give --data-dir or DATABASE_URL")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "collegium"), nil
	}
	return filepath.Join(home, ".local", "share", "collegium"), nil
}

// resolveDataDir makes dir absolute and free of links, so that each folder has one name.
func resolveDataDir(dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = DefaultDataDir(); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real, nil
	}
	return dir, nil
}

// claimDataDir makes the data folder, or makes sure that an existing one is empty or ours.
func claimDataDir(dir string, acct account) (string, error) {
	dir, err := resolveDataDir(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return "", fmt.Errorf("make the data folder: %w", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("make the data folder: %w", err)
		}
		if err := acct.own(dir); err != nil {
			return "", err
		}
		return resolveDataDir(dir)
	case err != nil:
		return "", fmt.Errorf("data folder: %w", err)
	}
	if len(entries) == 0 {
		return dir, nil
	}
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err == nil {
		return dir, nil
	}
	what := "files that are not Collegium's"
	if v, err := os.ReadFile(filepath.Join(dir, "PG_VERSION")); err == nil {
		what = "a data folder of PostgreSQL " + strings.TrimSpace(string(v)) + " that is not Collegium's"
	}
	return "", fmt.Errorf("%s holds %s: nothing there was touched; give --data-dir a new or an empty folder", dir, what)
}

// acquire takes the folder for this process, for as long as the returned file is open.
func acquire(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("%w: process %s runs a server on %s; stop it, or give another --data-dir", ErrInUse, readPid(f), dir)
		}
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// lockHolder is the pid of the process that holds dir, or 0.
func lockHolder(dir string) (int, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("data folder: %w", err)
	}
	defer f.Close() // which gives back the lock
	switch err := tryLock(f); {
	case err == nil:
		return 0, nil
	case !errors.Is(err, errLocked):
		return 0, err
	}
	for range 50 { // the holder writes its pid a moment after it takes the lock
		if pid, err := strconv.Atoi(readPid(f)); err == nil {
			return pid, nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, fmt.Errorf("%s is locked, but does not say by which process", f.Name())
}

func readPid(f *os.File) string {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	return strings.TrimSpace(string(buf[:n]))
}

// clusterDir is the folder of one major version.
func clusterDir(dataDir string, major int) string {
	return filepath.Join(dataDir, "pg"+strconv.Itoa(major))
}

// dataMajor is the newest major version with data in dir, or 0. The data there decide which programs run, so that an
// upgrade of the machine never shows an empty database.
func dataMajor(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	newest := 0
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "pg")
		major, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue
		}
		sub := filepath.Join(dir, e.Name())
		v, err := os.ReadFile(filepath.Join(sub, "PG_VERSION"))
		if err != nil {
			return 0, fmt.Errorf("%s is not a data folder of PostgreSQL (%w): nothing there was touched; move it away", sub, err)
		}
		if got := strings.TrimSpace(string(v)); got != digits {
			return 0, fmt.Errorf("%s holds data of PostgreSQL %s, where those of %s belong: nothing there was touched; move it away", sub, got, digits)
		}
		newest = max(newest, major)
	}
	return newest, nil
}

// ephemeralDir makes a temporary folder that the server's account can reach.
func ephemeralDir(acct account) (string, error) {
	base, err := tempBase(acct, 0)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(base, ephemeralPrefix)
	if err != nil {
		return "", err
	}
	return dir, acct.own(dir)
}

// sweep removes the temporary folders of processes that ended without a chance to do it themselves, as in a power cut.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), ephemeralPrefix+"*"))
	for _, dir := range dirs {
		fi, err := os.Lstat(dir)
		if err != nil || !fi.IsDir() || time.Since(fi.ModTime()) < time.Hour {
			continue
		}
		if f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0); err == nil {
			if tryLock(f) == nil {
				os.RemoveAll(dir)
			}
			f.Close()
		}
	}
}

// tempBase is a folder for temporary files that acct can enter and whose name leaves room for a path of extra bytes
// below it within the limit of a socket's.
func tempBase(acct account, extra int) (string, error) {
	var err error
	for _, base := range []string{os.TempDir(), "/tmp"} {
		if real, e := filepath.EvalSymlinks(base); e == nil {
			base = real
		}
		if extra > 0 && len(base)+1+extra > maxSocketPath {
			err = fmt.Errorf("%s is too long a name to hold a socket, whose path has at most %d bytes", base, maxSocketPath)
		} else if e := reachable(base, acct); e != nil {
			err = e
		} else {
			return base, nil
		}
	}
	return "", err
}

// makeSocketDir makes the folder of the server's socket: a short path named by a hash of the data folder's, which only
// the server's account can enter. Another account may have squatted the name; then the next one is taken.
func makeSocketDir(clusterDir string, acct account) (string, error) {
	base, err := tempBase(acct, len("collegium-0123456789ab/.s.PGSQL."+port))
	if err != nil {
		return "", err
	}
	for n := range 20 {
		dir := filepath.Join(base, "collegium-"+shortHash(clusterDir, n))
		err = os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			// Under the lock a folder of this name is a leftover of an earlier server on the same data.
			if fi, e := os.Lstat(dir); e != nil || !fi.IsDir() || !acct.owns(fi) {
				continue
			}
			if err := os.RemoveAll(dir); err != nil {
				return "", err
			}
			err = os.Mkdir(dir, 0o700)
		}
		if err != nil {
			return "", fmt.Errorf("make a folder for the server's socket: %w", err)
		}
		return dir, acct.own(dir)
	}
	return "", fmt.Errorf("make a folder for the server's socket: every name tried in %s belongs to another account", base)
}

// openLog opens the server's log for appending, after moving a long one aside.
func openLog(dataDir string) (*os.File, error) {
	name := filepath.Join(dataDir, logFile)
	if fi, err := os.Stat(name); err == nil && fi.Size() > maxLog {
		if err := os.Rename(name, name+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
}

// tail is what was appended to a log since offset, at most its last 2,000 bytes.
func tail(name string, offset int64) string {
	f, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil {
		offset = max(offset, fi.Size()-2000)
	}
	data, _ := io.ReadAll(io.NewSectionReader(f, offset, 2000))
	return strings.TrimSpace(string(data))
}
