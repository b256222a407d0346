package membership

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// Record is a member as they stand in the register: not what they show of
// themselves, but what the body knows.
type Record struct {
	ID          uuid.UUID
	Number      string
	DisplayName string
	RegionID    *uuid.UUID
	SortName    string
}

// NodeID returns the opaque ID in the graph.
func (r *Record) NodeID() string { return node.ID("MemberRecord", r.ID) }

func (r *Record) of() *uuid.UUID { return &r.ID }

// AppendNodeID appends NodeID as a JSON string.
func (r *Record) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "MemberRecord", r.ID) }

// Filter says which records. All conditions must hold.
type Filter struct {
	Status *Status
	Grade  *string
	// Region and Section are slugs.
	Region  *string
	Section *string
	// Text stands in the name, or is the number.
	Text *string
	// EndsFrom and EndsUntil bound the last day that is paid for, also by a renewal ahead.
	EndsFrom, EndsUntil *time.Time
}

// Records is a page of the register.
type Records struct {
	page.Connection[*Record]
	filter Filter
	asOf   *time.Time
}

// RecordEdge is one record with its cursor.
type RecordEdge = page.Edge[*Record]

const recordColumns = `
	m.id,
	m.key AS number,
	m.display_name,
	m.region_id,
	m.sort_name`

var byName = pg.Sort{
	After:    `(m.sort_name COLLATE "und-x-icu", m.id) > (@after_name, @after_id::uuid)`,
	Before:   `(m.sort_name COLLATE "und-x-icu", m.id) < (@before_name, @before_id::uuid)`,
	Forward:  `m.sort_name COLLATE "und-x-icu", m.id`,
	Backward: `m.sort_name COLLATE "und-x-icu" DESC, m.id DESC`,
}

// roster returns what stands after SELECT of the records of a filter as of a day, with
// its arguments.
func roster(v viewer.Viewer, f Filter, asOf *time.Time) (string, pgx.StrictNamedArgs, error) {
	args := pgx.StrictNamedArgs(reading(v, map[string]any{"as_of": asOf}))
	sql := `
		FROM members_registered m
		JOIN membership_statuses(COALESCE(@as_of::date, CURRENT_DATE)) st ON st.member_id = m.id
		WHERE ` + mayRead
	if f.Status != nil {
		sql += ` AND st.status = @status`
		args["status"] = *f.Status
	}
	if f.Grade != nil {
		sql += ` AND st.grade = @grade`
		args["grade"] = *f.Grade
	}
	if f.EndsFrom != nil {
		sql += ` AND ` + paidUntil + ` >= @ends_from`
		args["ends_from"] = *f.EndsFrom
	}
	if f.EndsUntil != nil {
		// The end of one period bounds that of all, and costs nothing to ask.
		sql += ` AND st.ends_on <= @ends_until AND ` + paidUntil + ` <= @ends_until`
		args["ends_until"] = *f.EndsUntil
	}
	if f.Region != nil {
		sql += ` AND m.region_id = (SELECT u.id FROM units u WHERE u.kind = 'REGION' AND u.slug = lower(@region))`
		args["region"] = *f.Region
	}
	if f.Section != nil {
		sql += ` AND EXISTS (
			SELECT FROM section_memberships sm
			JOIN units u ON u.id = sm.section_id
			WHERE sm.member_id = m.id
				AND u.kind = 'SPECIALIST_SECTION'
				AND u.slug = lower(@section)
				AND sm.starts_on <= COALESCE(@as_of::date, CURRENT_DATE)
				AND (sm.ends_on IS NULL OR sm.ends_on >= COALESCE(@as_of::date, CURRENT_DATE)))`
		args["section"] = *f.Section
	}
	if f.Text != nil {
		text := strings.TrimSpace(*f.Text)
		if n := utf8.RuneCountInString(text); n < 1 || n > 100 || strings.ContainsRune(text, 0) {
			return "", nil, errs.Invalidf("filter.text", "pass 1 to 100 characters; there are %d", n)
		}
		sql += ` AND (m.display_name ILIKE @text OR m.key = @number)`
		args["text"] = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
		args["number"] = text
	}
	return sql, args, nil
}

// Register returns a page of the register by name, as of a day; nil is today.
func (s *Store) Register(ctx context.Context, v viewer.Viewer, f *Filter, asOf *time.Time, args page.Args) (_ *Records, err error) {
	defer errs.Wrap(&err, "membership.Register")
	c := &Records{asOf: asOf}
	if f != nil {
		c.filter = *f
	}
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	sql, named, err := roster(v, c.filter, asOf)
	if err != nil {
		return nil, err
	}
	named["limit"] = pg.Limit(k)
	err = pg.EachCursor(k, func(name string, key []string) error {
		id, err := uuid.Parse(key[1])
		if err != nil {
			return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
		}
		named[name+"_name"], named[name+"_id"] = key[0], id
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[Record](ctx, s.DB, pg.Paged(`SELECT`+recordColumns+sql+byName.Bounds(k)+byName.OrderBy(k)), named)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		if err := s.knownUnits(ctx, v, c.filter); err != nil {
			return nil, err
		}
	}
	c.Connection = page.New(k, rows, func(r *Record) []string { return []string{r.SortName, r.ID.String()} })
	reads.Note(ctx, v, c.Nodes(), (*Record).of, c.filter.looksFor()...)
	return c, nil
}

// knownUnits says which unit of a filter there is not, or is none that the viewer may know
// of. It is asked of a filter that finds nobody.
func (s *Store) knownUnits(ctx context.Context, v viewer.Viewer, f Filter) error {
	if f.Region == nil && f.Section == nil {
		return nil
	}
	type row struct{ Region, Section bool }
	known, err := pg.One[row](ctx, s.DB, `
		SELECT
			@region::text IS NULL OR EXISTS (
				SELECT FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'REGION' AND u.slug = lower(@region) AND `+viewer.Visible+`
			) AS region,
			@section::text IS NULL OR EXISTS (
				SELECT FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = lower(@section) AND `+viewer.Visible+`
			) AS section`,
		pgx.StrictNamedArgs{"region": f.Region, "section": f.Section, "reach": v.Reach()})
	switch {
	case err != nil:
		return err
	case !known.Region:
		return errs.Invalidf("filter.region", "there is no such region; pass the slug of one that regions lists")
	case !known.Section:
		return errs.Invalidf("filter.section", "there is no such section; pass the slug of one that specialistSections lists")
	}
	return nil
}

// looksFor returns what is read of the records that a filter finds.
func (f Filter) looksFor() []reads.Fact {
	facts := []reads.Fact{reads.Entry}
	if f.Status != nil || f.Grade != nil || f.EndsFrom != nil || f.EndsUntil != nil {
		facts = append(facts, reads.Membership)
	}
	if f.Section != nil {
		facts = append(facts, reads.Sections)
	}
	return facts
}

// RegisterTotals returns how many records each list has.
func (s *Store) RegisterTotals(ctx context.Context, v viewer.Viewer, lists []*Records) (_ []int, err error) {
	defer errs.Wrap(&err, "membership.RegisterTotals(%d)", len(lists))
	totals := make([]int, len(lists))
	for i, l := range lists { // one, since only the root returns them
		sql, args, err := roster(v, l.filter, l.asOf)
		if err != nil {
			return nil, err
		}
		if totals[i], err = pg.Scalar[int](ctx, s.DB, `SELECT count(*)`+sql, args); err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// Records returns the records with the IDs that the viewer may read.
func (s *Store) Records(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Record, err error) {
	defer errs.Wrap(&err, "membership.Records(%d)", len(ids))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Record](ctx, s.DB, `
		SELECT`+recordColumns+`
		FROM members_registered m
		WHERE m.id = ANY(@ids) AND `+mayRead,
		pgx.StrictNamedArgs(reading(v, map[string]any{"ids": ids})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, (*Record).of, reads.Entry)
	return pg.ByKey(found, func(r *Record) uuid.UUID { return r.ID }), nil
}

// OwnRecords returns the records of members to themselves.
func (s *Store) OwnRecords(ctx context.Context, members []uuid.UUID) (_ map[uuid.UUID]*Record, err error) {
	defer errs.Wrap(&err, "membership.OwnRecords(%d)", len(members))
	found, err := pg.All[Record](ctx, s.DB, `
		SELECT`+recordColumns+`
		FROM members_registered m
		WHERE m.id = ANY(@ids)`,
		pgx.StrictNamedArgs{"ids": members})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(found, func(r *Record) uuid.UUID { return r.ID }), nil
}

// RegulatoryBody is who registers practitioners.
type RegulatoryBody string

// Registration is a member's with a regulator.
type Registration struct {
	MemberID   uuid.UUID
	Body       RegulatoryBody
	Number     string
	VerifiedOn *time.Time
	// VerifiedBy is the address of who looked it up; only who keeps the register is told.
	VerifiedBy *string
	ValidUntil *time.Time
	// Valid is whether it counts today.
	Valid bool
}

// RegistrationsOf returns the registration of each of the members who has one, of
// those whose record the viewer may read.
func (s *Store) RegistrationsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Registration, err error) {
	defer errs.Wrap(&err, "membership.RegistrationsOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	args := reading(v, map[string]any{"members": members})
	args["keeps"] = v.May(viewer.ManageRegister)
	found, err := pg.All[Registration](ctx, s.DB, `
		SELECT
			rg.member_id,
			rg.body,
			rg.number,
			rg.verified_on,
			CASE WHEN @keeps THEN (SELECT a.email FROM accounts a WHERE a.id = rg.verified_by) END AS verified_by,
			rg.valid_until,
			COALESCE(rg.verified_on <= CURRENT_DATE AND rg.valid_until >= CURRENT_DATE, false) AS valid
		FROM registrations rg
		JOIN members_registered m ON m.id = rg.member_id
		WHERE rg.member_id = ANY(@members) AND rg.body = 'HCPC' AND `+mayRead, pgx.StrictNamedArgs(args))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(r *Registration) *uuid.UUID { return &r.MemberID }, reads.Registered)
	return pg.ByKey(found, func(r *Registration) uuid.UUID { return r.MemberID }), nil
}

// StatedRegistration is a number that a member states. Member is nil for the viewer's
// own.
type StatedRegistration struct {
	Member *uuid.UUID
	Number string
}

// StateRegistration keeps the number of a member with the HCPC. It counts once staff
// has verified it; the same number again stays verified.
func (s *Store) StateRegistration(ctx context.Context, v viewer.Viewer, in StatedRegistration) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.StateRegistration")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	number := strings.ToUpper(strings.Join(strings.Fields(in.Number), ""))
	stated, err := s.DB.Exec(ctx, `
		INSERT INTO registrations AS rg (member_id, body, number)
		SELECT m.id, 'HCPC', @number FROM members m WHERE m.id = @member
		ON CONFLICT (member_id, body) DO UPDATE SET number = excluded.number, stated_at = now()`,
		pgx.StrictNamedArgs{"member": member, "number": number})
	if pg.Constraint(err) == "registrations_number_form" {
		return member, errs.Invalidf("input.number", "a number of the HCPC is OT and 5 or 6 digits, as OT12345")
	}
	if err == nil && stated.RowsAffected() == 0 {
		return member, errs.Invalidf("input.member", noSuchMember)
	}
	return member, err
}

// Verification says that a number was found in the register of the regulator.
type Verification struct {
	Member uuid.UUID
	// Number is the one that was looked up: the member may have stated another since.
	Number     string
	ValidUntil time.Time
}

// VerifyRegistration notes that the viewer has found the number in the regulator's
// register; with a day that is past, that the registration has ended. errs.Conflict if the member states another number now.
func (s *Store) VerifyRegistration(ctx context.Context, v viewer.Viewer, in Verification) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.VerifyRegistration(%s)", in.Member)
	if err := s.sensible(ctx, "input.validUntil", in.ValidUntil); err != nil {
		return in.Member, err
	}
	verified, err := s.DB.Exec(ctx, `
		UPDATE registrations
		SET verified_on = CURRENT_DATE, verified_by = @account, valid_until = @until
		WHERE member_id = @member AND body = 'HCPC' AND number = @number`,
		pgx.StrictNamedArgs{"member": in.Member, "number": in.Number, "until": in.ValidUntil, "account": v.Account})
	switch pg.Constraint(err) {
	case "registrations_verified_once":
		return in.Member, errs.Invalidf("input.number", "the number is verified for another member")
	case "registrations_valid_until_near_verified":
		return in.Member, errs.Invalidf("input.validUntil", "pass a day within the last five years, or a later one")
	}
	if err == nil && verified.RowsAffected() == 0 {
		return in.Member, errs.Sayf(errs.Conflict, "input.number", "that is not the number that the member states now; read the record again and look up the one it has")
	}
	return in.Member, err
}

// sensible says of a day of a registration or insurance that it can be one: none lasts
// for decades, so another day is a slip.
func (s *Store) sensible(ctx context.Context, path string, day time.Time) error {
	is, err := pg.Scalar[bool](ctx, s.DB, `SELECT @day::date BETWEEN '1900-01-01' AND CURRENT_DATE + interval '10 years'`,
		pgx.StrictNamedArgs{"day": day})
	if err == nil && !is {
		return errs.Invalidf(path, "pass a day from 1900-01-01 to ten years from today")
	}
	return err
}

// Insurance is the indemnity insurance of a member, both days included.
type Insurance struct {
	MemberID     uuid.UUID
	Insurer      string
	PolicyNumber string
	ValidFrom    time.Time
	ValidUntil   time.Time
	// Valid is whether it covers today.
	Valid bool
}

// InsurancesOf returns the insurance of each of the members that covers today, or
// else the last one, of those whose record the viewer may read.
func (s *Store) InsurancesOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Insurance, err error) {
	defer errs.Wrap(&err, "membership.InsurancesOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Insurance](ctx, s.DB, `
		SELECT DISTINCT ON (i.member_id)
			i.member_id,
			i.insurer,
			i.policy_number,
			i.valid_from,
			i.valid_until,
			CURRENT_DATE BETWEEN i.valid_from AND i.valid_until AS valid
		FROM indemnity_insurances i
		JOIN members_registered m ON m.id = i.member_id
		WHERE i.member_id = ANY(@members) AND `+mayRead+`
		ORDER BY i.member_id, CURRENT_DATE BETWEEN i.valid_from AND i.valid_until DESC, i.valid_from DESC`,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(i *Insurance) *uuid.UUID { return &i.MemberID }, reads.Insured)
	return pg.ByKey(found, func(i *Insurance) uuid.UUID { return i.MemberID }), nil
}

// InsurancesAheadOf returns the insurances of each of the members that have not ended, the
// earliest first, of those whose record the viewer may read.
func (s *Store) InsurancesAheadOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*Insurance, err error) {
	defer errs.Wrap(&err, "membership.InsurancesAheadOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Insurance](ctx, s.DB, `
		SELECT
			i.member_id,
			i.insurer,
			i.policy_number,
			i.valid_from,
			i.valid_until,
			i.valid_from <= CURRENT_DATE AS valid
		FROM indemnity_insurances i
		JOIN members_registered m ON m.id = i.member_id
		WHERE i.member_id = ANY(@members) AND i.valid_until >= CURRENT_DATE AND `+mayRead+`
		ORDER BY i.member_id, i.valid_from`,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(i *Insurance) *uuid.UUID { return &i.MemberID }, reads.Insured)
	return pg.GroupBy(found, func(i *Insurance) uuid.UUID { return i.MemberID }), nil
}

// StatedInsurance is an insurance that a member states. Member is nil for the viewer's
// own.
type StatedInsurance struct {
	Member       *uuid.UUID
	Insurer      string
	PolicyNumber string
	ValidFrom    time.Time
	ValidUntil   time.Time
}

// StateInsurance keeps an insurance beside earlier ones, in the place of one that
// begins on the same day.
func (s *Store) StateInsurance(ctx context.Context, v viewer.Viewer, in StatedInsurance) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.StateInsurance")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	if in.Insurer, err = text("input.insurer", in.Insurer, 200); err != nil {
		return member, err
	}
	if in.PolicyNumber, err = text("input.policyNumber", in.PolicyNumber, 100); err != nil {
		return member, err
	}
	if err := s.sensible(ctx, "input.validFrom", in.ValidFrom); err != nil {
		return member, err
	}
	if err := s.sensible(ctx, "input.validUntil", in.ValidUntil); err != nil {
		return member, err
	}
	stated, err := s.DB.Exec(ctx, `
		INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		SELECT m.id, @insurer, @policy, @from, @until FROM members m WHERE m.id = @member
		ON CONFLICT (member_id, valid_from) DO UPDATE SET
			insurer = excluded.insurer,
			policy_number = excluded.policy_number,
			valid_until = excluded.valid_until,
			stated_at = now()`,
		pgx.StrictNamedArgs{
			"member": member, "insurer": in.Insurer, "policy": in.PolicyNumber, "from": in.ValidFrom, "until": in.ValidUntil,
		})
	if pg.Constraint(err) == "indemnity_insurances_until_after_from" {
		return member, errs.Invalidf("input.validUntil", "pass a day after the first")
	}
	if err == nil && stated.RowsAffected() == 0 {
		return member, errs.Invalidf("input.member", noSuchMember)
	}
	return member, err
}

// InsuranceWithdrawal is which insurance was a mistake: the one that begins on a day. Member
// is nil for the viewer's own.
type InsuranceWithdrawal struct {
	Member    *uuid.UUID
	ValidFrom time.Time
}

// WithdrawInsurance removes an insurance that was a mistake. A member may before it begins,
// staff at any time.
func (s *Store) WithdrawInsurance(ctx context.Context, v viewer.Viewer, in InsuranceWithdrawal) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.WithdrawInsurance")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	staff := v.May(viewer.ManageRegister)
	removed, err := s.DB.Exec(ctx, `
		DELETE FROM indemnity_insurances
		WHERE member_id = @member AND valid_from = @from AND (@staff OR valid_from > CURRENT_DATE)`,
		pgx.StrictNamedArgs{"member": member, "from": in.ValidFrom, "staff": staff})
	switch {
	case err != nil || removed.RowsAffected() > 0:
		return member, err
	case staff:
		return member, errs.Invalidf("input.validFrom", "the member states no insurance that begins on that day")
	}
	return member, errs.Invalidf("input.validFrom", "you state no insurance that begins on that day, or it has begun; write to the membership office to have one removed that has")
}
