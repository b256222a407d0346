package graph_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
)

// browser is who asks with the cookies that it was given.
type browser struct {
	site
	cookie string
}

// ask runs an operation that must have no errors, and returns its data.
func (b *browser) ask(query string) map[string]any {
	b.t.Helper()
	r := b.send(http.MethodPost, query, "Cookie", b.cookie)
	if set := r.header.Get("Set-Cookie"); set != "" {
		b.cookie, _, _ = strings.Cut(set, ";")
	}
	a := decode(b.t, []byte(r.body))
	if len(a.Errors) > 0 {
		b.t.Fatalf("%s: %s", query, r.body)
	}
	return a.Data
}

// signIn signs a demo account in by password, and returns the code of what is wrong.
func (b *browser) signIn(role string) any {
	b.t.Helper()
	d := b.ask(`mutation { signIn(input: {email: "` + role + `@example.org", password: "` + demoPassword + `"}) { userErrors { code } } }`)
	return at(d, "signIn", "userErrors", 0, "code")
}

// who returns the address of who is signed in.
func (b *browser) who() any {
	b.t.Helper()
	return at(b.ask(`{ viewer { account { email } } }`), "viewer", "account", "email")
}

// TestPasskeys adds a passkey, signs in by it when the password is refused, and
// removes it.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	page, _ := url.Parse("https://www.example.org/account")
	passkeys, err := identity.NewPasskeys(page, "The College")
	if err != nil {
		t.Fatal(err)
	}
	h := graphOn(t, db, func(c *graph.Config) { c.Accounts.Passkeys = passkeys })
	s := asSite(t, h)
	party := virtualwebauthn.RelyingParty{Name: "The College", ID: "www.example.org", Origin: "https://www.example.org"}
	device := virtualwebauthn.NewAuthenticator()
	credential := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)

	owner, elsewhere := &browser{site: s}, &browser{site: s}
	if wrong := owner.signIn("member"); wrong != nil {
		t.Fatalf("signing in: %v", wrong)
	}
	elsewhere.signIn("member")
	add := func(b *browser, party virtualwebauthn.RelyingParty) any {
		t.Helper()
		begin := func(password string) any {
			t.Helper()
			return at(b.ask(`mutation { beginPasskey(input: {currentPassword: "`+password+`"}) { token options userErrors { code } } }`), "beginPasskey")
		}
		if got := begin(""); at(got, "userErrors", 0, "code") != "WRONG_CREDENTIALS" || at(got, "token") != nil {
			t.Errorf("who doesn't know the password: %v", got)
		}
		asked := begin(demoPassword)
		options, err := virtualwebauthn.ParseAttestationOptions(at(asked, "options").(string))
		if err != nil {
			t.Fatal(err)
		}
		device.Options.UserHandle = []byte(options.UserID)
		answer := virtualwebauthn.CreateAttestationResponse(party, device, credential, *options)
		d := b.ask(`mutation { addPasskey(input: {name: "Telephone", token: "` + at(asked, "token").(string) + `", credential: ` + quoted(answer) + `}) { viewer { account { passkeys { id name lastUsedAt } } } userErrors { code } } }`)
		if wrong := at(d, "addPasskey", "userErrors", 0, "code"); wrong != nil {
			return wrong
		}
		return at(d, "addPasskey", "viewer", "account", "passkeys", 0)
	}
	if got := add(owner, virtualwebauthn.RelyingParty{ID: "elsewhere.example", Name: "x", Origin: "https://elsewhere.example"}); got != "PASSKEY" {
		t.Errorf("a passkey of another site: %v", got)
	}
	added := add(owner, party)
	if at(added, "name") != "Telephone" || at(added, "lastUsedAt") != nil {
		t.Fatalf("added %+v", added)
	}
	if owner.who() != "member@example.org" || elsewhere.who() != nil {
		t.Error("a new passkey ends the other sessions, and not this one")
	}
	if got := add(owner, party); got != "PASSKEY" {
		t.Errorf("the same passkey again: %v", got)
	}
	device.AddCredential(credential)

	late := false
	signIn := func(b *browser, party virtualwebauthn.RelyingParty) (wrong any, again func() any) {
		t.Helper()
		asked := at(b.ask(`mutation { beginPasskeySignIn { token options userErrors { code } } }`), "beginPasskeySignIn")
		options, err := virtualwebauthn.ParseAssertionOptions(at(asked, "options").(string))
		if err != nil {
			t.Fatal(err)
		}
		answer := virtualwebauthn.CreateAssertionResponse(party, device, credential, *options)
		mutation := `mutation { signInByPasskey(input: {token: "` + at(asked, "token").(string) + `", credential: ` + quoted(answer) + `}) { userErrors { code } } }`
		if late {
			mustExec(t, db, `UPDATE passkey_challenges SET expires_at = now()`)
		}
		again = func() any { return at(b.ask(mutation), "signInByPasskey", "userErrors", 0, "code") }
		return again(), again
	}
	// Others have tried passwords until the address is refused.
	mustExec(t, db, `UPDATE sign_in_failures SET failures = 1000, expires_at = now() + interval '1 hour'`)
	guest := &browser{site: s}
	for range 12 {
		guest.signIn("member")
	}
	if wrong := guest.signIn("member"); wrong != "TOO_MANY_ATTEMPTS" {
		t.Errorf("by password: %v", wrong)
	}
	wrong, again := signIn(guest, party)
	if wrong != nil || guest.who() != "member@example.org" {
		t.Fatalf("by passkey: %v, as %v", wrong, guest.who())
	}
	if got := again(); got != "PASSKEY" {
		t.Errorf("the same answer again: %v", got)
	}
	if wrong, _ := signIn(&browser{site: s}, virtualwebauthn.RelyingParty{ID: "www.example.org", Name: "x", Origin: "https://elsewhere.example"}); wrong != "PASSKEY" {
		t.Errorf("an answer that another page had made: %v", wrong)
	}
	late = true
	if wrong, _ := signIn(&browser{site: s}, party); wrong != "PASSKEY" {
		t.Errorf("an answer that comes too late: %v", wrong)
	}
	late = false
	id, _ := at(added, "id").(string)
	other := &browser{site: s}
	mustExec(t, db, `DELETE FROM sign_in_failures`)
	other.signIn("editor")
	if d := other.ask(`mutation { removePasskey(input: {id: "` + id + `", currentPassword: "` + demoPassword + `"}) { userErrors { code } } }`); at(d, "removePasskey", "userErrors", 0, "code") != "NOT_FOUND" {
		t.Errorf("somebody else removes it: %+v", d)
	}
	if d := guest.ask(`mutation { removePasskey(input: {id: "` + id + `"}) { userErrors { code } } }`); at(d, "removePasskey", "userErrors", 0, "code") != "WRONG_CREDENTIALS" {
		t.Errorf("removing it without the password: %+v", d)
	}
	d := guest.ask(`mutation { removePasskey(input: {id: "` + id + `", currentPassword: "` + demoPassword + `"}) { viewer { account { passkeys { id } } } userErrors { code } } }`)
	if len(list(d, "removePasskey", "viewer", "account", "passkeys")) != 0 || len(list(d, "removePasskey", "userErrors")) != 0 {
		t.Errorf("removing it: %+v", d)
	}
	if wrong, _ := signIn(&browser{site: s}, party); wrong != "PASSKEY" {
		t.Errorf("by a passkey that was removed: %v", wrong)
	}
}
