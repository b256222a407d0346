package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Public is an answer that anyone who is not signed in gets who asks the same: the body, and what HTTP says of it. It
// is made once and written many times. It is never changed.
type Public struct {
	body   []byte
	maxAge time.Duration // zero: as long as any
	keys   []string      // the value of Surrogate-Key
	forms  [2][2]form    // by media type and by encoding
	pack   func() []byte // the body compressed, nil if that saves too little
}

// form is a public answer in one media type and encoding.
type form struct {
	tag    string   // without the quotation marks
	etag   []string // the value of ETag
	length []string // the value of Content-Length of the plain body
}

// The media types and the encodings, as indexes of forms.
const (
	asJSON = iota
	asGraphQL
)

const (
	plain = iota
	packed
)

// smallest is the length from which a body is compressed.
const smallest = 1024

// maxSurrogateKeys bounds the length of the header Surrogate-Key; further keys are left out.
const maxSurrogateKeys = 1024

// NewPublic returns a public answer. Body is not copied, and must not be changed after. MaxAge is for how long others
// than this process may keep it; zero leaves that to the configuration. Keys name what it rests on, for whoever keeps it
// and is told to drop it.
func NewPublic(body []byte, maxAge time.Duration, keys []string) *Public {
	p := &Public{body: body, maxAge: maxAge, pack: sync.OnceValue(func() []byte { return compress(body) })}
	sum := sha256.Sum256(body)
	tag := base64.RawURLEncoding.EncodeToString(sum[:16])
	length := []string{strconv.Itoa(len(body))}
	for media, m := range [...]string{asJSON: "", asGraphQL: "-g"} {
		for encoding, e := range [...]string{plain: "", packed: "-gzip"} {
			f := &p.forms[media][encoding]
			f.tag = tag + m + e
			f.etag, f.length = []string{`"` + f.tag + `"`}, length
		}
	}
	all := strings.Join(keys, " ")
	if len(all) > maxSurrogateKeys {
		all = all[:strings.LastIndexByte(all[:maxSurrogateKeys+1], ' ')]
	}
	if all != "" {
		p.keys = []string{all}
	}
	return p
}

// Size is how many bytes of memory it takes at most.
func (p *Public) Size() int { return len(p.body) + len(p.body)/2 + 1024 }

// Body returns the body. It is shared: do not change it.
func (p *Public) Body() []byte { return p.body }

// compress compresses a body; nil if that doesn't halve it at least.
func compress(body []byte) []byte {
	if len(body) < smallest {
		return nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	if b.Len() > len(body)/2 {
		return nil
	}
	return bytes.Clone(b.Bytes())
}

// vary names the headers on which a public answer depends: whoever is signed in gets another.
var vary = []string{"Accept, Accept-Encoding, Authorization, Cookie"}

// public writes a public answer, or says that the client has it already.
func (s *Server) public(w http.ResponseWriter, r *http.Request, media string, res *Result) {
	p, h := res.Public, w.Header()
	infoOf(w, r).public = true
	m, contentType := asJSON, contentTypeJSON
	if media == mediaGraphQL {
		m, contentType = asGraphQL, contentTypeGraphQL
	}
	body, encoding := p.body, plain
	if len(p.body) >= smallest && acceptsGzip(strings.Join(r.Header["Accept-Encoding"], ",")) {
		if b := p.pack(); b != nil {
			body, encoding = b, packed
		}
	}
	form := &p.forms[m][encoding]
	if others := h["Vary"]; others != nil {
		h["Vary"] = append(others, vary[0])
	} else {
		h["Vary"] = vary
	}
	h["Cache-Control"] = s.cacheControl
	if p.maxAge > 0 && p.maxAge < s.cfg.MaxAge {
		h["Cache-Control"] = []string{cacheControlOf(p.maxAge, s.cfg.StaleWhileRevalidate)}
	}
	h["Cache-Status"] = cacheStatus[res.From]
	h["Etag"] = form.etag
	if p.keys != nil {
		h["Surrogate-Key"] = p.keys
	}
	if r.Method != http.MethodPost && noneMatch(r.Header["If-None-Match"], form.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = contentType
	if encoding == packed {
		h["Content-Encoding"] = gzipped
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	} else {
		h["Content-Length"] = form.length
	}
	w.WriteHeader(http.StatusOK)
	// A client that went away is no failure of this server, and there is nobody left to tell.
	_, _ = w.Write(body)
}

// The values of headers are shared between answers: nothing may change them in place.
var (
	contentTypeJSON    = []string{mediaJSON + "; charset=utf-8"}
	contentTypeGraphQL = []string{mediaGraphQL + "; charset=utf-8"}
	gzipped            = []string{"gzip"}
	// RFC 9211.
	cacheStatus = [...][]string{
		FromExecution: {"collegium; fwd=miss"},
		FromMemory:    {"collegium; hit"},
		FromOther:     {"collegium; fwd=miss; collapsed"},
	}
)

// cacheControlOf returns the value of Cache-Control. What is to be asked for each time is never given stale.
func cacheControlOf(maxAge, stale time.Duration) string {
	if maxAge <= 0 {
		stale = 0
	}
	return fmt.Sprintf("public, max-age=%d, stale-while-revalidate=%d", int(maxAge.Seconds()), int(stale.Seconds()))
}

// noneMatch says whether If-None-Match names the tag, compared weakly, so that the client has the answer already (RFC
// 9110, section 13.1.2).
func noneMatch(header []string, tag string) bool {
	for _, list := range header {
		for rest := list; ; {
			rest = strings.TrimLeft(rest, " \t,")
			if rest == "" {
				break
			}
			if rest[0] == '*' {
				return true
			}
			rest = strings.TrimPrefix(rest, "W/")
			if rest == "" || rest[0] != '"' {
				break // no list of tags from here on
			}
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				break
			}
			if rest[1:1+end] == tag {
				return true
			}
			rest = rest[end+2:]
		}
	}
	return false
}
