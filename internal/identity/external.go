package identity

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// The reasons why a sign-in at another service came to nothing.
var (
	// ErrExternal says that the answer of the service is not to what was asked, came too
	// late, or can't be trusted.
	ErrExternal = errors.New("the sign-in came to nothing; begin again")
	// ErrNoAccount says that nobody here is who the service says.
	ErrNoAccount = errors.New("there is no account for you here; join first, or sign in by password")
)

// attemptLifetime is how long somebody may take to sign in at another service.
const attemptLifetime = 10 * time.Minute

// Provider is a service that says who somebody is, by OpenID Connect: the code flow
// with PKCE.
type Provider struct {
	// Issuer is its address, as it stands in its tokens.
	Issuer string
	// ClientID and ClientSecret are what it knows this service by.
	ClientID, ClientSecret string
	// Callback is the address to which it sends people back.
	Callback string
	// Client returns a context with the HTTP client to ask it with; nil: the usual one.
	Client func(context.Context) context.Context

	mu       sync.Mutex
	provider *oidc.Provider
}

// found returns the provider with its addresses and keys. It is asked when somebody
// first signs in by it, so that this service starts while that one is down.
func (p *Provider) found(ctx context.Context) (*oidc.Provider, context.Context, error) {
	if p.Client != nil {
		ctx = p.Client(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.provider == nil {
		// It keeps the context for its keys, which outlive the request.
		found, err := oidc.NewProvider(context.WithoutCancel(ctx), p.Issuer)
		if err != nil {
			return nil, ctx, errors.Join(errs.Unavailable, err)
		}
		p.provider = found
	}
	return p.provider, ctx, nil
}

func (p *Provider) oauth(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.Callback,
		Scopes: []string{oidc.ScopeOpenID, "email"},
	}
}

// BeginExternal begins a sign-in at another service. location is where to send the
// browser, and token is for it to keep; returnTo is where it goes in the end: a path
// of this site, or else "/".
func (s *Store) BeginExternal(ctx context.Context, p *Provider, returnTo string) (location, token string, err error) {
	defer errs.Wrap(&err, "identity.BeginExternal")
	found, ctx, err := p.found(ctx)
	if err != nil {
		return "", "", err
	}
	token = newToken()
	state, nonce, verifier := newToken(), newToken(), oauth2.GenerateVerifier()
	_, err = s.DB.Exec(ctx, `
		WITH ended AS (
			DELETE FROM external_attempts WHERE expires_at <= now()
		)
		INSERT INTO external_attempts (token_sha256, state, nonce, verifier, return_to, expires_at)
		VALUES (@token, @state, @nonce, @verifier, @return, now() + @lifetime::interval)`,
		pgx.StrictNamedArgs{
			"token": hashOf(token), "state": state, "nonce": nonce, "verifier": verifier, "return": ownPath(returnTo), "lifetime": attemptLifetime,
		})
	if err != nil {
		return "", "", err
	}
	return p.oauth(found).AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), token, nil
}

// EndExternal ends a sign-in with what the service sent back. token is that of the
// browser. returnTo is always a path of this site. The account is the one that is
// known as who the service says, or the one with the address that the service has
// verified, which is known so from then on. ErrExternal, ErrNoAccount or ErrSuspended
// if there is no session.
func (s *Store) EndExternal(ctx context.Context, p *Provider, token string, answer url.Values) (_ *Session, returnTo string, err error) {
	defer errs.Wrap(&err, "identity.EndExternal")
	type row struct{ State, Nonce, Verifier, ReturnTo string }
	attempt, err := pg.One[row](ctx, s.DB, `
		DELETE FROM external_attempts
		WHERE token_sha256 = @token AND expires_at > now()
		RETURNING state, nonce, verifier, return_to`,
		pgx.StrictNamedArgs{"token": hashOf(token)})
	if errors.Is(err, errs.NotFound) {
		return nil, "/", ErrExternal
	}
	if err != nil {
		return nil, "/", err
	}
	who, err := p.claims(ctx, attempt.State, attempt.Nonce, attempt.Verifier, answer)
	if err != nil {
		return nil, attempt.ReturnTo, err
	}
	session, err := s.openExternal(ctx, p.Issuer, who)
	return session, attempt.ReturnTo, err
}

// claims is what a service says of somebody.
type claims struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
}

// claims asks the service who it is, with the code that the browser brought.
func (p *Provider) claims(ctx context.Context, state, nonce, verifier string, answer url.Values) (*claims, error) {
	found, ctx, err := p.found(ctx)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(state)) != 1 || answer.Get("code") == "" ||
		answer.Has("iss") && answer.Get("iss") != p.Issuer { // RFC 9207
		return nil, ErrExternal
	}
	tokens, err := p.oauth(found).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, errors.Join(ErrExternal, err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, errors.Join(ErrExternal, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, ErrExternal
	}
	var c claims
	if err := id.Claims(&c); err != nil || c.Subject == "" || len(c.Subject) > 255 {
		return nil, errors.Join(ErrExternal, err)
	}
	return &c, nil
}

// openExternal begins a session of the account that is known to the service.
func (s *Store) openExternal(ctx context.Context, issuer string, c *claims) (session *Session, err error) {
	type row struct {
		ID        uuid.UUID
		Suspended bool
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		account, err := pg.One[row](ctx, tx, `
			SELECT
				a.id,
				a.suspended_at IS NOT NULL AS suspended
			FROM external_identities e
			JOIN accounts a ON a.id = e.account_id
			WHERE e.issuer = @issuer AND e.subject = @subject`,
			pgx.StrictNamedArgs{"issuer": issuer, "subject": c.Subject})
		if errors.Is(err, errs.NotFound) && c.Verified {
			account, err = pg.One[row](ctx, tx, `
				WITH account AS (
					UPDATE accounts
					SET email_verified_at = COALESCE(email_verified_at, now())
					WHERE email_folded = lower(@email COLLATE "und-x-icu")
					RETURNING id, suspended_at
				), linked AS (
					INSERT INTO external_identities (issuer, subject, account_id)
					SELECT @issuer, @subject, a.id
					FROM account a
				)
				SELECT
					a.id,
					a.suspended_at IS NOT NULL AS suspended
				FROM account a`,
				pgx.StrictNamedArgs{"issuer": issuer, "subject": c.Subject, "email": fold(c.Email)})
		}
		switch {
		case errors.Is(err, errs.NotFound), pg.Constraint(err) == "external_identities_account_unique":
			return ErrNoAccount // also if the account is known as somebody else there
		case err != nil:
			return err
		case account.Suspended:
			return ErrSuspended
		}
		session, err = s.reopen(ctx, tx, account.ID)
		return err
	})
	return session, err
}

// ownPath returns a path of this site, with what follows it; "/" for anything else,
// so that nobody is sent elsewhere.
func ownPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || len(path) > 2000 || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsFunc(path, func(r rune) bool { return r == '\\' || r <= ' ' || r == 0x7f }) {
		return "/"
	}
	return path
}
