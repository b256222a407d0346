package graph

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// Photo returns the photo with the id that stands in its URL, if who asks sees it, and
// has that written down; else errs.NotFound. It is the Photo of server.Deps.
func (h *Handler) Photo(ctx context.Context, id string) (*server.Photo, error) {
	of, err := uuid.Parse(id)
	if err != nil || of.String() != id {
		return nil, errs.NotFound // one photo has one address
	}
	v := viewer.From(ctx)
	ctx, read := reads.With(ctx)
	p, err := h.members.PhotoByID(ctx, v, of)
	if err != nil {
		return nil, err
	}
	if h.accessLog != nil {
		h.accessLog.Add(ctx, v, read, 0)
	}
	return &server.Photo{JPEG: p.JPEG, SHA256: p.SHA256, Public: p.Public}, nil
}
