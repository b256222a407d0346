package graph

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/graph/exec"
	"github.com/collegium/collegium/internal/guard"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/server"
)

// Accept says which documents are answered. A trusted document always is.
type Accept string

// What can be accepted, from the widest to the narrowest.
const (
	// AcceptAny answers every document that keeps to the limits, by its text or by
	// the hash of a text that was sent before. The zero value means it too.
	AcceptAny Accept = "any"
	// AcceptHashed answers a document only by its hash: a text comes with its hash,
	// once, and is named by the hash from then on.
	AcceptHashed Accept = "apq"
	// AcceptTrusted answers trusted documents and nothing else.
	AcceptTrusted Accept = "trusted"
)

// hash is the SHA-256 of the text of a document.
type hash = [sha256.Size]byte

// document is a document that was checked against the schema. But for its plans it
// is not changed after that.
type document struct {
	text string
	hash hash
	ast  *ast.QueryDocument // nil if it is refused
	// operations are those of ast, in their order.
	operations []*operation
	// refused is what is wrong with a trusted document. It is stored all the same,
	// so that whoever asks it learns the reason.
	refused gqlerror.List
	// bytes is about how much memory it takes without the plans of its operations, and
	// weighed how much with them when it was last weighed.
	bytes   int
	weighed atomic.Int64
}

// operation is an operation of a document.
type operation struct {
	def *ast.OperationDefinition
	// plans is how it is answered; nil with gqlgen alone.
	plans *exec.Operation
	// conditions are the variables in @skip and @include.
	conditions []string
	// price is what it costs if that is the same in every request, else nil.
	price *guard.Price
	// rule says who may keep its answers.
	rule cacheRule
	// ofMembers are the fields of members that it asks for.
	ofMembers member.FieldSet
}

// newDocument returns a document that was checked.
func (h *Handler) newDocument(text string, parsed *ast.QueryDocument) *document {
	doc := &document{
		text: text, hash: sha256.Sum256([]byte(text)), ast: parsed, bytes: size(text, parsed), operations: make([]*operation, len(parsed.Operations)),
	}
	for i, def := range parsed.Operations {
		o := &operation{def: def, rule: h.checker.rules.operation(def), ofMembers: fieldsOfMembers(def), conditions: exec.Conditions(parsed, def)}
		if h.batch != nil {
			o.plans = h.batch.Operation(parsed, def)
		}
		if price, err := h.checker.guard.Price(parsed, def.Name, nil); err == nil && !price.Varies {
			o.price = &price
		}
		doc.operations[i] = o
	}
	return doc
}

// operation returns the operation with a name, or the only one if the name is
// empty; nil if there is none.
func (d *document) operation(name string) *operation {
	def := d.ast.Operations.ForName(name)
	i := slices.IndexFunc(d.operations, func(o *operation) bool { return o.def == def })
	if i < 0 {
		return nil
	}
	return d.operations[i]
}

// weight returns about how much memory the document takes, in bytes.
func (d *document) weight() int {
	n := d.bytes
	for _, o := range d.operations {
		if o.plans != nil {
			n += o.plans.Bytes()
		}
	}
	return n
}

// documents keeps documents that were checked, so that each is checked once. The
// trusted ones stay; of the others those stay that are asked often: a text that
// is asked once takes the place of none that is asked again and again.
type documents struct {
	accept  Accept
	cache   *otter.Cache[hash, *document]
	texts   sync.Map // of string to *document: those of cache, to find their hash without computing it
	counter *stats.Counter
	own     map[hash]*document // of the program itself
	trusted atomic.Pointer[trustedDocuments]
}

func newDocuments(c Config) (*documents, error) {
	d := &documents{accept: c.Accept, counter: stats.NewCounter()}
	most, bytes := max(1, c.Documents), max(1, c.DocumentBytes)
	// The cache has one bound. A document weighs at least its share of the memory,
	// so the number of documents is bounded too.
	least := (bytes + most - 1) / most
	var err error
	d.cache, err = otter.New(&otter.Options[hash, *document]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ hash, doc *document) uint32 { return uint32(max(doc.weight(), least)) },
		StatsRecorder: d.counter,
		OnDeletion: func(e otter.DeletionEvent[hash, *document]) {
			if e.Cause != otter.CauseReplacement {
				d.texts.CompareAndDelete(e.Value.text, e.Value)
			}
		},
		// Without it the cache begins to count how often documents are asked only when
		// it is half full, and forgets the counts while it fills: the first flood would
		// win.
		InitialCapacity: most,
	})
	d.trusted.Store(&trustedDocuments{})
	return d, err
}

// refused is why a request is not answered.
type refused struct {
	outcome server.Outcome
	errors  gqlerror.List
}

func refuse(outcome server.Outcome, code, format string, args ...any) *refused {
	return &refused{outcome, gqlerror.List{coded(code, format, args...)}}
}

// document returns the document of a request, checked, and what the operation
// costs. A document that is known is not validated again, nor read from anywhere.
func (h *Handler) document(ctx context.Context, p server.Params) (*document, guard.Price, *refused) {
	f, ok := p.Found.(*found)
	if !ok {
		f = h.find(ctx, p)
	}
	doc, no := f.doc, f.refused
	switch {
	case no != nil:
		return nil, guard.Price{}, no
	case doc == nil:
		// The text may be a part of something longer that must not be kept with it.
		text := strings.Clone(p.Query)
		parsed, price, list := h.checker.check(text, p.OperationName, p.Variables)
		if list != nil {
			return nil, price, &refused{server.Invalid, list}
		}
		doc = h.newDocument(text, parsed)
		h.documents.keep(doc)
		return doc, price, nil
	case doc.refused != nil:
		return nil, guard.Price{}, &refused{server.Invalid, doc.refused}
	}
	if o := doc.operation(p.OperationName); o != nil && o.price != nil {
		if err := h.checker.guard.CheckVariables(p.Variables); err != nil {
			return nil, guard.Price{}, &refused{server.Invalid, refusal(err)}
		}
		return doc, *o.price, nil
	}
	price, err := h.checker.guard.Price(doc.ast, p.OperationName, p.Variables)
	if err != nil {
		return nil, price, &refused{server.Invalid, refusal(err)}
	}
	return doc, price, nil
}

// found is what a request names or carries.
type found struct {
	doc     *document
	refused *refused
}

func (h *Handler) find(ctx context.Context, p server.Params) *found {
	accept := h.documents.accept
	if !trustedOnly(ctx) || accept == AcceptTrusted {
		doc, no := h.documents.find(p, accept)
		return &found{doc, no}
	}
	doc, no := h.documents.find(p, AcceptTrusted)
	if no != nil && no.outcome == server.Forbidden {
		no = notTrustedByKey()
	}
	return &found{doc, no}
}

// keep keeps a document that was checked.
func (d *documents) keep(doc *document) {
	d.texts.Store(doc.text, doc)
	d.cache.Set(doc.hash, doc)
}

// sum returns the hash of a text.
func (d *documents) sum(text string) hash {
	if doc, ok := d.texts.Load(text); ok {
		return doc.(*document).hash
	}
	return sha256.Sum256([]byte(text))
}

// find returns the document that a request names or carries. Nil without a
// refusal means that its text is to be checked, and to be kept.
func (d *documents) find(p server.Params, accept Accept) (*document, *refused) {
	id, no := documentID(p)
	if no != nil {
		return nil, no
	}
	trusted := d.trusted.Load()
	if doc := trusted.byID[id]; doc != nil {
		if p.Query != "" && p.Query != doc.text {
			return nil, otherText()
		}
		return doc, nil
	}
	sum, no := d.hash(p, id, accept)
	if no != nil {
		return nil, no
	}
	if doc := trusted.byHash[sum]; doc != nil {
		return doc, nil
	}
	switch {
	case accept == AcceptTrusted:
		return nil, notTrusted()
	case accept == AcceptHashed && id == "":
		return nil, refuse(server.Forbidden, Forbidden, "this server answers documents by their hash only; "+
			`send it along, as extensions: {"persistedQuery": {"version": 1, "sha256Hash": "…"}}`)
	}
	if doc, ok := d.cache.GetIfPresent(sum); ok {
		return doc, nil
	}
	if id != "" && p.Query == "" {
		return nil, d.notFound(p)
	}
	return nil, nil
}

// hash returns the hash of the text of a request, or that of the id if it has no
// text. If it has both they must agree.
func (d *documents) hash(p server.Params, id string, accept Accept) (hash, *refused) {
	if id == "" {
		return d.sum(p.Query), nil
	}
	named, ok := hashOf(id)
	switch {
	case !ok && accept == AcceptTrusted:
		return hash{}, notTrusted()
	case !ok && p.DocumentID != "":
		return hash{}, d.notFound(p)
	case !ok:
		return hash{}, refuse(server.Invalid, BadUserInput,
			"extensions.persistedQuery.sha256Hash is no SHA-256; send 64 hexadecimal digits, the hash of the document in UTF-8")
	case p.Query != "" && d.sum(p.Query) != named:
		return hash{}, otherText()
	}
	return named, nil
}

// weigh tells the store how much memory a document takes, if its plans have grown
// since it was last told.
func (d *documents) weigh(doc *document) {
	n, was := int64(doc.weight()), doc.weighed.Load()
	if n == was || !doc.weighed.CompareAndSwap(was, n) {
		return
	}
	if kept, ok := d.cache.GetEntryQuietly(doc.hash); ok && kept.Value == doc {
		d.cache.Set(doc.hash, doc)
	}
}

// DocumentStats counts what the store of documents did since the start.
type DocumentStats struct {
	// Hits and Misses are the requests for a document that isn't trusted, by whether
	// it was kept.
	Hits, Misses uint64
	// Evictions are the documents that had to make room.
	Evictions uint64
	// Kept is how many documents are kept besides the trusted ones, and Bytes about
	// how much memory they take.
	Kept  int
	Bytes uint64
	// Trusted is how many ids of trusted documents there are, and Refused how many of
	// them can't be run on this schema.
	Trusted, Refused int
}

// DocumentStats returns what the store of documents did.
func (h *Handler) DocumentStats() DocumentStats {
	d := h.documents
	d.cache.CleanUp() // the cache counts what it was told some time later, or when it is asked
	s, t := d.counter.Snapshot(), d.trusted.Load()
	return DocumentStats{
		Hits: s.Hits, Misses: s.Misses, Evictions: s.Evictions,
		Kept: d.cache.EstimatedSize(), Bytes: d.cache.WeightedSize(),
		Trusted: len(t.byID), Refused: t.refused,
	}
}
