package identity

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// SecretKeySize is how many bytes a key of a Seal has.
const SecretKeySize = 32

// keyIDSize is how many bytes before what is sealed say by which key.
const keyIDSize = 4

// ErrNoSecretKey says that this server keeps no secrets, since it has no key to seal them.
var ErrNoSecretKey = errors.New("this server has no key to keep the secrets of authenticators; its operator sets COLLEGIUM_SECRET_KEY")

// Seal keeps the secrets that have to be read again from who reads the database alone:
// AES-256-GCM, by a key that is not in the database, for one account each. A nil Seal seals
// nothing and opens nothing.
type Seal struct{ keys []sealKey }

// sealKey is one key; id says which without telling anything else about it.
type sealKey struct {
	id   []byte
	aead cipher.AEAD
}

// NewSeal returns a Seal by keys of SecretKeySize random bytes: the first seals, and all
// open. It is nil without keys.
func NewSeal(keys ...[]byte) (*Seal, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	s := &Seal{}
	for _, secret := range keys {
		if len(secret) != SecretKeySize {
			return nil, fmt.Errorf("a secret key has %d bytes; this one has %d", SecretKeySize, len(secret))
		}
		// Another use of the same secret has keys of its own.
		key, err := hkdf.Key(sha256.New, secret, nil, "collegium totp key", SecretKeySize)
		if err != nil {
			return nil, err
		}
		id, err := hkdf.Key(sha256.New, secret, nil, "collegium totp id", keyIDSize)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, sealKey{id, aead})
	}
	return s, nil
}

// Keys returns how many keys there are.
func (s *Seal) Keys() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// ParseSecretKey reads a key as people write it: base64 of SecretKeySize bytes. Its errors
// hold nothing of the key.
func ParseSecretKey(text string) ([]byte, error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(text), "="))
	key, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil || len(key) != SecretKeySize {
		return nil, fmt.Errorf("a secret key is %d random bytes in base64, as \"openssl rand -base64 %d\" prints them", SecretKeySize, SecretKeySize)
	}
	return key, nil
}

// seal seals a secret of an account.
func (s *Seal) seal(account uuid.UUID, secret []byte) ([]byte, error) {
	if s == nil {
		return nil, ErrNoSecretKey
	}
	first := s.keys[0]
	return first.aead.Seal(slices.Clone(first.id), nil, secret, account[:]), nil
}

// open returns a secret that was sealed for an account.
func (s *Seal) open(account uuid.UUID, sealed []byte) ([]byte, error) {
	if s != nil && len(sealed) > keyIDSize {
		for _, k := range s.keys {
			if string(k.id) != string(sealed[:keyIDSize]) {
				continue
			}
			secret, err := k.aead.Open(nil, nil, sealed[keyIDSize:], account[:])
			if err != nil {
				return nil, fmt.Errorf("the secret of the authenticator of account %s was changed, or is of another account: %w", account, err)
			}
			return secret, nil
		}
	}
	return nil, fmt.Errorf("the secret of the authenticator of account %s is sealed by a key that is not in COLLEGIUM_SECRET_KEY", account)
}

// storedTOTP is the secret of an authenticator as it is stored: sealed, or, from before
// there was a key, in clear.
type storedTOTP struct {
	AccountID uuid.UUID
	Secret    *string
	Sealed    []byte
}

// secret returns the secret as authenticators take it.
func (t *storedTOTP) secret(s *Seal) (string, error) {
	if t.Secret != nil {
		return *t.Secret, nil
	}
	raw, err := s.open(t.AccountID, t.Sealed)
	return base32NoPad.EncodeToString(raw), err
}

// Sealing is what SealSecrets found: how many secrets it sealed by the first key, how many
// stand in clear, since there is no key, and how many are sealed by a key it has not.
type Sealing struct{ Sealed, Clear, Lost int }

// SealSecrets seals by the first key what stands in the database in clear or is sealed by
// another. It is for the start of the program, beside others that do the same.
func (s *Store) SealSecrets(ctx context.Context) (done Sealing, err error) {
	defer errs.Wrap(&err, "identity.SealSecrets")
	first := []byte{}
	if s.Seal != nil {
		first = s.Seal.keys[0].id
	}
	rows, err := pg.All[storedTOTP](ctx, s.DB, `
		SELECT t.account_id, t.secret, t.sealed
		FROM account_totp t
		WHERE t.secret IS NOT NULL OR substring(t.sealed FROM 1 FOR @size::integer) <> @first
		ORDER BY t.account_id`,
		pgx.StrictNamedArgs{"size": keyIDSize, "first": first})
	if err != nil {
		return done, err
	}
	for _, r := range rows {
		if r.Secret != nil && s.Seal == nil {
			done.Clear++
			continue
		}
		secret, err := r.secret(s.Seal)
		if err != nil {
			done.Lost++
			continue
		}
		raw, err := base32NoPad.DecodeString(secret)
		if err != nil {
			return done, err
		}
		sealed, err := s.Seal.seal(r.AccountID, raw)
		if err != nil {
			return done, err
		}
		// Unless it was made anew meanwhile.
		changed, err := s.DB.Exec(ctx, `
			UPDATE account_totp SET secret = NULL, sealed = @sealed
			WHERE account_id = @account AND secret IS NOT DISTINCT FROM @was AND sealed IS NOT DISTINCT FROM @was_sealed`,
			pgx.StrictNamedArgs{"account": r.AccountID, "sealed": sealed, "was": r.Secret, "was_sealed": r.Sealed})
		if err != nil {
			return done, err
		}
		done.Sealed += int(changed.RowsAffected())
	}
	return done, nil
}
