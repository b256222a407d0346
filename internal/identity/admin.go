package identity

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// ErrLastAdministrator says that nobody could manage accounts any more.
var ErrLastAdministrator = errors.New("this is the last administrator; make another account one first")

// Accounts is a page of accounts.
type Accounts struct {
	page.Connection[*Account]
	search string
}

// AccountEdge is one account with its cursor.
type AccountEdge = page.Edge[*Account]

var byAddress = pg.Sort{
	After:    `a.email_folded > lower(@after COLLATE "und-x-icu")`,
	Before:   `a.email_folded < lower(@before COLLATE "und-x-icu")`,
	Forward:  `a.email_folded`,
	Backward: `a.email_folded DESC`,
}

// withAddress is what stands after SELECT of the accounts in whose address @text stands.
const withAddress = `
	FROM accounts a
	WHERE @may AND strpos(a.email_folded, lower(@text COLLATE "und-x-icu")) > 0`

// Accounts returns a page of the accounts in whose address a text stands, by address, for
// who manages accounts. An empty text finds all.
func (s *Store) Accounts(ctx context.Context, v viewer.Viewer, text string, args page.Args) (_ *Accounts, err error) {
	defer errs.Wrap(&err, "identity.Accounts")
	text = strings.TrimSpace(text)
	if len(text) > 254 || strings.ContainsRune(text, 0) {
		return nil, errs.Invalidf("search", "no address is so long")
	}
	k, err := args.Keyset(1)
	if err != nil {
		return nil, err
	}
	named := pgx.StrictNamedArgs{"may": v.May(viewer.ManageAccounts), "text": text, "limit": pg.Limit(k)}
	err = pg.EachCursor(k, func(name string, key []string) error {
		named[name] = key[0]
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[Account](ctx, s.DB, pg.Paged(`
		SELECT`+accountColumns+withAddress+byAddress.Bounds(k)+byAddress.OrderBy(k)), named)
	if err != nil {
		return nil, err
	}
	c := &Accounts{search: text, Connection: page.New(k, rows, func(a *Account) []string { return []string{a.Email} })}
	reads.Note(ctx, v, c.Nodes(), (*Account).of, reads.Account)
	return c, nil
}

// AccountTotals returns how many accounts each list has.
func (s *Store) AccountTotals(ctx context.Context, v viewer.Viewer, lists []*Accounts) (_ []int, err error) {
	defer errs.Wrap(&err, "identity.AccountTotals(%d)", len(lists))
	totals := make([]int, len(lists))
	for i, l := range lists { // one, since only the root returns them
		totals[i], err = pg.Scalar[int](ctx, s.DB, `SELECT count(*)`+withAddress,
			pgx.StrictNamedArgs{"may": v.May(viewer.ManageAccounts), "text": l.search})
		if err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// AccountsOf returns the accounts of members: one's own, and all for who manages
// accounts.
func (s *Store) AccountsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Account, err error) {
	defer errs.Wrap(&err, "identity.AccountsOf(%d)", len(members))
	if v.Account == uuid.Nil && !v.May(viewer.ManageAccounts) {
		return nil, nil
	}
	rows, err := pg.All[Account](ctx, s.DB, `
		SELECT`+accountColumns+`
		FROM accounts a
		WHERE a.member_id = ANY(@members) AND (@may OR a.id = @own)`,
		pgx.StrictNamedArgs{"members": members, "may": v.May(viewer.ManageAccounts), "own": v.Account})
	reads.Note(ctx, v, rows, (*Account).of, reads.Account)
	return pg.ByKey(rows, func(a *Account) uuid.UUID { return *a.MemberID }), err
}

// of is who an account is as a member, nil if none.
func (a *Account) of() *uuid.UUID { return a.MemberID }

// AccountsByID returns accounts by their IDs: one's own, and all for who manages
// accounts.
func (s *Store) AccountsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Account, err error) {
	defer errs.Wrap(&err, "identity.AccountsByID")
	rows, err := pg.All[Account](ctx, s.DB, `
		SELECT`+accountColumns+`
		FROM accounts a
		WHERE a.id = ANY(@ids) AND (@may OR a.id = @own)`,
		pgx.StrictNamedArgs{"ids": ids, "may": v.May(viewer.ManageAccounts), "own": v.Account})
	reads.Note(ctx, v, rows, (*Account).of, reads.Account)
	return pg.ByKey(rows, func(a *Account) uuid.UUID { return a.ID }), err
}

// Link makes the account with an address that of a member, and makes one if there is none:
// then a link is mailed, by which the person chooses a password. The sessions of one there
// was end. errs.Conflict if the account is another member's, or the member has another;
// errs.NotFound if there is no such member.
func (s *Store) Link(ctx context.Context, email string, member uuid.UUID) (_ *Account, err error) {
	defer errs.Wrap(&err, "identity.Link(%s)", member)
	if email, err = person.Email("input.email", email); err != nil {
		return nil, err
	}
	type row struct {
		ID       uuid.UUID
		MemberID *uuid.UUID
		Verified bool
	}
	var id uuid.UUID
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		_, err := pg.Scalar[uuid.UUID](ctx, tx, `
			SELECT m.id
			FROM members m
			WHERE m.id = @member AND NOT EXISTS (SELECT FROM former_members f WHERE f.member_id = m.id)
			FOR KEY SHARE`,
			pgx.StrictNamedArgs{"member": member})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO accounts (id, email) VALUES (@id, @email) ON CONFLICT (email_folded) DO NOTHING`,
			pgx.StrictNamedArgs{"id": newID(), "email": email}); err != nil {
			return err
		}
		a, err := pg.One[row](ctx, tx, `
			SELECT
				a.id,
				a.member_id,
				a.email_verified_at IS NOT NULL AS verified
			FROM accounts a
			WHERE a.email_folded = lower(@email COLLATE "und-x-icu")
			FOR UPDATE`,
			pgx.StrictNamedArgs{"email": fold(email)})
		if err != nil {
			return err
		}
		id = a.ID
		switch {
		case a.MemberID != nil && *a.MemberID == member:
			return nil
		case a.MemberID != nil:
			return errs.Sayf(errs.Conflict, "input.email", "the account with this address is another member's")
		}
		_, err = tx.Exec(ctx, `UPDATE accounts SET member_id = @member, epoch = epoch + 1 WHERE id = @id`,
			pgx.StrictNamedArgs{"member": member, "id": id})
		if pg.Constraint(err) == "accounts_member_unique" {
			return errs.Sayf(errs.Conflict, "input.member", "the member has an account with another address already; changeAccountEmail changes that")
		}
		if err != nil || a.Verified || s.Jobs == nil {
			return err
		}
		_, err = s.Jobs.InsertTx(ctx, tx, MailArgs{Mail: resetMail, Email: email}, &river.InsertOpts{MaxAttempts: 10})
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.Account(ctx, id)
}

// GrantRole gives an account a role, and ends its sessions if it had not got it
// before. errs.NotFound if there is no such account.
func (s *Store) GrantRole(ctx context.Context, account uuid.UUID, role Role) (_ *Account, err error) {
	defer errs.Wrap(&err, "identity.GrantRole(%s, %s)", account, role)
	_, err = s.DB.Exec(ctx, `
		WITH granted AS (
			INSERT INTO account_roles (account_id, role)
			SELECT a.id, @role
			FROM accounts a
			WHERE a.id = @account
			ON CONFLICT DO NOTHING
			RETURNING account_id
		)
		UPDATE accounts a
		SET epoch = a.epoch + 1
		FROM granted g
		WHERE a.id = g.account_id`,
		pgx.StrictNamedArgs{"account": account, "role": role})
	return s.written(ctx, account, err)
}

// RevokeRole takes a role from an account, and ends its sessions if it had it.
// ErrLastAdministrator if nobody could manage accounts any more; errs.NotFound if
// there is no such account.
func (s *Store) RevokeRole(ctx context.Context, account uuid.UUID, role Role) (_ *Account, err error) {
	defer errs.Wrap(&err, "identity.RevokeRole(%s, %s)", account, role)
	_, err = s.DB.Exec(ctx, `
		WITH revoked AS (
			DELETE FROM account_roles
			WHERE account_id = @account AND role = @role
			RETURNING account_id
		)
		UPDATE accounts a
		SET epoch = a.epoch + 1
		FROM revoked r
		WHERE a.id = r.account_id`,
		pgx.StrictNamedArgs{"account": account, "role": role})
	return s.written(ctx, account, err)
}

// Suspend ends all sessions of an account and lets it begin none. With suspended
// false it may sign in again. ErrLastAdministrator if nobody could manage accounts
// any more; errs.NotFound if there is no such account.
func (s *Store) Suspend(ctx context.Context, account uuid.UUID, suspended bool) (_ *Account, err error) {
	defer errs.Wrap(&err, "identity.Suspend(%s)", account)
	_, err = s.DB.Exec(ctx, `
		UPDATE accounts
		SET suspended_at = CASE WHEN @suspended THEN COALESCE(suspended_at, now()) END
		WHERE id = @account AND (suspended_at IS NULL) = @suspended`,
		pgx.StrictNamedArgs{"account": account, "suspended": suspended})
	return s.written(ctx, account, err)
}

// written returns an account that was written to.
func (s *Store) written(ctx context.Context, account uuid.UUID, err error) (*Account, error) {
	switch {
	case pg.Constraint(err) == "accounts_one_administrator":
		return nil, ErrLastAdministrator
	case err != nil:
		return nil, err
	}
	return s.Account(ctx, account)
}
