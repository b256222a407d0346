package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/server"
)

// providerTimeout is how long one request to the OpenID provider may take.
const providerTimeout = 4 * time.Second

// external returns what signs people in by the OpenID provider, nil if there is none.
func (c *serveCmd) external(h *graph.Handler, public *url.URL) (server.External, error) {
	if c.OIDCIssuer == "" {
		return nil, nil //nolint:nilnil // none is set, which is right
	}
	if u, err := url.Parse(c.OIDCIssuer); err != nil || u.Host == "" || c.OIDCClientID == "" {
		return nil, fmt.Errorf("--oidc-issuer: %q takes the address of a provider, as https://login.example.org, and --oidc-client-id", c.OIDCIssuer)
	}
	client := &http.Client{Timeout: providerTimeout}
	return h.External(&identity.Provider{
		Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: c.OIDCClientSecret,
		Callback: public.JoinPath("auth/oidc/callback").String(),
		Client:   func(ctx context.Context) context.Context { return oidc.ClientContext(ctx, client) },
	}), nil
}

// passkeysOf returns the passkeys of the site at the public address, nil if there can
// be none: browsers know no passkeys of an address without a name.
func passkeysOf(ctx context.Context, public *url.URL, db *database, log *slog.Logger) *identity.Passkeys {
	name, err := bodyName(db.pool)(ctx)
	if err == nil {
		var passkeys *identity.Passkeys
		if passkeys, err = identity.NewPasskeys(public, name); err == nil {
			return passkeys
		}
	}
	log.WarnContext(ctx, "there are no passkeys at this address", "error", err)
	return nil
}
