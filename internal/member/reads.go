package member

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// FieldSet is a set of fields: the bit n is Fields[n].
type FieldSet = reads.Set

// SetOf returns the set of the fields.
func SetOf(fields ...ProfileField) (s FieldSet) {
	for _, f := range fields {
		if i := slices.Index(Fields, f); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// besideMember are the fields that shown knows.
var besideMember = SetOf(Listing, Pronouns, Headline, Bio, OfGrade, OfRegion, JoinedOn, OfSections)

// shown returns which fields that stand with the member have a value for the viewer.
func (m *Member) shown() FieldSet {
	s := SetOf(Listing)
	for f, has := range map[ProfileField]bool{
		Pronouns: m.Pronouns != nil, Headline: m.Headline != nil, Bio: m.Bio != nil, OfGrade: m.Grade != nil,
		OfRegion: m.RegionID != nil, JoinedOn: m.JoinedOn != nil, OfSections: m.ShowsSections,
	} {
		if has {
			s |= SetOf(f)
		}
	}
	return s
}

// note collects members that were read by a list which looks for some fields.
func note(ctx context.Context, v viewer.Viewer, members []*Member, looksFor FieldSet) {
	r := reads.From(ctx)
	if r == nil {
		return
	}
	for _, m := range members {
		if m.Private != 0 {
			shown := m.shown()
			// A list that looks for words finds by the name too: whoever may not see the headline
			// learned nothing of it. That there is such a member is told by every field.
			r.Add(v, m.ID, m.Private&shown, m.Private&(looksFor&(shown|^besideMember)|SetOf(Listing)))
		}
	}
}

// noteDetails collects details that were read and aren't shown to everyone.
func noteDetails(ctx context.Context, v viewer.Viewer, details []*detail) {
	r := reads.From(ctx)
	if r == nil {
		return
	}
	for _, d := range details {
		if d.Private && (d.Value != nil || d.Terms != nil || d.Postcode != nil || d.Latitude != nil) {
			r.Add(v, d.MemberID, 0, SetOf(d.Field))
		}
	}
}

// AccessLog writes down who read what members don't show to everyone, and what the body
// knows of them. Reading waits for it only if it falls far behind.
type AccessLog struct {
	db  pg.Querier
	log *slog.Logger

	mu      sync.Mutex
	pending map[readKey]*readRow
	writing sync.Mutex
}

// readKey is what reads have in common that are written as one row.
type readKey struct {
	member, application uuid.UUID
	reader              string
	read                FieldSet
}

type readRow struct {
	at    time.Time
	times int
}

// NewAccessLog returns a log that is written to a database.
func NewAccessLog(db pg.Querier, log *slog.Logger) *AccessLog {
	return &AccessLog{db: db, log: log, pending: map[readKey]*readRow{}}
}

// When the log is written, how much of it may wait, and how long it is kept.
const (
	writeEvery  = time.Second
	mostPending = 50_000
	keepReads   = 365 * 24 * time.Hour
	pruneEvery  = time.Hour
)

// reader says as what a viewer reads.
func reader(v viewer.Viewer) string {
	for _, is := range []struct {
		standing viewer.Standing
		name     string
	}{
		{viewer.Administrator, "ADMINISTRATOR"},
		{viewer.MembershipOfficer, "MEMBERSHIP_OFFICER"},
		{viewer.SectionOfficer, "SECTION_OFFICER"},
		{viewer.Editor, "EDITOR"},
		{viewer.CurrentMember, "MEMBER"},
	} {
		if v.Standing&is.standing != 0 && v.Application == uuid.Nil {
			return is.name
		}
	}
	if v.Application != uuid.Nil || v.Standing&(viewer.KeyDirectory|viewer.KeyMembers) != 0 {
		return "APPLICATION"
	}
	return "OTHER"
}

// Add takes what an operation of a viewer read; selected are the fields of members for
// which it asked.
func (l *AccessLog) Add(ctx context.Context, v viewer.Viewer, r *reads.Reads, selected FieldSet) {
	now, as := time.Now(), reader(v)
	l.mu.Lock()
	r.Each(selected, func(id uuid.UUID, read FieldSet) {
		k := readKey{id, v.Application, as, read}
		if row := l.pending[k]; row != nil {
			row.times++
		} else {
			l.pending[k] = &readRow{at: now, times: 1}
		}
	})
	full := len(l.pending) >= mostPending
	l.mu.Unlock()
	if full {
		if err := l.Flush(context.WithoutCancel(ctx)); err != nil {
			l.log.Error("the access log can't be written", "error", err)
		}
	}
}

// Keep writes the log every second until ctx ends, and then once more. It removes what is
// older than a year.
func (l *AccessLog) Keep(ctx context.Context) {
	write, prune := time.NewTicker(writeEvery), time.NewTicker(pruneEvery)
	defer write.Stop()
	defer prune.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := l.Flush(last); err != nil {
				l.log.Error("the end of the access log can't be written", "error", err)
			}
			return
		case <-write.C:
			err = l.Flush(ctx)
		case <-prune.C:
			err = l.Prune(ctx)
		}
		if err != nil && ctx.Err() == nil {
			l.log.Error("the access log can't be written; it is tried again", "error", err)
		}
	}
}

// Flush writes what waits. What can't be written waits on, and is given up when there is
// too much of it.
func (l *AccessLog) Flush(ctx context.Context) (err error) {
	defer errs.Wrap(&err, "member.AccessLog.Flush")
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	rows := l.pending
	l.pending = map[readKey]*readRow{}
	l.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	var (
		ids, members, applications []uuid.UUID
		times                      []int32
		fields, register           []int64
		at                         []time.Time
		readers                    []string
	)
	for k, row := range rows {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		ids, members, applications = append(ids, id), append(members, k.member), append(applications, k.application)
		fields, register = append(fields, k.read.Profile()), append(register, k.read.Facts())
		times, at, readers = append(times, int32(row.times)), append(at, row.at), append(readers, k.reader)
	}
	_, err = l.db.Exec(ctx, `
		INSERT INTO member_reads (id, member_id, read_at, reader, application_id, fields, register, times)
		SELECT
			r.id,
			r.member_id,
			r.read_at,
			r.reader,
			NULLIF(r.application_id, '00000000-0000-0000-0000-000000000000'),
			ARRAY(SELECT f.name FROM unnest(@names::text[]) WITH ORDINALITY AS f (name, n) WHERE r.fields & (1::bigint << (f.n::int - 1)) <> 0 ORDER BY f.n),
			ARRAY(SELECT f.name FROM unnest(@facts::text[]) WITH ORDINALITY AS f (name, n) WHERE r.register & (1::bigint << (f.n::int - 1)) <> 0 ORDER BY f.n),
			r.times
		FROM unnest(@ids::uuid[], @members::uuid[], @at::timestamptz[], @readers::text[], @applications::uuid[], @fields::bigint[], @register::bigint[], @times::int[])
			AS r (id, member_id, read_at, reader, application_id, fields, register, times)
		-- Of who was erased meanwhile there is nothing to tell.
		JOIN members m ON m.id = r.member_id`,
		pgx.StrictNamedArgs{
			"names": Fields, "facts": reads.Facts, "ids": ids, "members": members, "at": at, "readers": readers,
			"applications": applications, "fields": fields, "register": register, "times": times,
		})
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(rows) > 2*mostPending {
		return errors.Join(err, errors.New("too much of the access log waits; a part of it is lost"))
	}
	for k, row := range rows {
		if newer := l.pending[k]; newer != nil {
			row.times += newer.times
		}
		l.pending[k] = row
	}
	return err
}

// Prune removes what is older than a year.
func (l *AccessLog) Prune(ctx context.Context) (err error) {
	defer errs.Wrap(&err, "member.AccessLog.Prune")
	_, err = l.db.Exec(ctx, `DELETE FROM member_reads WHERE read_at < @before`,
		pgx.StrictNamedArgs{"before": time.Now().Add(-keepReads)})
	return err
}

// Read is that somebody read what a member does not show to everyone, or what the body
// knows of them.
type Read struct {
	ID     uuid.UUID
	ReadAt time.Time
	// Reader is as what they read it.
	Reader string
	// ApplicationName is what the application of a partner is called today, if it was one
	// and there still is such an application.
	ApplicationName *string
	// Fields are those of the profile, and Register what they read of what the body knows.
	Fields   []ProfileField
	Register []reads.Fact
	// Times is how often they did within a second or so.
	Times int
}

// AccessLogConnection is a page of reads.
type AccessLogConnection struct{ page.Connection[*Read] }

// AccessLogEdge is one read with its cursor.
type AccessLogEdge = page.Edge[*Read]

var newestReads = pg.Sort{
	After:    `(r.read_at, r.id) < (@after_at::timestamptz, @after_id::uuid)`,
	Before:   `(r.read_at, r.id) > (@before_at::timestamptz, @before_id::uuid)`,
	Forward:  `r.read_at DESC, r.id DESC`,
	Backward: `r.read_at, r.id`,
}

// AccessLogs returns of each member who is the one who asks who read what they don't show
// to everyone, the newest first; nothing of any other.
func (s *Store) AccessLogs(ctx context.Context, v viewer.Viewer, members []*Member, args page.Args) (_ []*AccessLogConnection, err error) {
	defer errs.Wrap(&err, "member.AccessLogs(%d)", len(members))
	logs := make([]*AccessLogConnection, len(members))
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	own := func(m *Member) bool { return m.ID == v.MemberID && v.MemberID != uuid.Nil && m.As == "" }
	if !slices.ContainsFunc(members, own) {
		return logs, nil
	}
	params := pgx.StrictNamedArgs{"me": v.MemberID, "limit": pg.Limit(k)}
	err = pg.EachCursor(k, func(name string, key []string) error {
		at, err := time.Parse(time.RFC3339Nano, key[0])
		if err != nil {
			return notACursor(name)
		}
		id, err := uuid.Parse(key[1])
		if err != nil {
			return notACursor(name)
		}
		params[name+"_at"], params[name+"_id"] = at, id
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[Read](ctx, s.DB, pg.Paged(`
		SELECT
			r.id,
			r.read_at,
			r.reader,
			name_of_reader(r.application_id) AS application_name,
			r.fields,
			r.register,
			r.times
		FROM member_reads r
		WHERE r.member_id = @me`+newestReads.Bounds(k)+newestReads.OrderBy(k)), params)
	if err != nil {
		return nil, err
	}
	c := &AccessLogConnection{page.New(k, rows, func(r *Read) []string {
		return []string{r.ReadAt.UTC().Format(time.RFC3339Nano), r.ID.String()}
	})}
	for i, m := range members {
		if own(m) {
			logs[i] = c
		}
	}
	return logs, nil
}
