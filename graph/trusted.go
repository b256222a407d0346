package graph

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/collegium/collegium/internal/trusted"
)

// trustedDocuments are the trusted documents of one revision, all checked. They
// are replaced as a whole and never changed.
type trustedDocuments struct {
	revision int64 // 0 before the first was read
	byID     map[string]*document
	byHash   map[hash]*document
	refused  int
}

// trustOwn trusts the documents of the program itself. They have no ids.
func (h *Handler) trustOwn(texts []string) error {
	h.documents.own = make(map[hash]*document, len(texts))
	for _, text := range texts {
		doc, _, list := h.checker.check(text, noOperationName, nil)
		if list != nil {
			return fmt.Errorf("a document of the program itself: %w", list)
		}
		h.documents.own[sha256.Sum256([]byte(text))] = h.newDocument(text, doc)
	}
	h.documents.trusted.Store(&trustedDocuments{byHash: h.documents.own})
	return nil
}

// LoadTrusted reads the trusted documents from the database if they changed since
// the last call, and checks those that are new. From then on they are answered
// without a statement. A document that doesn't fit the schema is logged, and
// refused with its errors when it is asked.
//
// Until the first call, and if that fails, only those of the program itself are trusted. One
// goroutine at a time may call it.
func (h *Handler) LoadTrusted(ctx context.Context) error {
	old := h.documents.trusted.Load()
	// The revision is read first: a change between the two is read twice, and none
	// is missed.
	revision, err := h.trusted.Revision(ctx)
	if err != nil || revision == old.revision {
		return err
	}
	stored, err := h.trusted.Documents(ctx, "")
	if err != nil {
		return err
	}
	next := &trustedDocuments{
		revision: revision,
		byID:     make(map[string]*document, len(stored)),
		byHash:   make(map[hash]*document, len(stored)+len(h.documents.own)),
	}
	maps.Copy(next.byHash, h.documents.own)
	for _, s := range stored {
		sum := sha256.Sum256([]byte(s.Body))
		doc := next.byHash[sum]
		if doc == nil {
			doc = old.byHash[sum]
		}
		if doc == nil {
			doc = h.check(s)
		}
		if doc.refused != nil {
			next.refused++
		}
		next.byID[s.ID], next.byHash[sum] = doc, doc
	}
	h.documents.trusted.Store(next)
	h.log.InfoContext(ctx, "trusted documents read", "documents", len(stored), "refused", next.refused, "revision", revision)
	return nil
}

// check checks a trusted document.
func (h *Handler) check(s *trusted.Document) *document {
	parsed, _, list := h.checker.check(s.Body, noOperationName, nil)
	if list != nil {
		h.log.Warn("a trusted document can't be run on this schema", "id", s.ID, "clients", s.Clients, "error", list[0].Error())
		return &document{text: s.Body, refused: list}
	}
	return h.newDocument(s.Body, parsed)
}

// FollowTrusted reads the trusted documents again whenever they changed, until ctx
// ends. It asks for their revision, one small statement, at each interval. If the
// database can't be asked, those that were read last go on being trusted.
func (h *Handler) FollowTrusted(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := h.LoadTrusted(ctx)
		switch {
		case errors.Is(err, context.Canceled) && ctx.Err() != nil:
			return
		case err != nil && !failed:
			h.log.WarnContext(ctx, "the trusted documents can't be read; the last ones stay", "error", err)
		case err == nil && failed:
			h.log.InfoContext(ctx, "the trusted documents can be read again")
		}
		failed = err != nil
	}
}
