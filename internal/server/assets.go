package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	kgzip "github.com/klauspost/compress/gzip"
)

// embedded holds the pages, what they load, and the example operations.
//
//go:embed assets
var embedded embed.FS

// asset is a file that a page loads. Its address holds a hash of its content, so browsers may keep it for ever.
type asset struct {
	address     string
	contentType string
	content     []byte
	// packed returns the content compressed once, at the best level.
	packed func() []byte
}

// example is an operation that GraphiQL offers.
type example struct {
	// Key names the example in addresses: /graphiql?example=key.
	Key string `json:"key"`
	// Title is what people read.
	Title string `json:"title"`
	// Query is the document.
	Query string `json:"query"`
	// Variables is a JSON object as text, or empty.
	Variables string `json:"variables,omitempty"`
}

// assets are the files by the last part of their address, and the examples in the order in which they are shown.
type assets struct {
	byName   map[string]*asset
	examples []example
}

var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

func loadAssets() (*assets, error) {
	a := &assets{byName: map[string]*asset{}}
	entries, err := embedded.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("server: assets: %w", err)
	}
	for _, e := range entries {
		if contentTypes[path.Ext(e.Name())] == "" {
			continue // a page, or a folder
		}
		content, err := embedded.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("server: assets: %w", err)
		}
		a.add(e.Name(), content)
	}
	if a.examples, err = loadExamples(); err != nil {
		return nil, err
	}
	list, err := json.Marshal(a.examples)
	if err != nil {
		return nil, fmt.Errorf("server: examples: %w", err)
	}
	a.add("examples.json", list)
	return a, nil
}

func (a *assets) add(name string, content []byte) {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	a.byName[hashed] = &asset{
		address:     "/assets/" + hashed,
		contentType: contentTypes[ext],
		content:     content,
		packed:      sync.OnceValue(func() []byte { return pack(content) }),
	}
}

// addresses returns the address of each file by its name without the hash.
func (a *assets) addresses() map[string]string {
	m := make(map[string]string, len(a.byName))
	for name, f := range a.byName {
		ext := path.Ext(name)
		plain := strings.TrimSuffix(name, ext)
		m[plain[:strings.LastIndexByte(plain, '-')]+ext] = f.address
	}
	return m
}

func pack(content []byte) []byte {
	var b bytes.Buffer
	w, err := kgzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	// A buffer takes everything.
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

// asset serves one file.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	f := s.assets.byName[r.PathValue("name")]
	if f == nil {
		s.notFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	body := f.content
	if len(body) > 1024 && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body = f.packed()
		h.Set("Content-Encoding", "gzip")
	}
	h.Add("Vary", "Accept-Encoding")
	writeBody(w, f.contentType, http.StatusOK, body)
}

// acceptsGzip says whether a client takes gzip.
func acceptsGzip(acceptEncoding string) bool {
	return acceptEncoding != "" && gzipAccepted.get(acceptEncoding)
}

var gzipAccepted = newOfHeader(namesGzip)

// namesGzip says whether an Accept-Encoding names gzip (RFC 9110, section 12.5.3); a weight of 0 means that it doesn't.
func namesGzip(acceptEncoding string) bool {
	for item := range strings.SplitSeq(acceptEncoding, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		if strings.TrimSpace(coding) != "gzip" {
			continue
		}
		q := strings.TrimRight(strings.ReplaceAll(weight, " ", ""), "0")
		return q != "q=" && q != "q=0."
	}
	return false
}

// loadExamples reads the example operations: a file each, named in the order in which they are shown; its first line
// is its title, as a comment.
func loadExamples() ([]example, error) {
	files, err := fs.Glob(embedded, "assets/examples/*.graphql")
	if err != nil {
		return nil, fmt.Errorf("server: examples: %w", err)
	}
	list := make([]example, 0, len(files))
	for _, file := range files {
		text, err := embedded.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("server: examples: %w", err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		title, ok := strings.CutPrefix(first, "# ")
		if !ok {
			return nil, fmt.Errorf("server: example %s: the first line must be a comment with its title", file)
		}
		_, key, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".graphql"), "-")
		e := example{Key: key, Title: title, Query: string(text)}
		if vars, err := embedded.ReadFile(strings.TrimSuffix(file, ".graphql") + ".variables.json"); err == nil {
			e.Variables = string(vars)
		}
		list = append(list, e)
	}
	return list, nil
}
