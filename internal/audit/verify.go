package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Head is a place in the chain with its hash. Kept outside the database it shows
// later that nothing up to there was taken off the end of the chain.
type Head struct {
	Position int64
	Hash     [sha256.Size]byte
}

// String returns the head as "position:hash".
func (h Head) String() string {
	return strconv.FormatInt(h.Position, 10) + ":" + hex.EncodeToString(h.Hash[:])
}

// ParseHead reads what String wrote.
func ParseHead(text string) (h Head, err error) {
	position, hash, _ := strings.Cut(text, ":")
	h.Position, err = strconv.ParseInt(position, 10, 64)
	sum, err2 := hex.DecodeString(hash)
	if err != nil || err2 != nil || h.Position < 0 || len(sum) != len(h.Hash) {
		return h, errs.Invalidf("from", "%.100q is no head; give one that an earlier run printed", text)
	}
	copy(h.Hash[:], sum)
	return h, nil
}

// Head returns the end of the chain; the zero Head if nothing was written yet.
func (s *Store) Head(ctx context.Context) (_ Head, err error) {
	defer errs.Wrap(&err, "audit.Head")
	type row struct {
		Position int64
		Hash     []byte
	}
	last, err := pg.One[row](ctx, s.DB, `SELECT c.position, c.hash FROM audit_chain c ORDER BY c.position DESC LIMIT 1`)
	if errors.Is(err, errs.NotFound) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, err
	}
	return Head{last.Position, [sha256.Size]byte(last.Hash)}, nil
}

// BrokenError says that the audit was changed, and where it shows first.
type BrokenError struct {
	// Position is the place in the chain.
	Position int64
	Reason   string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the audit is broken at position %d: %s", e.Position, e.Reason)
}

func broken(position int64, format string, args ...any) error {
	return &BrokenError{position, fmt.Sprintf(format, args...)}
}

// Verify seals what is written, reads the whole audit and returns its head. It is a
// *BrokenError if an entry was changed, moved or removed. What was cut off at the
// end shows by a head from before the cut: from, which is nil if there is none.
func (s *Store) Verify(ctx context.Context, from *Head) (head Head, err error) {
	defer errs.Wrap(&err, "audit.Verify")
	if _, err := s.Seal(ctx); err != nil {
		return head, err
	}
	tx, err := s.DB.Begin(ctx)
	if err != nil {
		return head, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// One snapshot, and as long as it takes.
	if _, err := tx.Exec(ctx, `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`); err != nil {
		return head, err
	}
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return head, err
	}
	if head, err = chain(ctx, tx, from); err != nil {
		return head, err
	}
	if from != nil && from.Position > head.Position {
		return head, broken(head.Position+1, "the chain ends here, and once went on to position %d", from.Position)
	}
	lost, err := pg.Scalars[int64](ctx, tx, `
		SELECT e.id
		FROM audit_entries e
		WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.entry_id = e.id)
			AND NOT EXISTS (SELECT FROM audit_pending p WHERE p.entry_id = e.id)
		ORDER BY e.id
		LIMIT 1`)
	if err != nil {
		return head, err
	}
	if len(lost) > 0 {
		return head, broken(head.Position+1, "entry %d is not in the chain, nor waiting to be", lost[0])
	}
	return head, nil
}

// fields of an entry that are hashed, as text.
const fields = 14

// chain reads the chain from its beginning and returns its end.
func chain(ctx context.Context, q pg.Querier, from *Head) (head Head, err error) {
	// The hash is made of these and by this program: it doesn't rest on a function of
	// the database, which who changes entries could change too.
	rows, err := q.Query(ctx, `
		SELECT
			c.position,
			c.hash,
			c.entry_id,
			e.id::text,
			CASE WHEN isfinite(e.written_at) THEN (extract(epoch FROM e.written_at) * 1000000)::bigint::text ELSE 'infinite' END,
			e.transaction_id::text,
			e.actor::text,
			e.actor_roles::text,
			e.application_id::text,
			e.program,
			e.request_id,
			e.operation,
			e.table_name,
			e.row_key,
			e.row_count::text,
			e.columns::text,
			e.subject::text
		FROM audit_chain c
		LEFT JOIN audit_entries e ON e.id = c.entry_id
		ORDER BY c.position`)
	if err != nil {
		return head, err
	}
	var (
		position, entry int64
		hash            []byte
		texts           [fields]*string
		text            bytes.Buffer
		into            = []any{&position, &hash, &entry}
	)
	for i := range texts {
		into = append(into, &texts[i])
	}
	_, err = pgx.ForEachRow(rows, into, func() error {
		switch {
		case position != head.Position+1:
			return broken(head.Position+1, "the chain goes on at position %d", position)
		case texts[0] == nil:
			return broken(position, "entry %d is gone", entry)
		}
		text.Reset()
		text.Write(head.Hash[:])
		fmt.Fprintf(&text, "%d", position)
		for _, t := range texts {
			text.WriteByte(',')
			if t == nil {
				text.WriteByte('-')
				continue
			}
			fmt.Fprintf(&text, "%d:%s", len(*t), *t)
		}
		head = Head{position, sha256.Sum256(text.Bytes())}
		if !bytes.Equal(hash, head.Hash[:]) {
			return broken(position, "entry %d, or its place, is not what it was", entry)
		}
		if from != nil && from.Position == position && from.Hash != head.Hash {
			return broken(position, "the chain was written anew: it is not the one whose head was kept")
		}
		return nil
	})
	return head, err
}
