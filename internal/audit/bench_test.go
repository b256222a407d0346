package audit_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/pg/pgtest"
)

// BenchmarkWrite measures writes with the audit and without.
func BenchmarkWrite(b *testing.B) {
	for _, audited := range []bool{false, true} {
		db := pgtest.New(b)
		if !audited {
			for _, op := range []string{"insert", "update", "delete", "truncate"} {
				do(b, db, `ALTER TABLE members DISABLE TRIGGER members_audit_`+op)
			}
		}
		do(b, db, fmt.Sprintf(newMember, ada))
		b.Run(fmt.Sprintf("audited=%t/one", audited), func(b *testing.B) {
			for i := range b.N {
				do(b, db, `UPDATE members SET bio = $1`, fmt.Sprint(i))
			}
		})
		b.Run(fmt.Sprintf("audited=%t/5000", audited), func(b *testing.B) {
			for range b.N {
				_, err := db.CopyFrom(b.Context(), pgx.Identifier{"members"}, []string{"id", "key", "display_name", "sort_name", "grade", "joined_on"},
					pgx.CopyFromSlice(5000, func(int) ([]any, error) {
						id := uuid.New()
						return []any{id, id.String(), "Ada Byron", "Byron Ada", "STUDENT", "2024-05-01"}, nil
					}))
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
