package identity_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

var administrator = viewer.New(viewer.Administrator)

// partner returns accounts over an empty database with one application.
func partner(t *testing.T) (*identity.Store, *identity.PartnerApplication) {
	t.Helper()
	s := &identity.Store{DB: pgtest.New(t)}
	a, err := s.CreatePartnerApplication(t.Context(), administrator, identity.NewPartnerApplication{Name: " Web  site ", ContactEmail: "web@example.org"})
	if err != nil || a.Name != "Web site" {
		t.Fatalf("%+v, %v", a, err)
	}
	return s, a
}

func newKey(t *testing.T, s *identity.Store, a *identity.PartnerApplication) (*identity.Key, string) {
	t.Helper()
	k, secret, err := s.CreateKey(t.Context(), administrator, identity.NewKey{ApplicationID: a.ID, Scopes: []identity.Scope{identity.MembersRead, identity.DirectoryRead}})
	if err != nil {
		t.Fatal(err)
	}
	return k, secret
}

func good(t *testing.T, s *identity.Store, secret string) bool {
	t.Helper()
	_, err := s.KeyHolder(t.Context(), secret)
	if err != nil && !errors.Is(err, errs.Unauthenticated) {
		t.Fatal(err)
	}
	return err == nil
}

func exec(t *testing.T, s *identity.Store, sql string) {
	t.Helper()
	if _, err := s.DB.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	s, a := partner(t)
	k, secret := newKey(t, s, a)
	got, err := s.KeyHolder(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	want := &identity.KeyHolder{KeyID: k.ID, ApplicationID: a.ID, Name: "Web site", Scopes: []identity.Scope{identity.DirectoryRead, identity.MembersRead}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("holder (-want +got)\n%s", diff)
	}
	if k.Status != identity.KeyValid || !strings.HasPrefix(secret, k.Prefix) || len(secret) != 47 || time.Until(k.ExpiresAt).Round(time.Hour) != identity.KeyLifetime {
		t.Errorf("%+v", k)
	}
	for _, wrong := range []string{"", "clg_", secret[:46], secret + "x", strings.TrimPrefix(secret, "clg_"), "clg_" + strings.Repeat("A", 43)} {
		if good(t, s, wrong) {
			t.Errorf("%q is good", wrong)
		}
	}
	stored, err := pg.Scalars[string](t.Context(), s.DB, `SELECT k::text FROM application_keys k`)
	if err != nil || strings.Contains(strings.Join(stored, ""), secret[10:]) {
		t.Errorf("the secret is stored: %v %v", stored, err)
	}
}

// TestWhatEndsKeys: each ends the key at once.
func TestWhatEndsKeys(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  func(*testing.T, *identity.Store, *identity.PartnerApplication, *identity.Key)
		want identity.KeyStatus
	}{
		"revoked": {func(t *testing.T, s *identity.Store, _ *identity.PartnerApplication, k *identity.Key) {
			for range 2 { // twice is no error
				got, err := s.RevokeKey(t.Context(), k.ID)
				wantErr(t, "revoke", err, nil)
				if got.Status != identity.KeyRevoked {
					t.Errorf("%+v", got)
				}
			}
		}, identity.KeyRevoked},
		"expired": {func(t *testing.T, s *identity.Store, _ *identity.PartnerApplication, _ *identity.Key) {
			exec(t, s, `UPDATE application_keys SET created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'`)
		}, identity.KeyExpired},
		"suspended": {func(t *testing.T, s *identity.Store, a *identity.PartnerApplication, _ *identity.Key) {
			_, err := s.SuspendPartnerApplication(t.Context(), a.ID, true)
			wantErr(t, "suspend", err, nil)
			_, _, err = s.CreateKey(t.Context(), administrator, identity.NewKey{ApplicationID: a.ID, Scopes: identity.Scopes})
			wantErr(t, "a key of a suspended application", err, identity.ErrApplicationSuspended)
		}, identity.KeySuspended},
		"suspended and reinstated": {func(t *testing.T, s *identity.Store, a *identity.PartnerApplication, _ *identity.Key) {
			_, err := s.SuspendPartnerApplication(t.Context(), a.ID, true)
			wantErr(t, "suspend", err, nil)
			_, err = s.SuspendPartnerApplication(t.Context(), a.ID, false)
			wantErr(t, "reinstate", err, nil)
			if _, secret := newKey(t, s, a); !good(t, s, secret) {
				t.Error("a new key is not good")
			}
		}, identity.KeySuspended},
		"suspended, by whatever program": {func(t *testing.T, s *identity.Store, _ *identity.PartnerApplication, _ *identity.Key) {
			exec(t, s, `UPDATE partner_applications SET suspended_at = now()`)
			exec(t, s, `UPDATE partner_applications SET suspended_at = NULL`)
		}, identity.KeySuspended},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := partner(t)
			k, secret := newKey(t, s, a)
			tt.end(t, s, a, k)
			if good(t, s, secret) {
				t.Error("the key is still good")
			}
			now, err := s.KeysByID(t.Context(), administrator, []uuid.UUID{k.ID})
			if err != nil || now[k.ID].Status != tt.want {
				t.Errorf("%+v, %v, want status %s", now[k.ID], err, tt.want)
			}
		})
	}
}

// TestTwoKeys: an application has two valid keys, however many are made at once, and
// revoking one makes room.
func TestTwoKeys(t *testing.T) {
	t.Parallel()
	s, a := partner(t)
	var made, refused atomic.Int32
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			switch _, _, err := s.CreateKey(t.Context(), administrator, identity.NewKey{ApplicationID: a.ID, Scopes: identity.Scopes}); {
			case err == nil:
				made.Add(1)
			case errors.Is(err, identity.ErrTwoKeys):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 2 || refused.Load() != 8 {
		t.Fatalf("%d made, %d refused; want 2 and 8", made.Load(), refused.Load())
	}
	keys, err := s.KeysOf(t.Context(), administrator, []uuid.UUID{a.ID})
	wantErr(t, "list", err, nil)
	_, err = s.RevokeKey(t.Context(), keys[a.ID][0].ID)
	wantErr(t, "revoke", err, nil)
	newKey(t, s, a)
	if _, err := s.DB.Exec(t.Context(), `UPDATE application_keys SET revoked_at = NULL WHERE revoked_at IS NOT NULL`); pg.Constraint(err) != "application_keys_revoked_for_good" {
		t.Errorf("a revoked key can come back: %v", err)
	}
}

// TestKeyIsNotedAsUsed once a minute.
func TestKeyIsNotedAsUsed(t *testing.T) {
	t.Parallel()
	s, a := partner(t)
	_, secret := newKey(t, s, a)
	used := func() time.Time {
		if !good(t, s, secret) {
			t.Fatal("the key is not good")
		}
		at, err := pg.Scalar[time.Time](t.Context(), s.DB, `SELECT used_at FROM application_key_uses`)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := used()
	if again := used(); !again.Equal(first) {
		t.Errorf("noted at %v and %v", first, again)
	}
	exec(t, s, `UPDATE application_key_uses SET used_at = used_at - interval '61 seconds'`)
	if again := used(); again.Before(first) {
		t.Errorf("after a minute it is still noted as used at %v", again)
	}
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	s, a := partner(t)
	_, err := s.CreatePartnerApplication(t.Context(), administrator, identity.NewPartnerApplication{Name: "WEB SITE", ContactEmail: "web@example.org"})
	wantErr(t, "the same name", err, identity.ErrNameTaken)
	unit := uuid.New()
	for name, n := range map[string]identity.NewKey{
		"no scope":           {ApplicationID: a.ID},
		"content of a unit":  {ApplicationID: a.ID, Scopes: identity.Scopes, UnitID: &unit},
		"a unit that isn't":  {ApplicationID: a.ID, Scopes: []identity.Scope{identity.MembersRead}, UnitID: &unit},
		"an end in the past": {ApplicationID: a.ID, Scopes: identity.Scopes, ExpiresAt: time.Now().Add(-time.Minute)},
		"too late an end":    {ApplicationID: a.ID, Scopes: identity.Scopes, ExpiresAt: time.Now().Add(identity.MaxKeyLifetime + time.Hour)},
	} {
		var invalid *errs.Invalid
		if _, _, err := s.CreateKey(t.Context(), administrator, n); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, err = s.CreateKey(t.Context(), administrator, identity.NewKey{ApplicationID: uuid.New(), Scopes: identity.Scopes})
	wantErr(t, "no such application", err, errs.NotFound)
	editor := viewer.New(viewer.Editor)
	if all, err := s.PartnerApplications(t.Context(), editor); err != nil || len(all) != 0 {
		t.Errorf("an editor sees %v, %v", all, err)
	}
}
