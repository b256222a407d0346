package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
)

type userCmd struct {
	Create createUserCmd `cmd:"" help:"Make an account, as for the first administrator. Without a password the person chooses one by a link that the running server mails."`
}

type createUserCmd struct {
	databaseFlags `embed:""`

	Email    string   `arg:"" help:"Address with which the person signs in. It counts as theirs if a password is given."`
	Role     []string `placeholder:"ROLE" help:"What the account may do: EDITOR, MEMBERSHIP_OFFICER, ADMINISTRATOR; several separated by commas. None: it may what its member may."`
	Member   string   `placeholder:"KEY" help:"Key of the member who signs in with it."`
	Password string   `placeholder:"FILE" help:"File whose first line is the password; - reads standard input. A password on the command line could be read by others."`
}

// Run makes the account.
func (c *createUserCmd) Run(ctx context.Context, s streams) error {
	n := identity.NewAccount{Email: c.Email}
	for _, name := range c.Role {
		r, err := identity.ParseRole(strings.ToUpper(strings.TrimSpace(name)))
		if err != nil {
			return &usageError{err}
		}
		n.Roles = append(n.Roles, r)
	}
	if c.Password != "" {
		in := os.Stdin
		if c.Password != "-" {
			file, err := os.Open(c.Password)
			if err != nil {
				return err
			}
			defer file.Close()
			in = file
		}
		line := bufio.NewScanner(in)
		line.Scan()
		if err := line.Err(); err != nil {
			return err
		}
		if n.Password = strings.TrimRight(line.Text(), "\r"); n.Password == "" {
			return errors.New("the password is empty; write it in the first line")
		}
		n.Verified = true
	}
	db, err := c.open(ctx, s, pgembed.OpenExisting, pg.Options{ApplicationName: "collegium user"})
	if err != nil {
		return err
	}
	defer db.close()
	if err := pg.Current(ctx, db.pool); err != nil {
		return fmt.Errorf("%w\nRun \"collegium migrate up\"", err)
	}
	accounts := accountsOf(db.pool)
	if c.Member != "" {
		id, err := accounts.MemberOf(ctx, c.Member)
		if errors.Is(err, errs.NotFound) {
			return fmt.Errorf("there is no member %q", c.Member)
		}
		if err != nil {
			return err
		}
		n.MemberID = &id
	}
	a, err := accounts.Create(ctx, n)
	if errors.Is(err, errs.Conflict) {
		return fmt.Errorf("there is an account with the address %s or of that member already", c.Email)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "created %s\n", a.Email)
	if n.Password != "" {
		return nil
	}
	if accounts.Jobs, err = pg.OpenQueue(db.pool, nil, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if err := accounts.RequestReset(ctx, a.Email, "command line"); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "a link to choose the password goes to %s as soon as \"collegium serve\" runs\n", a.Email)
	return nil
}
