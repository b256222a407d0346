package graph

import (
	"context"
	"errors"
	"net/url"

	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/server"
)

// external signs people in by another service.
type external struct {
	handler  *Handler
	provider *identity.Provider
}

// External returns what signs people in by another service.
func (h *Handler) External(p *identity.Provider) server.External { return external{h, p} }

// Begin begins an attempt.
func (e external) Begin(ctx context.Context, returnTo string) (location, token string, err error) {
	return e.handler.accounts.BeginExternal(ctx, e.provider, returnTo)
}

// End ends an attempt. If nobody is signed in by it, the page to which the browser is
// sent learns why by the parameter signInError: a code of UserErrorCode.
func (e external) End(ctx context.Context, token string, answer url.Values) (*server.SessionCookie, string, error) {
	session, path, err := e.handler.accounts.EndExternal(ctx, e.provider, token, answer)
	if err == nil {
		return &server.SessionCookie{Token: session.Token, ExpiresAt: session.ExpiresAt}, path, nil
	}
	wrong, unexpected := userErrors(err)
	if unexpected != nil {
		return nil, "", unexpected
	}
	if errors.Is(err, identity.ErrExternal) {
		e.handler.log.WarnContext(ctx, "a sign-in by another service came to nothing", "error", err)
	}
	back, err := url.Parse(path)
	if err != nil {
		return nil, "", err
	}
	q := back.Query()
	q.Set("signInError", wrong[0].Code)
	back.RawQuery = q.Encode()
	return nil, back.String(), nil
}
