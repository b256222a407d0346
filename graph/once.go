package graph

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/once"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

// writing says what a mutation does for who asks, once for each key.
func writing(ctx context.Context, name string, key *string, input any) once.Write {
	return once.Write{Account: viewer.From(ctx).Account, Key: key, Name: name, Input: input}
}

// made answers a mutation with what it makes or changes. Asked again with the same key it
// reads that, as it is now.
func made[T any](
	ctx context.Context, db pg.Querier, w once.Write,
	write func(pg.Querier) (*T, error), id func(*T) uuid.UUID,
	read func(context.Context, viewer.Viewer, []uuid.UUID) (map[uuid.UUID]*T, error),
) (*T, error) {
	var now *T
	of, again, err := once.Do(ctx, db, w, func(db pg.Querier) (uuid.UUID, error) {
		var err error
		if now, err = write(db); err != nil {
			return uuid.Nil, err
		}
		return id(now), nil
	})
	if err != nil || !again {
		return now, err
	}
	byID, err := read(ctx, viewer.From(ctx), []uuid.UUID{of})
	if err == nil && byID[of] == nil {
		err = errs.NotFound
	}
	return byID[of], err
}

// madeApplication is made of an application to become a member.
func (r *Resolver) madeApplication(ctx context.Context, w once.Write, write func(*membership.Store, viewer.Viewer) (*membership.Application, error)) (*membership.Application, error) {
	return made(ctx, r.db.register.DB, w, func(db pg.Querier) (*membership.Application, error) {
		return write(r.registerOn(db), viewer.From(ctx))
	}, func(a *membership.Application) uuid.UUID { return a.ID }, r.db.register.ApplicationsByID)
}

// madeTerm is made of a term.
func (r *Resolver) madeTerm(ctx context.Context, w once.Write, a unit.Appointment) (*unit.Term, error) {
	return made(ctx, r.db.units.DB, w, func(db pg.Querier) (*unit.Term, error) {
		return (&unit.Store{DB: db}).Appoint(ctx, viewer.From(ctx), a)
	}, func(t *unit.Term) uuid.UUID { return t.ID }, r.db.units.TermsByID)
}

// madePartner is made of an application of a partner.
func (r *Resolver) madePartner(ctx context.Context, w once.Write, n identity.NewPartnerApplication) (*identity.PartnerApplication, error) {
	return made(ctx, r.accounts.DB, w, func(db pg.Querier) (*identity.PartnerApplication, error) {
		return r.accountsOn(db).CreatePartnerApplication(ctx, viewer.From(ctx), n)
	}, func(a *identity.PartnerApplication) uuid.UUID { return a.ID }, r.accounts.PartnerApplicationsByID)
}

// madeKey is made of a key. The secret is in the first answer only, since nothing holds it.
func (r *Resolver) madeKey(ctx context.Context, w once.Write, n identity.NewKey) (key *identity.Key, secret *string, err error) {
	key, err = made(ctx, r.accounts.DB, w, func(db pg.Querier) (*identity.Key, error) {
		k, s, err := r.accountsOn(db).CreateKey(ctx, viewer.From(ctx), n)
		secret = &s
		return k, err
	}, func(k *identity.Key) uuid.UUID { return k.ID }, r.accounts.KeysByID)
	if err != nil {
		return nil, nil, err
	}
	return key, secret, nil
}

// madeErasure is made of a request to erase somebody.
func (r *Resolver) madeErasure(ctx context.Context, w once.Write, write func(*privacy.Store, viewer.Viewer) (*privacy.Erasure, error)) (*privacy.Erasure, error) {
	return made(ctx, r.db.privacy.Own, w, func(db pg.Querier) (*privacy.Erasure, error) {
		s := r.db.privacy
		s.Own = db
		return write(&s, viewer.From(ctx))
	}, func(e *privacy.Erasure) uuid.UUID { return e.ID }, r.db.privacy.ErasuresByID)
}

// registerOn and accountsOn return the stores over a transaction.
func (r *Resolver) registerOn(db pg.Querier) *membership.Store {
	s := r.db.register
	s.DB = db
	return &s
}

func (r *Resolver) accountsOn(db pg.Querier) *identity.Store {
	s := *r.accounts
	s.DB = db
	return &s
}
