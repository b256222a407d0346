package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
	"github.com/collegium/collegium/internal/viewer"
)

type keyCmd struct {
	databaseFlags `embed:""`

	Create createKeyCmd `cmd:"" help:"Make a key for the application of a partner, and print its secret, once."`
	List   listKeysCmd  `cmd:"" help:"List the keys, without their secrets."`
	Revoke revokeKeyCmd `cmd:"" help:"End a key, at once and for good."`
}

// operator is who works at the command line: whoever reaches the database may do
// everything.
var operator = viewer.New(viewer.Administrator)

func (f databaseFlags) openAccounts(ctx context.Context, s streams, do func(*identity.Store) error) error {
	db, err := f.open(ctx, s, pgembed.OpenExisting, pg.Options{ApplicationName: "collegium key"})
	if err != nil {
		return err
	}
	defer db.close()
	err = do(&identity.Store{DB: db.pool})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == undefinedTable {
		return errors.New(`the database has no table for this yet; run "collegium migrate up"`)
	}
	return err
}

type createKeyCmd struct {
	Application string   `arg:"" help:"Name of the application; it is made if there is none and --contact is given."`
	Scope       []string `required:"" placeholder:"SCOPE" help:"What the key is good for: content:read, directory:read, members:read, statistics:read; several separated by commas."`
	Unit        string   `placeholder:"SLUG" help:"Limit it to a section or region; content:read can't be."`
	Days        int      `default:"365" placeholder:"N" help:"In how many days it ends, up to 730; ${default} unless set."`
	TrustedOnly bool     `help:"Answer trusted documents only to it."`
	Contact     string   `placeholder:"EMAIL" help:"Whom to write to about the application, if it is new."`
}

// Run makes a key.
func (c *createKeyCmd) Run(ctx context.Context, s streams, m *cli) error {
	n := identity.NewKey{TrustedOnly: c.TrustedOnly, ExpiresAt: time.Now().Add(time.Duration(c.Days) * 24 * time.Hour)}
	for _, text := range c.Scope {
		scope, err := identity.ParseScope(text)
		if err != nil {
			return &usageError{err}
		}
		n.Scopes = append(n.Scopes, scope)
	}
	return m.Key.openAccounts(ctx, s, func(store *identity.Store) error {
		if c.Unit != "" {
			id, err := pg.Scalar[uuid.UUID](ctx, store.DB, `SELECT u.id FROM units u WHERE u.slug = @slug ORDER BY u.kind LIMIT 1`,
				pgx.StrictNamedArgs{"slug": c.Unit})
			if errors.Is(err, errs.NotFound) {
				return fmt.Errorf("there is no section or region %q", c.Unit)
			}
			if err != nil {
				return err
			}
			n.UnitID = &id
		}
		application, err := store.PartnerApplicationNamed(ctx, c.Application)
		if errors.Is(err, errs.NotFound) {
			if c.Contact == "" {
				return fmt.Errorf("there is no application %q; give --contact to make it", c.Application)
			}
			application, err = store.CreatePartnerApplication(ctx, operator, identity.NewPartnerApplication{Name: c.Application, ContactEmail: c.Contact})
		}
		if err != nil {
			return said(err)
		}
		n.ApplicationID = application.ID
		key, secret, err := store.CreateKey(ctx, operator, n)
		if err != nil {
			return said(err)
		}
		fmt.Fprintf(s.err, "key %s of %s, good for %s until %s; the secret is shown this once:\n",
			key.Prefix, application.Name, scopes(key), key.ExpiresAt.UTC().Format(time.DateOnly))
		fmt.Fprintln(s.out, secret)
		return nil
	})
}

// said returns the one of the expected failures that an error is, in its own words.
func said(err error) error {
	for _, known := range []error{identity.ErrTwoKeys, identity.ErrNameTaken, identity.ErrApplicationSuspended} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

func scopes(k *identity.Key) string {
	names := make([]string, len(k.Scopes))
	for i, s := range k.Scopes {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}

type listKeysCmd struct{}

// Run lists the keys.
func (c *listKeysCmd) Run(ctx context.Context, s streams, m *cli) error {
	return m.Key.openAccounts(ctx, s, func(store *identity.Store) error {
		applications, err := store.PartnerApplications(ctx, operator)
		if err != nil {
			return err
		}
		if len(applications) == 0 {
			fmt.Fprintln(s.err, "there are none")
			return nil
		}
		ids := make([]uuid.UUID, len(applications))
		for i, a := range applications {
			ids[i] = a.ID
		}
		keys, err := store.KeysOf(ctx, operator, ids)
		if err != nil {
			return err
		}
		type unit struct {
			ID   uuid.UUID
			Slug string
		}
		units, err := pg.All[unit](ctx, store.DB, `SELECT u.id, u.slug FROM units u`)
		if err != nil {
			return err
		}
		slugs := pg.ByKey(units, func(u *unit) uuid.UUID { return u.ID })
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "APPLICATION\tKEY\tSTATUS\tSCOPES\tLIMITED TO\tENDS\tLAST USED")
		for _, a := range applications {
			for _, k := range keys[a.ID] {
				used := "never"
				if k.LastUsedAt != nil {
					used = k.LastUsedAt.UTC().Format(time.DateTime)
				}
				limit := "-"
				if k.UnitID != nil {
					limit = slugs[*k.UnitID].Slug
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, k.Prefix, strings.ToLower(string(k.Status)), scopes(k), limit,
					k.ExpiresAt.UTC().Format(time.DateOnly), used)
			}
		}
		return w.Flush()
	})
}

type revokeKeyCmd struct {
	Key string `arg:"" help:"How the secret begins, as \"collegium key list\" shows it, or the whole secret."`
}

// Run ends a key.
func (c *revokeKeyCmd) Run(ctx context.Context, s streams, m *cli) error {
	return m.Key.openAccounts(ctx, s, func(store *identity.Store) error {
		ids, err := pg.Scalars[uuid.UUID](ctx, store.DB, `SELECT k.id FROM application_keys k WHERE k.prefix = left(@key, length(k.prefix))`,
			pgx.StrictNamedArgs{"key": c.Key})
		switch {
		case err != nil:
			return err
		case len(ids) == 0:
			return errors.New(`there is no such key; "collegium key list" shows how each begins`)
		case len(ids) > 1:
			return errors.New("several keys begin so; revoke it in the graph, by its ID")
		}
		key, err := store.RevokeKey(ctx, ids[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "revoked %s\n", key.Prefix)
		return nil
	})
}
