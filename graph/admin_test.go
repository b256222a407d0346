package graph_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

// accountOf returns the ID in the graph of a demo account.
func accountOf(t *testing.T, h *graph.Handler, role string) string {
	t.Helper()
	a := asked(t, h, administrator, `{ accounts(search: "`+strings.ToUpper(role)+`@example.org") { nodes { id } } }`)
	id, _ := at(a.Data, "accounts", "nodes", 0, "id").(string)
	if id == "" {
		t.Fatalf("no account of %s: %+v", role, a)
	}
	return id
}

// anotherPool returns a pool of its own on the same database, as another process has.
func anotherPool(t *testing.T, db *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.NewWithConfig(t.Context(), db.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// TestAdministrationEndsSessions: what one process does ends the sessions that another
// process has just answered.
func TestAdministrationEndsSessions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, mutation string
		signsIn          bool
	}{
		"grantRole":        {mutation: `grantRole(input: {account: %q, role: MEMBERSHIP_OFFICER})`, signsIn: true},
		"revokeRole":       {mutation: `revokeRole(input: {account: %q, role: EDITOR})`, signsIn: true},
		"suspendAccount":   {mutation: `suspendAccount(input: {account: %q})`},
		"reinstateAccount": {before: `suspendAccount(input: {account: %q})`, mutation: `reinstateAccount(input: {account: %q})`, signsIn: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := demoDB(t)
			here, there := graphOn(t, db), graphOn(t, anotherPool(t, db))
			accounts := &identity.Store{DB: db, Passwords: passwords}
			session, err := accounts.SignIn(t.Context(), "editor@example.org", demoPassword, "", "192.0.2.1")
			if err != nil {
				t.Fatal(err)
			}
			answered := func() bool {
				_, err := there.Identify(t.Context(), server.Credentials{Session: session.Token})
				if err != nil && !errors.Is(err, errs.Unauthenticated) {
					t.Fatal(err)
				}
				return err == nil
			}
			if !answered() {
				t.Fatal("not signed in to begin with")
			}
			editor := accountOf(t, here, "editor")
			do := func(mutation string) {
				changed(t, here, administrator, "{ "+fmt.Sprintf(mutation, editor)+" { account { grantedRoles suspendedAt } userErrors { message } } }")
			}
			if tt.before != "" {
				do(tt.before)
			}
			do(tt.mutation)
			done := time.Now()
			if answered() {
				t.Error("the session goes on in the other process")
			}
			if took := time.Since(done); took > time.Second {
				t.Errorf("the other process knew it only after %v", took)
			}
			_, err = accounts.SignIn(t.Context(), "editor@example.org", demoPassword, "", "192.0.2.1")
			if (err == nil) != tt.signsIn {
				t.Errorf("signing in again: %v", err)
			}
		})
	}
}

// TestTheLastAdministratorStays, whatever is tried.
func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	one := accountOf(t, h, "administrator")
	for _, mutation := range []string{
		`revokeRole(input: {account: "` + one + `", role: ADMINISTRATOR})`,
		`suspendAccount(input: {account: "` + one + `"})`,
	} {
		got := asked(t, h, administrator, `mutation { `+mutation+` { account { id } userErrors { code } } }`)
		for _, payload := range got.Data {
			want := map[string]any{"account": nil, "userErrors": []any{map[string]any{"code": "LAST_ADMINISTRATOR"}}}
			if diff := cmp.Diff(want, payload); diff != "" {
				t.Errorf("%s (-want +got)\n%s", mutation, diff)
			}
		}
	}
	for _, sql := range []string{
		`DELETE FROM account_roles`,
		`UPDATE account_roles SET role = 'EDITOR' WHERE role = 'ADMINISTRATOR'`,
		`UPDATE accounts SET suspended_at = now()`,
		`DELETE FROM accounts WHERE email = 'administrator@example.org'`,
	} {
		if _, err := db.Exec(t.Context(), sql); pg.Constraint(err) != "accounts_one_administrator" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// Two who take the role from each other at the same time: one of them keeps it.
	two := accountOf(t, h, "editor")
	changed(t, h, administrator, `{ grantRole(input: {account: "`+two+`", role: ADMINISTRATOR}) { account { id } userErrors { message } } }`)
	var both sync.WaitGroup
	for _, id := range []string{one, two} {
		both.Go(func() {
			asked(t, h, administrator, `mutation { revokeRole(input: {account: "`+id+`", role: ADMINISTRATOR}) { userErrors { code } } }`)
		})
	}
	both.Wait()
	left, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM account_roles WHERE role = 'ADMINISTRATOR'`)
	if err != nil || left != 1 {
		t.Errorf("%d administrators are left, %v", left, err)
	}
}

// TestWhoSeesAccounts: one's own, and all for administrators only.
func TestWhoSeesAccounts(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	own, other := accountOf(t, h, "member"), accountOf(t, h, "editor")
	ctx := signedIn(t, h, db, "member")
	a := decode(t, h.Execute(ctx, params(`{ nodes(ids: ["`+own+`", "`+other+`"]) { ... on Account { email } } }`, nil)).Body)
	if at(a.Data, "nodes", 0, "email") != "member@example.org" || at(a.Data, "nodes", 1) != nil {
		t.Errorf("a member sees %+v", a)
	}
	if a := decode(t, h.Execute(ctx, params(`{ accounts { nodes { email } } }`, nil)).Body); a.Data["accounts"] != nil || a.Errors[0].Extensions["code"] != "FORBIDDEN" {
		t.Errorf("a member lists %+v", a)
	}
	if a := asked(t, h, administrator, `{ accounts(search: "%") { nodes { email } } }`); len(list(a.Data, "accounts", "nodes")) != 0 {
		t.Errorf("a per cent sign finds %+v", a)
	}
	if a := asked(t, h, administrator, `{ accounts(first: 101) { nodes { email } } }`); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "BAD_USER_INPUT" {
		t.Errorf("101 accounts: %+v", a)
	}
}

// TestSecondFactorInTheGraph turns it on, signs in with it, and turns it off.
func TestSecondFactorInTheGraph(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	h := graphOn(t, db, func(c *graph.Config) { c.Accounts.Now = func() time.Time { return noon } })
	s := asSite(t, h)
	cookie := ""
	ask := func(query string) map[string]any {
		t.Helper()
		r := s.send(http.MethodPost, query, "Cookie", cookie, "Content-Type", "application/json")
		if set := r.header.Get("Set-Cookie"); set != "" {
			cookie, _, _ = strings.Cut(set, ";")
		}
		a := decode(t, []byte(r.body))
		if len(a.Errors) > 0 {
			t.Fatalf("%s: %s", query, r.body)
		}
		return a.Data
	}
	signIn := func(code string) any {
		d := ask(`mutation { signIn(input: {email: "member@example.org", password: "` + demoPassword + `", code: "` + code + `"}) { viewer { account { hasTotp } } userErrors { code } } }`)
		if wrong := at(d, "signIn", "userErrors", 0, "code"); wrong != nil {
			return wrong
		}
		return at(d, "signIn", "viewer", "account", "hasTotp")
	}
	if got := signIn(""); got != false {
		t.Fatalf("signing in: %v", got)
	}
	begun := ask(`mutation { beginTotp(input: {currentPassword: "` + demoPassword + `"}) { secret uri userErrors { code } } }`)
	secret, _ := at(begun, "beginTotp", "secret").(string)
	if uri, _ := at(begun, "beginTotp", "uri").(string); !strings.HasPrefix(uri, "otpauth://totp/") {
		t.Fatalf("%+v", begun)
	}
	confirmed := ask(`mutation { confirmTotp(input: {code: "` + totpCode(t, secret, noon) + `"}) { recoveryCodes viewer { account { hasTotp } } userErrors { code } } }`)
	codes := list(confirmed, "confirmTotp", "recoveryCodes")
	if len(codes) != 10 || at(confirmed, "confirmTotp", "viewer", "account", "hasTotp") != true {
		t.Fatalf("%+v", confirmed)
	}
	if in, err := pg.Scalar[bool](t.Context(), db, `SELECT bool_or(position($1 IN t::text) > 0) FROM account_totp t`, secret); err != nil || in {
		t.Errorf("the secret stands in the database in clear: %t, %v", in, err)
	}
	cookie = ""
	for _, tt := range []struct {
		code string
		want any
	}{
		{"", "TOTP_REQUIRED"},
		{totpCode(t, secret, noon), "TOTP_WRONG"}, // it was used
		{totpCode(t, secret, noon.Add(30*time.Second)), true},
		{codes[0].(string), true},
		{codes[0].(string), "TOTP_WRONG"},
	} {
		if got := signIn(tt.code); got != tt.want {
			t.Errorf("signing in with %q: %v, want %v", tt.code, got, tt.want)
		}
	}
	if got := ask(`mutation { disableTotp(input: {currentPassword: "` + demoPassword + `"}) { userErrors { code } } }`); at(got, "disableTotp", "userErrors", 0, "code") != "TOTP_REQUIRED" {
		t.Errorf("turning it off without a code: %+v", got)
	}
	off := ask(`mutation { disableTotp(input: {currentPassword: "` + demoPassword + `", code: "` + codes[1].(string) + `"}) { viewer { account { hasTotp } } userErrors { code } } }`)
	if at(off, "disableTotp", "viewer", "account", "hasTotp") != false || signIn("") != false {
		t.Errorf("%+v", off)
	}

	// Without a key to seal the secret by, the answer says what the operator sets.
	bare := graphOn(t, db, func(c *graph.Config) { c.Accounts.Seal = nil })
	a := decode(t, bare.Execute(signedIn(t, bare, db, "member"), params(`mutation { beginTotp(input: {currentPassword: "`+demoPassword+`"}) { secret userErrors { code message } } }`, nil)).Body)
	if message, _ := at(a.Data, "beginTotp", "userErrors", 0, "message").(string); wrong(a, "beginTotp") != "NOT_CONFIGURED" || at(a.Data, "beginTotp", "secret") != nil ||
		!strings.Contains(message, "COLLEGIUM_SECRET_KEY") {
		t.Errorf("without a key: %+v", a)
	}
}
