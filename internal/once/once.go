// Package once makes a write happen once, however often it is asked for with one key:
// who lost the reply asks again, and gets the first answer.
package once

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Lifetime is how long a key is remembered; after that it is a new one.
const Lifetime = 7 * 24 * time.Hour

// MaxKey is how many bytes a key has at most.
const MaxKey = 100

// path is where a key stands in an input.
const path = "input.idempotencyKey"

// Write says who writes what.
type Write struct {
	// Account asks. The keys of one account have nothing to do with those of another.
	Account uuid.UUID
	// Key is of the client's choice; nil: each call is a write of its own.
	Key *string
	// Name is what is done, as "createKey", and Input what was asked: anything that JSON
	// can say. The key is good for the same only.
	Name  string
	Input any
}

// Do writes, unless the account wrote the same with the key before: then it returns that
// answer, and again is true. write has to use db, for that is the transaction in which the
// key is remembered: both are there or neither, so what failed can be asked again. An answer
// is remembered as JSON and must name nobody: an ID, or numbers. Bad input if the key was
// used for something else.
func Do[T any](ctx context.Context, db pg.Querier, w Write, write func(db pg.Querier) (T, error)) (answer T, again bool, err error) {
	if w.Key == nil {
		answer, err = write(db)
		return answer, false, err
	}
	if n := len(*w.Key); n < 1 || n > MaxKey || !utf8.ValidString(*w.Key) || strings.ContainsRune(*w.Key, 0) {
		return answer, false, errs.Invalidf(path, "a key has 1 to %d bytes; this one has %d", MaxKey, n)
	}
	input, err := json.Marshal([]any{w.Name, w.Input})
	if err != nil {
		return answer, false, fmt.Errorf("once.Do(%s): %w", w.Name, err)
	}
	key, body := sha256.Sum256([]byte(*w.Key)), sha256.Sum256(input)
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		args := pgx.StrictNamedArgs{"account": w.Account, "key": key[:], "input": body[:], "lifetime": Lifetime}
		before, err := take(ctx, tx, args)
		switch {
		case err != nil:
			return err
		case before == nil:
		case string(before.InputSHA256) != string(body[:]):
			return errs.Invalidf(path, "the key was used for something else; take another")
		default:
			again = true
			return json.Unmarshal(before.Answer, &answer)
		}
		if answer, err = write(tx); err != nil {
			return err
		}
		written, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		// The row is gone if the write erased the account.
		_, err = tx.Exec(ctx, `
			UPDATE idempotency_keys SET answer = @answer
			WHERE account_id = @account AND key_sha256 = @key`,
			pgx.StrictNamedArgs{"account": w.Account, "key": key[:], "answer": string(written)})
		return err
	})
	return answer, again, err
}

// used is what a key was used for.
type used struct {
	InputSHA256 []byte
	Answer      []byte
}

// take remembers a key, and returns nil, or for what it was used already. It waits for a
// transaction that has just taken the same one.
func take(ctx context.Context, tx pgx.Tx, args pgx.StrictNamedArgs) (*used, error) {
	// The account is locked first, and as no row of it refers to it: two writes that lock it
	// after they referred to it would wait for each other.
	_, err := pg.Scalar[bool](ctx, tx, `
		WITH account AS (
			SELECT a.id FROM accounts a WHERE a.id = @account FOR NO KEY UPDATE
		)
		INSERT INTO idempotency_keys AS k (account_id, key_sha256, input_sha256, expires_at)
		SELECT account.id, @key, @input, now() + @lifetime::interval
		FROM account
		ON CONFLICT (account_id, key_sha256) DO UPDATE
		SET input_sha256 = excluded.input_sha256, answer = NULL, expires_at = excluded.expires_at
		WHERE k.expires_at <= now()
		RETURNING true`, args)
	if !errors.Is(err, errs.NotFound) {
		return nil, err
	}
	return pg.One[used](ctx, tx, `
		SELECT k.input_sha256, k.answer
		FROM idempotency_keys k
		WHERE k.account_id = @account AND k.key_sha256 = @key`,
		pgx.StrictNamedArgs{"account": args["account"], "key": args["key"]})
}

// Purge forgets the keys whose time is over.
func Purge(ctx context.Context, db pg.Querier) (err error) {
	defer errs.Wrap(&err, "once.Purge")
	_, err = db.Exec(ctx, `DELETE FROM idempotency_keys WHERE expires_at <= now()`)
	return err
}
