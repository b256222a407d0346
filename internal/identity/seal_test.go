package identity_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
)

// sealBy returns a Seal by keys of one byte each, repeated.
func sealBy(t *testing.T, keys ...byte) *identity.Seal {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, identity.SecretKeySize))
	}
	s, err := identity.NewSeal(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stored returns every row of every table, as a dump has them, in small letters.
func stored(t *testing.T, b *body) string {
	t.Helper()
	tables, err := pg.Scalars[string](t.Context(), b.db, `
		SELECT c.oid::regclass::text
		FROM pg_class c
		WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace IN ('public'::regnamespace, 'river'::regnamespace)`)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, table := range tables {
		rows, err := pg.Scalar[string](t.Context(), b.db, `SELECT lower(COALESCE(string_agg(t::text, ' '), '')) FROM `+table+` t`)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(rows)
	}
	return all.String()
}

// TestTOTPSecretsAreSealed looks for the secret in the database as people write it, and as
// bytes.
func TestTOTPSecretsAreSealed(t *testing.T) {
	t.Parallel()
	b, s, secret, _ := withTOTP(t)
	raw, err := base32.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	row := stored(t, b)
	if !strings.Contains(row, s.AccountID.String()) {
		t.Fatal("there is no row of the account")
	}
	for _, form := range []string{secret, hex.EncodeToString(raw), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString(raw)} {
		if strings.Contains(row, strings.ToLower(form)) {
			t.Errorf("the database holds the secret as %s", form)
		}
	}

	// Sealed for one account it is no secret of another.
	other := uuid.New()
	if _, err := b.db.Exec(t.Context(), `INSERT INTO accounts (id, email, email_verified_at, password_hash)
		SELECT $1, 'bea@example.org', now(), password_hash FROM accounts WHERE id = $2`, other, s.AccountID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.Exec(t.Context(), `INSERT INTO account_totp (account_id, sealed, confirmed_at) SELECT $1, sealed, now() FROM account_totp WHERE account_id = $2`, other, s.AccountID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SignIn(t.Context(), "bea@example.org", password, code(t, secret, 0), "n"); err == nil || !strings.Contains(err.Error(), "of another account") {
		t.Errorf("with the secret of another account: %v", err)
	}
	if _, err := b.SignIn(t.Context(), ada, password, code(t, secret, 0), "n"); err != nil {
		t.Error(err)
	}
}

// TestSecretKeysChange goes from no key to one, to another beside it, and to that one alone:
// the authenticator works all the while.
func TestSecretKeysChange(t *testing.T) {
	t.Parallel()
	b, s, secret, recovery := withTOTP(t)
	if _, err := b.db.Exec(t.Context(), `UPDATE account_totp SET secret = $1, sealed = NULL`, secret); err != nil {
		t.Fatal(err)
	}
	step := 0
	for _, tt := range []struct {
		name  string
		seal  *identity.Seal
		want  identity.Sealing
		clear bool
	}{
		{"from before, without a key", nil, identity.Sealing{Clear: 1}, true},
		{"a first key", sealBy(t, 1), identity.Sealing{Sealed: 1}, false},
		{"the same", sealBy(t, 1), identity.Sealing{}, false},
		{"a second one before it", sealBy(t, 2, 1), identity.Sealing{Sealed: 1}, false},
		{"the second alone", sealBy(t, 2), identity.Sealing{}, false},
	} {
		b.Seal = tt.seal
		got, err := b.SealSecrets(t.Context())
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", tt.name, err, diff)
		}
		if has := strings.Contains(stored(t, b), strings.ToLower(secret)); has != tt.clear {
			t.Errorf("%s: in clear is %t", tt.name, has)
		}
		// Each code works once: the next step, and the clock with it.
		if _, err := b.db.Exec(t.Context(), `UPDATE account_totp SET last_step = 0`); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SignIn(t.Context(), ada, password, code(t, secret, step), "n"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}

	// A server without the key.
	for name, seal := range map[string]*identity.Seal{"no key": nil, "another key": sealBy(t, 3)} {
		b.Seal = seal
		got, err := b.SealSecrets(t.Context())
		if diff := cmp.Diff(identity.Sealing{Lost: 1}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if _, err := b.SignIn(t.Context(), ada, password, code(t, secret, 1), "n"); err == nil || !strings.Contains(err.Error(), "COLLEGIUM_SECRET_KEY") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.SignIn(t.Context(), ada, password, recovery[0], "n"); err != nil {
		t.Errorf("a recovery code without the key: %v", err)
	}
	b.Seal = nil
	if _, err := b.DisableTOTP(t.Context(), as(s), identity.Proof{Password: password, Code: recovery[1]}); err != nil {
		t.Errorf("turn it off without the key: %v", err)
	}
	_, err := b.BeginTOTP(t.Context(), as(s), identity.Proof{Password: password}, "The College")
	wantErr(t, "set up an authenticator without a key", err, identity.ErrNoSecretKey)
}

// TestParseSecretKey reads what tools print, and refuses the rest without telling it.
func TestParseSecretKey(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{0xfb, 0xff}, 16)
	for _, text := range []string{base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key), " " + base64.URLEncoding.EncodeToString(key) + "\n"} {
		if got, err := identity.ParseSecretKey(text); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "correct horse battery staple", base64.StdEncoding.EncodeToString(key[:31]), hex.EncodeToString(key)} {
		if _, err := identity.ParseSecretKey(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := identity.NewSeal(key[:16]); err == nil {
		t.Error("a key of 16 bytes was taken")
	}
}
