package graph

import (
	"context"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/graph/exec"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/guard"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/trusted"
)

// Config says how operations are answered. Its zero value is not useful; begin
// with DefaultConfig.
type Config struct {
	// Limits bound documents.
	Limits guard.Limits
	// PlainGqlgen runs the resolvers by gqlgen alone, without the batch executor.
	// Answers are the same, slower.
	PlainGqlgen bool
	// Accept says which documents are answered.
	Accept Accept
	// Documents is how many checked documents are kept, besides the trusted ones, and
	// DocumentBytes how many bytes of memory they may take.
	Documents, DocumentBytes int
	// Own are documents that the program itself asks. They are trusted.
	Own []string
	// AnswerBytes and AnswerObjects bound the answer of one root field. What grows
	// beyond them is told as COST_EXCEEDED. gqlgen alone knows no such bound.
	AnswerBytes, AnswerObjects int
	// MaxErrors is how many errors an answer lists; the rest is counted.
	MaxErrors int
	// Watcher tells whether what is kept is still what the database would answer. Nil:
	// nothing is kept from one operation to the next.
	Watcher *fresh.Watcher
	// Reference keeps the reference data in memory: menus, units, case studies. It
	// needs a watcher. ReferenceBytes is how many bytes it may take, for each audience;
	// more than that is read from the database for each operation.
	Reference      bool
	ReferenceBytes int
	// Answers keeps the answers to public queries. It needs a watcher. AnswerMemory is how
	// many bytes they may take.
	Answers      bool
	AnswerMemory int
	// Accounts is who can sign in, with rights of its own on their tables. Nil: it asks
	// as the graph does, and there is no mail.
	Accounts *identity.Store
	// AccessLog takes who read what members don't show to everyone. Somebody has to Keep
	// it. Nil: it is written to the database when much of it waits.
	AccessLog *member.AccessLog
	// Log takes what went wrong; clients learn only that something did.
	Log *slog.Logger
}

// DefaultConfig returns the limits for documents that anyone may send.
func DefaultConfig() Config {
	return Config{
		Limits: guard.Default(), Accept: AcceptAny, Documents: 5_000, DocumentBytes: 64 << 20,
		AnswerBytes: 32 << 20, AnswerObjects: 500_000, MaxErrors: 20,
		Reference: true, ReferenceBytes: 64 << 20, Answers: true, AnswerMemory: 64 << 20, Log: slog.Default(),
	}
}

// Handler answers operations on the graph.
type Handler struct {
	checker   *Checker
	executor  *executor.Executor
	batch     *exec.Executor // nil with gqlgen alone
	presenter graphql.ErrorPresenterFunc
	recoverer graphql.RecoverFunc
	documents *documents
	answers   *answers // nil if none are kept
	watcher   *fresh.Watcher
	trusted   trusted.Store
	accounts  *identity.Store
	accessLog *member.AccessLog
	members   member.Store // for photos
	// snapshots is nil if no reference data are kept.
	snapshots *snapshots
	maxErrors int
	log       *slog.Logger
}

// NewHandler returns a handler over a database; its pool runs statements as
// pg.RoleGraph, so that policies on rows hold. An error means that a limit, a cost
// hint of the schema or a document of the program's own is wrong.
func NewHandler(db *pgxpool.Pool, c Config) (*Handler, error) {
	if c.Accounts == nil {
		c.Accounts = &identity.Store{DB: pg.Acting{Pool: db}, Passwords: &identity.Passwords{}}
	}
	if c.AccessLog == nil {
		c.AccessLog = member.NewAccessLog(db, c.Log)
	}
	r := NewResolver(db, c.Accounts)
	h, err := newHandler(r, trusted.Store{DB: db}, c)
	if err == nil {
		h.members = r.db.members
	}
	if err == nil && c.Reference && c.Watcher != nil {
		h.snapshots = &snapshots{resolver: r, db: db, watcher: c.Watcher, maxBytes: c.ReferenceBytes, log: c.Log}
		r.snapshots = h.snapshots
	}
	return h, err
}

func newHandler(root gen.ResolverRoot, store trusted.Store, c Config) (*Handler, error) {
	resolvers := gen.Config{Resolvers: root, Directives: gen.DirectiveRoot{Requires: requires}}
	schema := gen.NewExecutableSchema(resolvers)
	h := &Handler{
		executor:  executor.New(schema),
		trusted:   store,
		maxErrors: c.MaxErrors,
		log:       c.Log,
		watcher:   c.Watcher,
		accounts:  c.Accounts,
		accessLog: c.AccessLog,
	}
	err := checkAccess(schema.Schema())
	if err != nil {
		return nil, err
	}
	if h.checker, err = newChecker(schema.Schema(), c.Limits); err != nil {
		return nil, err
	}
	if h.documents, err = newDocuments(c); err != nil {
		return nil, err
	}
	if !c.PlainGqlgen {
		h.batch = exec.New(gen.NewExecTable(resolvers))
		h.batch.SetBounds(c.AnswerBytes, c.AnswerObjects)
		h.executor.Use(h.batch)
	}
	if err := h.trustOwn(c.Own); err != nil {
		return nil, err
	}
	if c.Answers && c.Watcher != nil {
		if h.answers, err = newAnswers(c.Watcher, max(1, c.AnswerMemory)); err != nil {
			return nil, err
		}
	}
	h.executor.SetQueryCache(checkedDocument{})
	h.presenter, h.recoverer = h.present, h.recovered
	h.executor.SetErrorPresenter(h.presenter)
	h.executor.SetRecoverFunc(h.recoverer)
	return h, nil
}

// Execute answers one operation: find its document, or parse, guard and validate
// it, then price and run it. It is a server.Execute.
func (h *Handler) Execute(ctx context.Context, p server.Params) server.Result {
	ctx = context.WithValue(ctx, requestKey{}, p.RequestID)
	known, price, no := h.document(ctx, p)
	if no != nil {
		return h.refuse(ctx, no.outcome, nil, no.errors)
	}
	doc := known.ast
	op := doc.Operations.ForName(p.OperationName)
	if op == nil {
		return h.refuse(ctx, server.Invalid, nil, gqlerror.List{noOperation(doc, p.OperationName)})
	}
	if p.ReadOnly && op.Operation != ast.Query {
		return h.refuse(ctx, server.NotByGet, op, gqlerror.List{coded(BadUserInput, "a %s can't be sent by GET; send it by POST", op.Operation)})
	}
	if wrong := checkVariables(h.checker.schema, op, p.Variables); wrong != nil {
		return h.refuse(ctx, server.Invalid, op, gqlerror.List{wrong})
	}
	left, ok := p.Charge(price.Cost)
	if !ok {
		r := h.refuse(ctx, server.RateLimited, op, gqlerror.List{coded(RateLimited,
			"the operation costs %d points and %d are left until %s; wait, or ask for less", price.Cost, left.Remaining, left.ResetAt.UTC().Format(time.RFC3339))})
		r.RetryAfter = time.Until(left.ResetAt)
		return r
	}
	run := func(ctx context.Context) server.Result {
		return h.logged(ctx, known.operation(op.Name), func(ctx context.Context) server.Result {
			return h.run(ctx, known, op, p, &union.RateLimit{
				Cost: price.Cost, Limit: left.Limit, Remaining: left.Remaining, ResetAt: left.ResetAt,
			})
		})
	}
	key, rule, ok := h.answers.key(ctx, known, &p)
	if ok {
		r, ok := h.answers.answer(ctx, key, rule, price.Cost, run)
		if !ok {
			return h.broken(ctx, op)
		}
		return r
	}
	if op.Operation == ast.Mutation {
		if h.watcher != nil {
			defer h.watcher.Wrote()
		}
		return h.mutate(ctx, p, known.operation(op.Name), run)
	}
	return run(ctx)
}

func noOperation(doc *ast.QueryDocument, name string) *gqlerror.Error {
	if name == "" {
		return coded(ValidationFailed, "the document holds %d operations; name one in operationName", len(doc.Operations))
	}
	return coded(ValidationFailed, "the document has no operation named %.80q; name one that it has", name)
}

// refuse answers an operation of which nothing ran.
func (h *Handler) refuse(ctx context.Context, outcome server.Outcome, op *ast.OperationDefinition, list gqlerror.List) server.Result {
	resp := h.executor.DispatchError(ctx, list)
	r := result(outcome, op, resp.Errors)
	r.Body = h.body(nil, resp.Errors)
	return r
}

func result(outcome server.Outcome, op *ast.OperationDefinition, errors gqlerror.List) server.Result {
	r := server.Result{Outcome: outcome, Errors: len(errors)}
	if op != nil {
		r.Operation, r.OperationType = op.Name, string(op.Operation)
	}
	return r
}
