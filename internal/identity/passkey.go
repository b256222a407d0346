package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// ErrPasskey says that what an authenticator answered is not what was asked, or came
// too late, or that its passkey is unknown.
var ErrPasskey = errors.New("the passkey was not taken; begin again")

// challengeLifetime is how long an authenticator may take to answer.
const challengeLifetime = 5 * time.Minute

// Passkeys knows for which site passkeys are.
type Passkeys struct{ site *webauthn.WebAuthn }

// NewPasskeys returns the Passkeys of a site. page is an address on it, and name is
// what authenticators call it.
func NewPasskeys(page *url.URL, name string) (*Passkeys, error) {
	site, err := webauthn.New(&webauthn.Config{
		RPID: page.Hostname(), RPDisplayName: name, RPOrigins: []string{page.Scheme + "://" + page.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			// Whoever has the device proves to be its owner: that makes two factors.
			UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys of %s: %w", page, err)
	}
	return &Passkeys{site}, nil
}

// Passkey is a passkey of an account.
type Passkey struct {
	ID         uuid.UUID
	AccountID  uuid.UUID
	Name       string
	CreatedAt  time.Time
	LastUsedAt *time.Time
}

// NodeID returns the opaque ID in the graph.
func (p *Passkey) NodeID() string { return node.ID("Passkey", p.ID) }

const passkeyColumns = `
	p.id,
	p.account_id,
	p.name,
	p.created_at,
	u.last_used_at`

// Asked is what an authenticator is asked: Options is JSON for the browser, and Token
// says which question the answer is to.
type Asked struct{ Token, Options string }

// PasskeysOf returns the passkeys of accounts, the oldest first, to the account alone.
func (s *Store) PasskeysOf(ctx context.Context, v viewer.Viewer, accounts []uuid.UUID) (_ map[uuid.UUID][]*Passkey, err error) {
	defer errs.Wrap(&err, "identity.PasskeysOf")
	rows, err := pg.All[Passkey](ctx, s.DB, `
		SELECT`+passkeyColumns+`
		FROM passkeys p
		LEFT JOIN passkey_uses u ON u.passkey_id = p.id
		WHERE p.account_id = ANY(@ids) AND p.account_id = @own
		ORDER BY p.created_at, p.id`,
		pgx.StrictNamedArgs{"ids": accounts, "own": v.Account})
	return pg.GroupBy(rows, func(p *Passkey) uuid.UUID { return p.AccountID }), err
}

// holder is an account as the library sees it.
type holder struct {
	ID        uuid.UUID
	Email     string
	Epoch     int
	Verified  bool
	Suspended bool
	Stored    []webauthn.Credential `db:"-"`
}

// WebAuthnID returns the user handle.
func (h *holder) WebAuthnID() []byte { return h.ID[:] }

// WebAuthnName returns the address.
func (h *holder) WebAuthnName() string { return h.Email }

// WebAuthnDisplayName returns the address.
func (h *holder) WebAuthnDisplayName() string { return h.Email }

// WebAuthnCredentials returns the passkeys.
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.Stored }

func (s *Store) holder(ctx context.Context, account uuid.UUID) (*holder, error) {
	h, err := pg.One[holder](ctx, s.DB, `
		SELECT
			a.id,
			a.email,
			a.epoch,
			a.email_verified_at IS NOT NULL AS verified,
			a.suspended_at IS NOT NULL AS suspended
		FROM accounts a
		WHERE a.id = @id`,
		pgx.StrictNamedArgs{"id": account})
	if err != nil {
		return nil, err
	}
	stored, err := pg.Scalars[string](ctx, s.DB, `
		SELECT (p.credential || COALESCE(u.state, '{}'))::text
		FROM passkeys p
		LEFT JOIN passkey_uses u ON u.passkey_id = p.id
		WHERE p.account_id = @id`, pgx.StrictNamedArgs{"id": account})
	if err != nil {
		return nil, err
	}
	h.Stored = make([]webauthn.Credential, len(stored))
	for i, text := range stored {
		if err := json.Unmarshal([]byte(text), &h.Stored[i]); err != nil {
			return nil, fmt.Errorf("a stored passkey: %w", err)
		}
	}
	return h, nil
}

// ask stores a question to an authenticator, and removes those that were not answered.
func (s *Store) ask(ctx context.Context, account *uuid.UUID, data *webauthn.SessionData, options any) (*Asked, error) {
	challenge, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	token := newToken()
	_, err = s.DB.Exec(ctx, `
		WITH ended AS (
			DELETE FROM passkey_challenges WHERE expires_at <= now()
		)
		INSERT INTO passkey_challenges (token_sha256, account_id, challenge, expires_at)
		VALUES (@token, @account, @challenge::jsonb, now() + @lifetime::interval)`,
		pgx.StrictNamedArgs{"token": hashOf(token), "account": account, "challenge": string(challenge), "lifetime": challengeLifetime})
	return &Asked{Token: token, Options: string(text)}, err
}

// asked uses up a question; ErrPasskey if there is none of that account.
func (s *Store) asked(ctx context.Context, account *uuid.UUID, token string) (data webauthn.SessionData, err error) {
	text, err := pg.Scalar[string](ctx, s.DB, `
		DELETE FROM passkey_challenges
		WHERE token_sha256 = @token AND account_id IS NOT DISTINCT FROM @account AND expires_at > now()
		RETURNING challenge::text`,
		pgx.StrictNamedArgs{"token": hashOf(token), "account": account})
	if errors.Is(err, errs.NotFound) {
		return data, ErrPasskey
	}
	if err != nil {
		return data, err
	}
	return data, json.Unmarshal([]byte(text), &data)
}

// BeginPasskey asks an authenticator for a new passkey of who is signed in and proves who
// they are. Only its answer adds one, so that AddPasskey asks for no proof again.
func (s *Store) BeginPasskey(ctx context.Context, v viewer.Viewer, p Proof) (_ *Asked, err error) {
	defer errs.Wrap(&err, "identity.BeginPasskey")
	if s.Passkeys == nil {
		return nil, errs.Unavailable
	}
	if err := s.Prove(ctx, v, p); err != nil {
		return nil, err
	}
	h, err := s.holder(ctx, v.Account)
	if err != nil {
		return nil, err
	}
	options, data, err := s.Passkeys.site.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.Stored).CredentialDescriptors()))
	if err != nil {
		return nil, err
	}
	return s.ask(ctx, &v.Account, data, options.Response)
}

// AddPasskey takes the answer of the authenticator. It ends all sessions of the
// account and returns a new one. ErrPasskey if the answer is none to the question.
func (s *Store) AddPasskey(ctx context.Context, account uuid.UUID, token, answer, name string) (session *Session, err error) {
	defer errs.Wrap(&err, "identity.AddPasskey")
	name = strings.Join(strings.Fields(name), " ")
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 || strings.ContainsRune(name, 0) {
		return nil, errs.Invalidf("input.name", "a name has 1 to 100 characters; this one has %d", n)
	}
	data, err := s.asked(ctx, &account, token)
	if err != nil {
		return nil, err
	}
	h, err := s.holder(ctx, account)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, ErrPasskey
	}
	made, err := s.Passkeys.site.CreateCredential(h, data, parsed)
	if err != nil {
		return nil, ErrPasskey
	}
	text, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		epoch, err := pg.Scalar[int](ctx, tx, `
			WITH added AS (
				INSERT INTO passkeys (id, account_id, credential_id, credential, name)
				VALUES (@id, @account, @credential, @text::jsonb, @name)
			)
			UPDATE accounts SET epoch = epoch + 1
			WHERE id = @account
			RETURNING epoch`,
			pgx.StrictNamedArgs{"id": newID(), "account": account, "credential": made.ID, "text": string(text), "name": name})
		if pg.Constraint(err) == "passkeys_credential_unique" {
			return ErrPasskey
		}
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, account, passkeyAdded); err != nil {
			return err
		}
		session, err = s.open(ctx, tx, account, epoch)
		return err
	})
	return session, err
}

// RemovePasskey removes a passkey of who is signed in and proves who they are. It ends all
// sessions of the account and returns a new one. errs.NotFound if it has no such passkey.
func (s *Store) RemovePasskey(ctx context.Context, v viewer.Viewer, p Proof, passkey uuid.UUID) (session *Session, err error) {
	defer errs.Wrap(&err, "identity.RemovePasskey(%s)", passkey)
	account := v.Account
	if err := s.Prove(ctx, v, p); err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		epoch, err := pg.Scalar[int](ctx, tx, `
			WITH removed AS (
				DELETE FROM passkeys
				WHERE id = @passkey AND account_id = @account
				RETURNING account_id
			)
			UPDATE accounts a SET epoch = a.epoch + 1
			FROM removed r
			WHERE a.id = r.account_id
			RETURNING a.epoch`,
			pgx.StrictNamedArgs{"passkey": passkey, "account": account})
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, account, passkeyRemoved); err != nil {
			return err
		}
		session, err = s.open(ctx, tx, account, epoch)
		return err
	})
	return session, err
}

// BeginPasskeySignIn asks an authenticator for any passkey that it has for the site.
// Nothing is said of any account.
func (s *Store) BeginPasskeySignIn(ctx context.Context) (_ *Asked, err error) {
	defer errs.Wrap(&err, "identity.BeginPasskeySignIn")
	if s.Passkeys == nil {
		return nil, errs.Unavailable
	}
	options, data, err := s.Passkeys.site.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, err
	}
	return s.ask(ctx, nil, data, options.Response)
}

// SignInByPasskey begins a session for whose passkey has answered. Attempts by
// password don't stand in its way. No code is asked for: the authenticator has
// verified the person. ErrPasskey if the answer is none to the question.
func (s *Store) SignInByPasskey(ctx context.Context, token, answer string) (_ *Session, err error) {
	defer errs.Wrap(&err, "identity.SignInByPasskey")
	data, err := s.asked(ctx, nil, token)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, ErrPasskey
	}
	var who *holder
	var failed error
	used, err := s.Passkeys.site.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		id, err := uuid.FromBytes(handle)
		if err == nil {
			who, err = s.holder(ctx, id)
			if err != nil && !errors.Is(err, errs.NotFound) {
				failed = err
			}
		}
		return who, err
	}, data, parsed)
	switch {
	case failed != nil:
		return nil, failed
	case err != nil || used.Authenticator.CloneWarning:
		return nil, ErrPasskey
	case who.Suspended:
		return nil, ErrSuspended
	case !who.Verified:
		return nil, ErrNotVerified
	}
	text, err := json.Marshal(used)
	if err != nil {
		return nil, err
	}
	_, err = pg.Scalar[uuid.UUID](ctx, s.DB, `
		WITH passkey AS (
			SELECT p.id, p.account_id FROM passkeys p WHERE p.credential_id = @credential AND p.account_id = @account FOR KEY SHARE
		), used AS (
			SELECT @text::jsonb AS credential
		)
		INSERT INTO passkey_uses (passkey_id, account_id, state, last_used_at)
		SELECT
			p.id,
			p.account_id,
			jsonb_build_object('flags', used.credential -> 'flags', 'authenticator', used.credential -> 'authenticator'),
			now()
		FROM passkey p
		CROSS JOIN used
		ON CONFLICT (passkey_id) DO UPDATE SET state = EXCLUDED.state, last_used_at = EXCLUDED.last_used_at
		RETURNING passkey_id`,
		pgx.StrictNamedArgs{"text": string(text), "credential": used.ID, "account": who.ID})
	if errors.Is(err, errs.NotFound) {
		return nil, ErrPasskey // it was removed meanwhile
	}
	if err != nil {
		return nil, err
	}
	return s.open(ctx, s.DB, who.ID, who.Epoch)
}
