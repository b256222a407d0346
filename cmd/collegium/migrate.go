package main

import (
	"context"
	"fmt"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
)

type migrateCmd struct {
	databaseFlags `embed:""`

	Up     migrateUpCmd     `cmd:"" help:"Bring the schema up to date."`
	Down   migrateDownCmd   `cmd:"" help:"Take back the last migrations. Data in what they made is lost."`
	Status migrateStatusCmd `cmd:"" help:"Say which migration the database is at and which are pending."`
	Force  migrateForceCmd  `cmd:"" help:"Say that the database is at a version, after a failed migration was put right by hand."`
}

type migrateUpCmd struct{}

// Run brings the schema up to date.
func (*migrateUpCmd) Run(ctx context.Context, s streams, m *cli) error {
	db, err := m.Migrate.connect(ctx, s, pgembed.StartOrJoin)
	if err != nil {
		return err
	}
	defer db.close()
	from, to, err := pg.Migrate(ctx, db.dsn)
	if err != nil {
		return err
	}
	if from == to {
		fmt.Fprintf(s.out, "up to date at version %d\n", to)
	} else {
		fmt.Fprintf(s.out, "migrated from version %d to %d\n", from, to)
	}
	return nil
}

type migrateDownCmd struct {
	Steps int `arg:"" optional:"" default:"1" help:"How many migrations to take back."`
}

// Run takes back migrations.
func (c *migrateDownCmd) Run(ctx context.Context, s streams, m *cli) error {
	if c.Steps < 1 {
		return &usageError{fmt.Errorf("%d is no number of migrations; pass 1 or more", c.Steps)}
	}
	db, err := m.Migrate.connect(ctx, s, pgembed.OpenExisting)
	if err != nil {
		return err
	}
	defer db.close()
	from, to, err := pg.MigrateDown(ctx, db.dsn, c.Steps)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "migrated from version %d to %d\n", from, to)
	return nil
}

type migrateStatusCmd struct{}

// Run says how the schema stands.
func (*migrateStatusCmd) Run(ctx context.Context, s streams, m *cli) error {
	db, err := m.Migrate.connect(ctx, s, pgembed.OpenExisting)
	if err != nil {
		return err
	}
	defer db.close()
	st, err := pg.MigrateStatus(ctx, db.dsn)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "version %d of %d\n", st.Version, st.Latest)
	if st.Dirty {
		fmt.Fprintf(s.out, "the migration to version %d failed half-way: put the schema right by hand, then run \"collegium migrate force VERSION\"\n", st.Version)
	}
	for _, p := range st.Pending {
		fmt.Fprintf(s.out, "pending: %06d %s\n", p.Version, p.Name)
	}
	return nil
}

type migrateForceCmd struct {
	Version uint `arg:"" help:"The version the schema really is at."`
}

// Run writes the version down.
func (c *migrateForceCmd) Run(ctx context.Context, s streams, m *cli) error {
	db, err := m.Migrate.connect(ctx, s, pgembed.OpenExisting)
	if err != nil {
		return err
	}
	defer db.close()
	if err := pg.MigrateForce(ctx, db.dsn, c.Version); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "the database is now taken to be at version %d\n", c.Version)
	return nil
}
