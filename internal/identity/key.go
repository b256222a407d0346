package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Scope is what a key is good for.
type Scope string

// The scopes.
const (
	ContentRead    Scope = "CONTENT_READ"
	DirectoryRead  Scope = "DIRECTORY_READ"
	MembersRead    Scope = "MEMBERS_READ"
	StatisticsRead Scope = "STATISTICS_READ"
)

// Scopes are all scopes.
var Scopes = []Scope{ContentRead, DirectoryRead, MembersRead, StatisticsRead}

// ParseScope reads a scope as people write it, as "content:read".
func ParseScope(s string) (Scope, error) {
	for _, known := range Scopes {
		if s == known.String() {
			return known, nil
		}
	}
	return "", errs.Invalidf("scope", "there is no scope %.100q; the scopes are content:read, directory:read, members:read and statistics:read", s)
}

// String returns the scope as people write it.
func (s Scope) String() string { return strings.ToLower(strings.ReplaceAll(string(s), "_", ":")) }

// PartnerApplication is a program of a partner that asks with keys of its own.
type PartnerApplication struct {
	ID           uuid.UUID
	Name         string
	ContactEmail string
	SuspendedAt  *time.Time
	CreatedAt    time.Time
}

// NodeID returns the opaque ID in the graph.
func (a *PartnerApplication) NodeID() string { return node.ID("PartnerApplication", a.ID) }

// KeyStatus says whether a key is good now.
type KeyStatus string

// What can be said of a key.
const (
	KeyValid     KeyStatus = "VALID"
	KeyExpired   KeyStatus = "EXPIRED"
	KeyRevoked   KeyStatus = "REVOKED"
	KeySuspended KeyStatus = "SUSPENDED"
)

// Key is a key of an application, without its secret, which nobody can read again.
type Key struct {
	ID            uuid.UUID
	ApplicationID uuid.UUID
	Prefix        string
	Scopes        []Scope
	UnitID        *uuid.UUID
	UnitKind      *string
	TrustedOnly   bool
	Status        KeyStatus
	CreatedAt     time.Time
	ExpiresAt     time.Time
	LastUsedAt    *time.Time
	RevokedAt     *time.Time
}

// NodeID returns the opaque ID in the graph.
func (k *Key) NodeID() string { return node.ID("ApplicationKey", k.ID) }

// The lifetime of a key.
const (
	KeyLifetime    = 365 * 24 * time.Hour
	MaxKeyLifetime = 2 * 365 * 24 * time.Hour
)

// keyMark begins each secret, so that people and scanners of code know one.
const keyMark = "clg_"

// keyPrefix is how many characters of a secret are stored.
const keyPrefix = len(keyMark) + 6

// ErrTwoKeys says that an application has as many valid keys as it can have.
var ErrTwoKeys = errors.New("the application has two valid keys already; revoke the one that is no longer used")

// ErrNameTaken says that there is an application of that name.
var ErrNameTaken = errors.New("there is an application of that name already")

// ErrApplicationSuspended says that a suspended application gets no key.
var ErrApplicationSuspended = errors.New("the application is suspended; reinstate it first")

const (
	partnerColumns = `
		p.id,
		p.name,
		p.contact_email,
		p.suspended_at,
		p.created_at`
	keyColumns = `
		k.id,
		k.application_id,
		k.prefix,
		k.scopes,
		k.unit_id,
		(SELECT u.kind FROM units u WHERE u.id = k.unit_id) AS unit_kind,
		k.trusted_only,
		CASE
			WHEN k.revoked_at IS NOT NULL THEN 'REVOKED'
			WHEN k.expires_at <= now() THEN 'EXPIRED'
			WHEN k.epoch <> p.epoch OR p.suspended_at IS NOT NULL THEN 'SUSPENDED'
			ELSE 'VALID'
		END AS status,
		k.created_at,
		k.expires_at,
		(SELECT w.used_at FROM application_key_uses w WHERE w.key_id = k.id) AS last_used_at,
		k.revoked_at`
)

// NewPartnerApplication is an application to be made.
type NewPartnerApplication struct{ Name, ContactEmail string }

// CreatePartnerApplication makes an application of a partner. ErrNameTaken if there
// is one of that name.
func (s *Store) CreatePartnerApplication(ctx context.Context, v viewer.Viewer, n NewPartnerApplication) (_ *PartnerApplication, err error) {
	defer errs.Wrap(&err, "identity.CreatePartnerApplication")
	n.Name = strings.Join(strings.Fields(n.Name), " ")
	if c := utf8.RuneCountInString(n.Name); c < 1 || c > 100 || strings.ContainsFunc(n.Name, unicode.IsControl) {
		return nil, errs.Invalidf("input.name", "a name has 1 to 100 characters; this one has %d", c)
	}
	if n.ContactEmail, err = person.Email("input.contactEmail", n.ContactEmail); err != nil {
		return nil, err
	}
	a, err := pg.One[PartnerApplication](ctx, s.DB, `
		INSERT INTO partner_applications AS p (id, name, contact_email, created_by)
		VALUES (@id, @name, @email, @by)
		RETURNING`+partnerColumns,
		pgx.StrictNamedArgs{"id": newID(), "name": n.Name, "email": n.ContactEmail, "by": orNull(v.Account)})
	if pg.Constraint(err) == "partner_applications_name_unique" {
		return nil, ErrNameTaken
	}
	return a, err
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// PartnerApplications returns all applications of partners by name, for who manages
// accounts.
func (s *Store) PartnerApplications(ctx context.Context, v viewer.Viewer) (_ []*PartnerApplication, err error) {
	defer errs.Wrap(&err, "identity.PartnerApplications")
	return pg.All[PartnerApplication](ctx, s.DB, `
		SELECT`+partnerColumns+`
		FROM partner_applications p
		WHERE @may
		ORDER BY p.name_folded, p.id`,
		pgx.StrictNamedArgs{"may": v.May(viewer.ManageAccounts)})
}

// PartnerApplicationsByID returns applications of partners by their IDs, for who
// manages accounts.
func (s *Store) PartnerApplicationsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*PartnerApplication, err error) {
	defer errs.Wrap(&err, "identity.PartnerApplicationsByID")
	rows, err := pg.All[PartnerApplication](ctx, s.DB, `
		SELECT`+partnerColumns+`
		FROM partner_applications p
		WHERE p.id = ANY(@ids) AND @may`,
		pgx.StrictNamedArgs{"ids": ids, "may": v.May(viewer.ManageAccounts)})
	return pg.ByKey(rows, func(a *PartnerApplication) uuid.UUID { return a.ID }), err
}

// PartnerApplicationNamed returns the application of a name, in any case.
// errs.NotFound if there is none.
func (s *Store) PartnerApplicationNamed(ctx context.Context, name string) (_ *PartnerApplication, err error) {
	defer errs.Wrap(&err, "identity.PartnerApplicationNamed(%.100q)", name)
	return pg.One[PartnerApplication](ctx, s.DB, `
		SELECT`+partnerColumns+`
		FROM partner_applications p
		WHERE p.name_folded = lower(@name COLLATE "und-x-icu")`,
		pgx.StrictNamedArgs{"name": strings.Join(strings.Fields(name), " ")})
}

// SuspendPartnerApplication ends all keys of an application; with suspended false it
// may be given new ones again, and the old ones stay ended. errs.NotFound if there is
// no such application.
func (s *Store) SuspendPartnerApplication(ctx context.Context, id uuid.UUID, suspended bool) (_ *PartnerApplication, err error) {
	defer errs.Wrap(&err, "identity.SuspendPartnerApplication(%s)", id)
	return pg.One[PartnerApplication](ctx, s.DB, `
		UPDATE partner_applications AS p
		SET suspended_at = CASE WHEN @suspended THEN COALESCE(p.suspended_at, now()) END
		WHERE p.id = @id
		RETURNING`+partnerColumns,
		pgx.StrictNamedArgs{"id": id, "suspended": suspended})
}

// KeysOf returns the keys of applications, the newest first, for who manages
// accounts.
func (s *Store) KeysOf(ctx context.Context, v viewer.Viewer, applications []uuid.UUID) (_ map[uuid.UUID][]*Key, err error) {
	defer errs.Wrap(&err, "identity.KeysOf")
	rows, err := pg.All[Key](ctx, s.DB, `
		SELECT`+keyColumns+`
		FROM application_keys k
		JOIN partner_applications p ON p.id = k.application_id
		WHERE k.application_id = ANY(@ids) AND @may
		ORDER BY k.created_at DESC, k.id DESC`,
		pgx.StrictNamedArgs{"ids": applications, "may": v.May(viewer.ManageAccounts)})
	return pg.GroupBy(rows, func(k *Key) uuid.UUID { return k.ApplicationID }), err
}

// KeysByID returns keys by their IDs, for who manages accounts.
func (s *Store) KeysByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Key, err error) {
	defer errs.Wrap(&err, "identity.KeysByID")
	rows, err := pg.All[Key](ctx, s.DB, `
		SELECT`+keyColumns+`
		FROM application_keys k
		JOIN partner_applications p ON p.id = k.application_id
		WHERE k.id = ANY(@ids) AND @may`,
		pgx.StrictNamedArgs{"ids": ids, "may": v.May(viewer.ManageAccounts)})
	return pg.ByKey(rows, func(k *Key) uuid.UUID { return k.ID }), err
}

// NewKey is a key to be made.
type NewKey struct {
	ApplicationID uuid.UUID
	Scopes        []Scope
	// UnitID limits the key to a section or region; nil: it isn't limited.
	UnitID *uuid.UUID
	// TrustedOnly lets the key ask trusted documents only.
	TrustedOnly bool
	// ExpiresAt is zero for KeyLifetime from now.
	ExpiresAt time.Time
}

// CreateKey makes a key and returns it with its secret, which nobody can read again.
// errs.NotFound if there is no such application, ErrTwoKeys if it has two valid keys.
func (s *Store) CreateKey(ctx context.Context, v viewer.Viewer, n NewKey) (_ *Key, secret string, err error) {
	defer errs.Wrap(&err, "identity.CreateKey(%s)", n.ApplicationID)
	n.Scopes = slices.Compact(slices.Sorted(slices.Values(n.Scopes)))
	now := time.Now()
	if n.ExpiresAt.IsZero() {
		n.ExpiresAt = now.Add(KeyLifetime)
	}
	switch {
	case len(n.Scopes) == 0:
		return nil, "", errs.Invalidf("input.scopes", "a key has one scope at least")
	case n.UnitID != nil && slices.Contains(n.Scopes, ContentRead):
		return nil, "", errs.Invalidf("input.unit", "content is not divided by section or region; make a key of its own with content:read")
	case !n.ExpiresAt.After(now) || n.ExpiresAt.Sub(now) > MaxKeyLifetime:
		return nil, "", errs.Invalidf("input.expiresAt", "a key ends after now, and within %d days", int(MaxKeyLifetime.Hours()/24))
	}
	secret = keyMark + newToken()
	key, err := pg.One[Key](ctx, s.DB, `
		WITH application AS (
			SELECT a.id, a.epoch, a.suspended_at
			FROM partner_applications a
			WHERE a.id = @application AND a.suspended_at IS NULL
		), k AS (
			INSERT INTO application_keys (id, application_id, prefix, secret_sha256, scopes, unit_id, trusted_only, epoch, created_by, expires_at)
			SELECT @id, a.id, @prefix, @secret, @scopes, @unit, @trusted, a.epoch, @by, @expires
			FROM application a
			RETURNING *
		)
		SELECT`+keyColumns+`
		FROM k
		JOIN application p ON p.id = k.application_id`,
		pgx.StrictNamedArgs{
			"id": newID(), "application": n.ApplicationID, "prefix": secret[:keyPrefix], "secret": keyHash(secret), "scopes": n.Scopes,
			"unit": n.UnitID, "trusted": n.TrustedOnly, "by": orNull(v.Account), "expires": n.ExpiresAt,
		})
	switch c := pg.Constraint(err); {
	case c == "application_keys_two_valid":
		return nil, "", ErrTwoKeys
	case c == "application_keys_unit_id_fkey":
		return nil, "", errs.Invalidf("input.unit", "there is no such section or region")
	case errors.Is(err, errs.NotFound):
		return nil, "", s.whyNoKey(ctx, n.ApplicationID)
	case err != nil:
		return nil, "", err
	}
	return key, secret, nil
}

// whyNoKey says why an application gets no key.
func (s *Store) whyNoKey(ctx context.Context, application uuid.UUID) error {
	_, err := pg.Scalar[uuid.UUID](ctx, s.DB, `SELECT a.id FROM partner_applications a WHERE a.id = @id`, pgx.StrictNamedArgs{"id": application})
	if err != nil {
		return err
	}
	return ErrApplicationSuspended
}

// RevokeKey ends a key for good; ending one that has ended changes nothing.
// errs.NotFound if there is no such key.
func (s *Store) RevokeKey(ctx context.Context, id uuid.UUID) (_ *Key, err error) {
	defer errs.Wrap(&err, "identity.RevokeKey(%s)", id)
	return pg.One[Key](ctx, s.DB, `
		WITH k AS (
			UPDATE application_keys
			SET revoked_at = COALESCE(revoked_at, now())
			WHERE id = @id
			RETURNING *
		)
		SELECT`+keyColumns+`
		FROM k
		JOIN partner_applications p ON p.id = k.application_id`,
		pgx.StrictNamedArgs{"id": id})
}

// KeyHolder is who asks with a key.
type KeyHolder struct {
	KeyID         uuid.UUID
	ApplicationID uuid.UUID
	Name          string
	Scopes        []Scope
	UnitID        *uuid.UUID
	TrustedOnly   bool
}

// KeyHolder returns whose a secret is, and notes that the key is used, once a minute.
// errs.Unauthenticated if it is nobody's, or nobody's any more.
func (s *Store) KeyHolder(ctx context.Context, secret string) (_ *KeyHolder, err error) {
	defer errs.Wrap(&err, "identity.KeyHolder")
	holder, err := pg.One[KeyHolder](ctx, s.DB, `
		WITH key AS MATERIALIZED (
			SELECT
				k.id AS key_id,
				k.application_id,
				p.name,
				k.scopes,
				k.unit_id,
				k.trusted_only
			FROM application_keys k
			JOIN partner_applications p ON p.id = k.application_id AND p.epoch = k.epoch
			WHERE k.secret_sha256 = @secret
				AND k.revoked_at IS NULL
				AND k.expires_at > now()
				AND p.suspended_at IS NULL
		), used AS (
			INSERT INTO application_key_uses AS w (key_id, used_at)
			SELECT key.key_id, now()
			FROM key
			WHERE NOT EXISTS (SELECT FROM application_key_uses u WHERE u.key_id = key.key_id AND u.used_at > now() - interval '1 minute')
			ON CONFLICT (key_id) DO UPDATE SET used_at = greatest(w.used_at, excluded.used_at)
		)
		SELECT
			key.key_id,
			key.application_id,
			key.name,
			key.scopes,
			key.unit_id,
			key.trusted_only
		FROM key`,
		pgx.StrictNamedArgs{"secret": keyHash(secret)})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Unauthenticated
	}
	return holder, err
}

// keyHash returns what is stored of a secret. What is no secret of a key has the
// hash of none.
func keyHash(secret string) []byte {
	token, ok := strings.CutPrefix(secret, keyMark)
	if !ok {
		token = ""
	}
	return hashOf(token)
}
