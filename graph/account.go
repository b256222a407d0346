package graph

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

// Identify finds out who asks, by a session or by a key. It is a server.Identify.
func (h *Handler) Identify(ctx context.Context, c server.Credentials) (context.Context, error) {
	if c.Key != "" {
		holder, err := h.accounts.KeyHolder(ctx, c.Key)
		if err != nil {
			return nil, err
		}
		return withKey(ctx, holder), nil
	}
	signed, err := h.accounts.Signed(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	return signedIn(ctx, signed), nil
}

type signedKey struct{}

// signedIn returns a context in which an account asks.
func signedIn(ctx context.Context, s *identity.Signed) context.Context {
	standing := viewer.SignedIn
	if s.MemberID != nil {
		standing |= viewer.HasRecord
	}
	if s.CurrentMember {
		standing |= viewer.CurrentMember
	}
	if len(s.Officer) > 0 {
		standing |= viewer.SectionOfficer
	}
	for role, is := range map[identity.Role]viewer.Standing{
		identity.Editor: viewer.Editor, identity.MembershipOfficer: viewer.MembershipOfficer, identity.Administrator: viewer.Administrator,
	} {
		if s.Has(role) {
			standing |= is
		}
	}
	v := viewer.New(standing)
	v.Account, v.Session = s.ID, s.SessionID
	if s.MemberID != nil {
		v.MemberID = *s.MemberID
	}
	return viewer.With(context.WithValue(ctx, signedKey{}, s), v)
}

// you returns who asks.
func you(ctx context.Context) *union.Viewer {
	asks := viewer.From(ctx)
	v := &union.Viewer{Can: asks.Can()}
	var units []uuid.UUID
	if s, ok := ctx.Value(signedKey{}).(*identity.Signed); ok {
		v.Account = &s.Account
		units = s.Officer
	}
	if asks.Unit != uuid.Nil {
		units = []uuid.UUID{asks.Unit}
	}
	if can := asks.CanInUnits(); len(can) > 0 {
		for _, id := range units {
			v.Units = append(v.Units, &union.UnitStanding{UnitID: id, Can: can})
		}
	}
	v.Application, _ = ctx.Value(holderKey{}).(*identity.KeyHolder)
	return v
}

// changes is what a mutation changes besides the database.
type changes struct {
	session *server.SessionCookie
	// others are those whom its fields signed in, with what their payloads read.
	others []*other
	// now is who the field that runs has signed in; nil if it has nobody.
	now atomic.Pointer[other]
}

// other is who a mutation signed in, as whom the payload is answered.
type other struct {
	ctx  context.Context
	read *reads.Reads
}

type (
	changesKey struct{}
	clientKey  struct{}
)

// answering is the context of a mutation. Whom a field of it signs in asks what stands
// in the payload of that field; the next field is asked by who sent the request.
type answering struct {
	context.Context
	changes *changes
}

// Value returns what a context carries; of who asks, what that of the one who was
// signed in carries.
func (a *answering) Value(key any) any {
	if o := a.changes.now.Load(); o != nil {
		if v := o.ctx.Value(key); v != nil {
			return v
		}
	}
	return a.Context.Value(key)
}

// as has the rest of the field answered as an account that it signed in.
func (c *changes) as(ctx context.Context, s *identity.Signed) context.Context {
	o := &other{}
	o.ctx = pg.WithActor(context.Background(), pg.Actor{Request: pg.ActorFrom(ctx).Request})
	o.ctx, o.read = reads.With(signedIn(o.ctx, s))
	c.others = append(c.others, o)
	c.now.Store(o)
	return o.ctx
}

// unitsOfStandings answers in which sections and regions somebody may do more.
func (r *Resolver) unitsOfStandings(ctx context.Context, standings []*union.UnitStanding) ([]unit.Unit, error) {
	kinds := []string{"SPECIALIST_SECTION", "REGION"}
	var refs []entryRef
	for _, s := range standings {
		for _, kind := range kinds {
			refs = append(refs, entryRef{kind, s.UnitID})
		}
	}
	found, err := r.entries(ctx, refs)
	if err != nil {
		return nil, err
	}
	units := make([]unit.Unit, len(standings))
	for i, s := range standings {
		for _, kind := range kinds {
			if u, ok := found[entryRef{kind, s.UnitID}].(unit.Unit); ok {
				units[i] = u
			}
		}
	}
	return units, nil
}

// mutate answers a mutation: whoever asks afterwards sees what it wrote.
func (h *Handler) mutate(ctx context.Context, p server.Params, op *operation, run func(context.Context) server.Result) server.Result {
	a := pg.ActorFrom(ctx)
	a.Request = p.RequestID
	ctx = pg.WithActor(ctx, a)
	c := &changes{}
	ctx = context.WithValue(ctx, clientKey{}, p.Client)
	ctx = &answering{context.WithValue(ctx, changesKey{}, c), c}
	r := run(ctx)
	c.now.Store(nil)
	for _, o := range c.others {
		if h.accessLog != nil {
			h.accessLog.Add(ctx, viewer.From(o.ctx), o.read, op.ofMembers)
		}
	}
	r.Session = c.session
	return r
}

func client(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}

// signIn answers a mutation that signs somebody in, with the cookie that says so.
func (r *Resolver) signIn(ctx context.Context, session *identity.Session, err error) (*gen.SignInPayload, error) {
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.SignInPayload{UserErrors: wrong}, err
	}
	signed, err := r.accounts.Signed(ctx, session.Token)
	if err != nil {
		return nil, err
	}
	setSession(ctx, &server.SessionCookie{Token: session.Token, ExpiresAt: session.ExpiresAt})
	as := signedIn(ctx, signed)
	if changes, ok := ctx.Value(changesKey{}).(*changes); ok {
		as = changes.as(ctx, signed)
	}
	return &gen.SignInPayload{
		Viewer: you(as), ExpiresAt: &session.ExpiresAt, UserErrors: []*union.UserError{},
	}, nil
}

func setSession(ctx context.Context, c *server.SessionCookie) {
	if changes, ok := ctx.Value(changesKey{}).(*changes); ok {
		changes.session = c
	}
}

// signOut answers a mutation that signs somebody out.
func signOut(ctx context.Context, err error) (*gen.SignOutPayload, error) {
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.SignOutPayload{UserErrors: wrong}, err
	}
	setSession(ctx, &server.SessionCookie{})
	return &gen.SignOutPayload{SignedOut: true, UserErrors: []*union.UserError{}}, nil
}

// userErrors turns the expected failures of a mutation into what its payload says;
// any other failure it returns.
func userErrors(err error) ([]*union.UserError, error) {
	var invalid *errs.Invalid
	if errors.As(err, &invalid) {
		wrong := make([]*union.UserError, len(invalid.Fields))
		for i, f := range invalid.Fields {
			wrong[i] = &union.UserError{Code: "INVALID", Field: strings.Split(f.Path, "."), Message: f.Message}
		}
		return wrong, nil
	}
	for _, known := range []struct {
		err  error
		code string
	}{
		{identity.ErrWrongCredentials, "WRONG_CREDENTIALS"},
		{identity.ErrTooManyAttempts, "TOO_MANY_ATTEMPTS"},
		{identity.ErrNotVerified, "NOT_VERIFIED"},
		{identity.ErrSuspended, "SUSPENDED"},
		{identity.ErrLinkEnded, "LINK_ENDED"},
		{identity.ErrTOTPRequired, "TOTP_REQUIRED"},
		{identity.ErrTOTPWrong, "TOTP_WRONG"},
		{identity.ErrNoSecretKey, "NOT_CONFIGURED"},
		{identity.ErrLastAdministrator, "LAST_ADMINISTRATOR"},
		{privacy.ErrLastAdministrator, "LAST_ADMINISTRATOR"},
		{identity.ErrSignInAgain, "SIGN_IN_AGAIN"},
		{identity.ErrPasskey, "PASSKEY"},
		{identity.ErrExternal, "EXTERNAL"},
		{identity.ErrNoAccount, "NO_ACCOUNT"},
		{identity.ErrTwoKeys, "TWO_KEYS"},
		{identity.ErrNameTaken, "NAME_TAKEN"},
		{identity.ErrApplicationSuspended, "SUSPENDED"},
		{member.ErrLocked, "LOCKED"},
		{errs.Conflict, "CONFLICT"},
		{errs.NotFound, "NOT_FOUND"},
		{privacy.ErrNotDue, "NOT_YET"},
		{privacy.ErrEnded, "ENDED"},
		{privacy.ErrOldText, "OLD_TEXT"},
	} {
		if errors.Is(err, known.err) {
			wrong := &union.UserError{Code: known.code, Message: known.err.Error()}
			switch known.err {
			case errs.Conflict:
				wrong.Message = "it has changed at the same time; read it again"
			case errs.NotFound:
				wrong.Message = "there is no such thing, or none that you may know of"
			}
			if said := (*errs.Said)(nil); errors.As(err, &said) {
				wrong.Message = said.Message
				if said.Path != "" {
					wrong.Field = strings.Split(said.Path, ".")
				}
			}
			return []*union.UserError{wrong}, nil
		}
	}
	return []*union.UserError{}, err
}

// requires is the directive @requires: the field is answered only to who has the
// permission.
func requires(ctx context.Context, _ any, next graphql.Resolver, p viewer.Permission) (any, error) {
	if changes, ok := ctx.Value(changesKey{}).(*changes); ok {
		changes.now.Store(nil) // whom the field before has signed in
	}
	v := viewer.From(ctx)
	switch {
	case v.May(p):
		return next(ctx)
	case !v.SignedIn():
		return nil, errs.Unauthenticated
	default:
		return nil, errs.Forbidden
	}
}
