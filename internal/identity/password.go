package identity

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"

	"github.com/collegium/collegium/internal/errs"
)

// The bounds of a password, in characters. There is no rule about kinds of
// characters (NIST SP 800-63B, section 5.1.1.2).
const (
	MinPassword = 12
	MaxPassword = 200
)

// argon are the parameters of new hashes: 19 MiB, two passes, one lane (OWASP's
// minimum for Argon2id; RFC 9106).
var argon = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// Passwords hashes and compares passwords, no more of them at once than there are
// cores: each takes 19 MiB and some 25 ms of one. Its zero value is ready. It is safe
// for concurrent use.
type Passwords struct {
	once  sync.Once
	turns chan struct{}
	// nobody is the hash of no password: comparing with it takes as long as with any.
	nobody string
	err    error
}

func (p *Passwords) begin() error {
	p.once.Do(func() {
		p.turns = make(chan struct{}, runtime.GOMAXPROCS(0))
		p.nobody, p.err = argon2id.CreateHash(newToken(), argon)
	})
	return p.err
}

// turn waits for a turn, and says how to end it.
func (p *Passwords) turn(ctx context.Context) (func(), error) {
	if err := p.begin(); err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	select {
	case p.turns <- struct{}{}:
		return func() { <-p.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many passwords at once: %w", errs.Unavailable, ctx.Err())
	}
}

// hash returns the hash of a password.
func (p *Passwords) hash(ctx context.Context, password string) (string, error) {
	end, err := p.turn(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	return argon2id.CreateHash(norm.NFKC.String(password), argon)
}

// matches says whether the hash is that of the password. With no hash it takes as
// long and says no.
func (p *Passwords) matches(ctx context.Context, password string, hash *string) (bool, error) {
	end, err := p.turn(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	against := p.nobody
	if hash != nil {
		against = *hash
	}
	same, err := argon2id.ComparePasswordAndHash(norm.NFKC.String(password), against)
	return same && hash != nil, err
}

// checkPassword says what is wrong with a new password.
func checkPassword(path, password, email string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || n < MinPassword || n > MaxPassword:
		return errs.Invalidf(path, "a password has %d to %d characters; this one has %d", MinPassword, MaxPassword, n)
	case different(password) < 5:
		return errs.Invalidf(path, "a password has at least 5 different characters")
	}
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	if low := strings.ToLower(password); len(local) >= 4 && strings.Contains(low, local) && n < len(local)+MinPassword {
		return errs.Invalidf(path, "a password is not made of the address; choose one that others can't guess")
	}
	return nil
}

func different(s string) int {
	seen := map[rune]struct{}{}
	for _, r := range s {
		seen[r] = struct{}{}
	}
	return len(seen)
}
