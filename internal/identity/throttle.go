package identity

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/pg"
)

// How often something may be tried in vain in a window. Whoever is signed in is not
// asked; and a password that was forgotten is set anew by mail.
const (
	attemptsWindow     = 15 * time.Minute
	attemptsPerAddress = 10
	attemptsPerNetwork = 100
)

// attempt is one try to prove who one is.
type attempt struct {
	account, network []byte
}

func newAttempt(email, network string) attempt {
	a, n := sha256.Sum256([]byte("address:"+fold(email))), sha256.Sum256([]byte("network:"+network))
	return attempt{a[:], n[:]}
}

// ownAttempt is one try of somebody who is signed in. It is counted by the account
// alone, apart from the attempts to sign in: those of others can't use it up.
func ownAttempt(account uuid.UUID) attempt {
	return newAttempt("own:"+account.String(), "own:"+account.String())
}

// codeAttempt is one try of a code by somebody who has proved the rest. It is counted
// apart: a password that is right doesn't make the wrong codes before it forgotten.
func codeAttempt(account uuid.UUID) attempt {
	return newAttempt("code:"+account.String(), "code:"+account.String())
}

// fold returns what makes two addresses the same, as the table of accounts does.
func fold(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// begin counts an attempt before anything is tried, so that many at once can't slip
// through together. It is a *TooMany if there were too many in the window.
func (s *Store) begin(ctx context.Context, a attempt) error {
	type row struct {
		Account   bool
		Failures  int
		ExpiresAt time.Time
	}
	rows, err := pg.All[row](ctx, s.DB, `
		INSERT INTO sign_in_failures AS f (key, failures, expires_at)
		SELECT k.key, 1, now() + @window::interval
		FROM unnest(ARRAY[@account::bytea, @network::bytea]) AS k (key)
		ORDER BY k.key
		ON CONFLICT (key) DO UPDATE SET
			failures = CASE WHEN f.expires_at <= now() THEN 1 ELSE f.failures + 1 END,
			expires_at = CASE WHEN f.expires_at <= now() THEN excluded.expires_at ELSE f.expires_at END
		RETURNING f.key = @account::bytea AS account, f.failures, f.expires_at`,
		pgx.StrictNamedArgs{"account": a.account, "network": a.network, "window": attemptsWindow})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Account && r.Failures > attemptsPerAddress || r.Failures > attemptsPerNetwork {
			return &TooMany{RetryAt: r.ExpiresAt}
		}
	}
	return nil
}

// succeed forgets the attempts at the address, and counts this one of the network
// for none.
func (s *Store) succeed(ctx context.Context, q pg.Querier, a attempt) error {
	_, err := q.Exec(ctx, `
		WITH forgotten AS (
			DELETE FROM sign_in_failures WHERE key = @account
		)
		UPDATE sign_in_failures SET failures = greatest(failures - 1, 0) WHERE key = @network`,
		pgx.StrictNamedArgs{"account": a.account, "network": a.network})
	return err
}
