package main

import (
	"context"
	"fmt"

	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
)

type auditCmd struct {
	databaseFlags `embed:""`

	Verify verifyAuditCmd `cmd:"" help:"Read the whole audit and say whether an entry was changed, moved or removed. Exit code 1 says that one was."`
}

type verifyAuditCmd struct {
	From string `placeholder:"HEAD" help:"A head that an earlier run printed, as 17:9a0c…; without it nobody sees that entries were cut off at the end."`
}

// Run verifies the audit.
func (c *verifyAuditCmd) Run(ctx context.Context, s streams, m *cli) error {
	var from *audit.Head
	if c.From != "" {
		head, err := audit.ParseHead(c.From)
		if err != nil {
			return &usageError{err}
		}
		from = &head
	}
	db, err := m.Audit.open(ctx, s, pgembed.OpenExisting, pg.Options{ApplicationName: "collegium audit"})
	if err != nil {
		return err
	}
	defer db.close()
	if err := pg.Current(ctx, db.pool); err != nil {
		return err
	}
	head, err := (&audit.Store{DB: db.pool}).Verify(ctx, from)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "the audit is whole\nhead %s\n", head)
	return nil
}
