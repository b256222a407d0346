// Command provider is an OpenID Connect provider for tests: the code flow with PKCE, a
// form in which anybody signs in as whom they like, and tokens that are wrong on
// request. It serves until its standard input ends.
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// The one client.
const (
	clientID     = "collegium"
	clientSecret = "a secret of tests"
)

var b64 = base64.RawURLEncoding.EncodeToString

// grant is what a code stands for.
type grant struct {
	redirect, challenge, nonce string
	subject, email             string
	verified                   bool
	wrong                      string
}

type provider struct {
	issuer     string
	key, other *rsa.PrivateKey
	mu         sync.Mutex
	grants     map[string]grant
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	p := &provider{issuer: "http://" + listener.Addr().String(), grants: map[string]grant{}}
	for _, key := range []**rsa.PrivateKey{&p.key, &p.other} {
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			log.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.configuration)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.form)
	mux.HandleFunc("POST /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	fmt.Println(p.issuer)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal((&http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}).Serve(listener))
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) configuration(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": b64(p.key.N.Bytes()), "e": b64(big.NewInt(int64(p.key.E)).Bytes()),
	}}})
}

// checked says what is wrong with an authorization request.
func checked(q url.Values) string {
	switch {
	case q.Get("client_id") != clientID:
		return "unknown client"
	case q.Get("response_type") != "code":
		return "only the code flow is supported"
	case q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256":
		return "PKCE with S256 is required"
	case q.Get("redirect_uri") == "" || q.Get("state") == "" || q.Get("nonce") == "":
		return "redirect_uri, state and nonce are required"
	}
	return ""
}

var page = template.Must(template.New("").Parse(`<!doctype html><title>Sign in</title><form method="post" action="/authorize?{{.}}">
<input name="subject"><input name="email"><input name="verified"><input name="wrong"><button>Sign in</button></form>`))

func (p *provider) form(w http.ResponseWriter, r *http.Request) {
	if wrong := checked(r.URL.Query()); wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	_ = page.Execute(w, r.URL.RawQuery)
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if wrong := checked(q); wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if r.FormValue("wrong") == "denied" {
		back.Set("error", "access_denied")
	} else {
		var code [16]byte
		_, _ = rand.Read(code[:])
		p.mu.Lock()
		p.grants[b64(code[:])] = grant{
			q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce"),
			r.FormValue("subject"), r.FormValue("email"), r.FormValue("verified") == "true", r.FormValue("wrong"),
		}
		p.mu.Unlock()
		back.Set("code", b64(code[:]))
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	} else { // RFC 6749, section 2.3.1
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	}
	if id != clientID || subtle.ConstantTimeCompare([]byte(secret), []byte(clientSecret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	p.mu.Lock()
	g, ok := p.grants[r.FormValue("code")]
	delete(p.grants, r.FormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || r.FormValue("grant_type") != "authorization_code" || g.redirect != r.FormValue("redirect_uri") || b64(sum[:]) != g.challenge {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": p.issuer, "aud": clientID, "sub": g.subject, "nonce": g.nonce, "email": g.email, "email_verified": g.verified,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	key := p.key
	switch g.wrong {
	case "nonce":
		claims["nonce"] = "another"
	case "audience":
		claims["aud"] = "another"
	case "issuer":
		claims["iss"] = "https://elsewhere.example"
	case "expired":
		claims["exp"] = now.Add(-time.Hour).Unix()
	case "signature":
		key = p.other
	}
	token, err := sign(key, claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if g.wrong == "unsigned" {
		body, _ := json.Marshal(claims)
		token = b64([]byte(`{"alg":"none"}`)) + "." + b64(body) + "."
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token})
}

func sign(key *rsa.PrivateKey, claims map[string]any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := b64([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return text + "." + b64(signature), err
}
