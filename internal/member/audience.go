package member

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// setAudience and narrowAudience set the audience of a field that stands with the
// member; the second only if it was wider.
var (
	setAudience    = audienceColumns(func(string) string { return `` })
	narrowAudience = audienceColumns(func(column string) string {
		return ` AND audience_rank(m.` + column + `) < audience_rank(@audience)`
	})
)

func audienceColumns(only func(column string) string) string {
	sql := ``
	for _, f := range Fields[:slices.Index(Fields, Email)] {
		column := strings.ToLower(string(f)) + `_audience`
		sql += `
				` + column + ` = CASE WHEN @field = '` + string(f) + `'` + only(column) + ` THEN @audience ELSE m.` + column + ` END,`
	}
	return sql + `
				updated_at = clock_timestamp()`
}

// inRow says whether a field has a row of its own.
func (f ProfileField) inRow() bool { return slices.Index(Fields, f) >= slices.Index(Fields, Email) }

// SetAudience chooses who sees a field of the member who asks. A wider audience than
// the office allows is ErrLocked.
func (s *Store) SetAudience(ctx context.Context, v viewer.Viewer, f ProfileField, a viewer.Audience) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.SetAudience(%s, %s)", f, a)
	return s.write(ctx, v, ErrLocked, `
		written AS (
			UPDATE members_own m
			SET`+setAudience+`
			WHERE m.id = @me AND NOT EXISTS (
				SELECT
				FROM member_locks l
				WHERE l.member_id = @me AND l.field = @field AND audience_rank(l.audience) > audience_rank(@audience))
			RETURNING m.*, true AS shows_sections
		), details AS (
			INSERT INTO member_details (member_id, field, audience)
			SELECT w.id, @field, @audience
			FROM written w
			WHERE @in_row
			ON CONFLICT (member_id, field) DO UPDATE
			SET audience = EXCLUDED.audience, updated_at = now()
		)`,
		pgx.StrictNamedArgs{"field": f, "audience": a, "in_row": f.inRow()})
}

// Lock keeps a field of a member from wider audiences than a, for a reason that the
// member is told; PUBLIC ends that, and leaves the field as narrow as it is. It asks
// for viewer.ManageRegister. Without such a member it is errs.NotFound; who is for nobody
// to find is locked and not returned.
func (s *Store) Lock(ctx context.Context, v viewer.Viewer, id uuid.UUID, f ProfileField, a viewer.Audience, reason *string) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.Lock(%s, %s, %s)", id, f, a)
	if !v.May(viewer.ManageRegister) {
		return nil, errs.Forbidden
	}
	why := ""
	if reason != nil {
		why = strings.TrimSpace(*reason)
	}
	if message := badText(why, maxLine, false); message != "" {
		return nil, errs.Invalidf("input.reason", "%s", message)
	}
	if why == "" && a != viewer.ForEveryone {
		return nil, errs.Invalidf("input.reason", "give a reason, which the member is told")
	}
	var m *Member
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		written, err := tx.Exec(ctx, `
			WITH written AS (
				UPDATE members_office m
				SET`+narrowAudience+`
				WHERE m.id = @id
				RETURNING m.id
			), locks AS (
				INSERT INTO member_locks (member_id, field, audience, reason)
				SELECT w.id, @field, @audience, @reason FROM written w WHERE @audience <> 'PUBLIC'
				ON CONFLICT (member_id, field) DO UPDATE
				SET audience = EXCLUDED.audience, reason = EXCLUDED.reason, locked_at = now()
			), unlocked AS (
				DELETE FROM member_locks l USING written w WHERE l.member_id = w.id AND l.field = @field AND @audience = 'PUBLIC'
			), details AS (
				UPDATE member_details d
				SET audience = @audience, updated_at = now()
				FROM written w
				WHERE d.member_id = w.id AND d.field = @field AND audience_rank(d.audience) < audience_rank(@audience)
			)
			SELECT FROM written`, pgx.StrictNamedArgs{"id": id, "field": f, "audience": a, "reason": why})
		if err != nil {
			return err
		}
		if written.RowsAffected() == 0 {
			return errs.NotFound
		}
		// The office itself may not be shown what is for nobody.
		found, err := (&Store{DB: tx}).ByID(ctx, v, []uuid.UUID{id})
		m = found[id]
		return err
	})
	return m, err
}

// Visibility says who sees a field of a member's own record, and why.
type Visibility struct {
	Field    ProfileField
	Audience viewer.Audience
	// LockedTo is the widest audience that the office allows; nil if the member chooses.
	LockedTo *viewer.Audience
	Reason   string
}

// VisibilityOf returns of each member who is the one who asks who sees the fields;
// nothing of any other.
func (s *Store) VisibilityOf(ctx context.Context, v viewer.Viewer, members []*Member) (_ [][]*Visibility, err error) {
	defer errs.Wrap(&err, "member.VisibilityOf(%d)", len(members))
	all := make([][]*Visibility, len(members))
	own := func(m *Member) bool { return m.ID == v.MemberID && v.MemberID != uuid.Nil && m.As == "" }
	if !slices.ContainsFunc(members, own) {
		return all, nil
	}
	type row struct {
		Field      ProfileField
		Audience   viewer.Audience
		LockedTo   *viewer.Audience
		LockReason *string
		IsMember   bool
	}
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT
			m.is_member,
			f.field,
			COALESCE(d.audience, f.audience, 'NOBODY') AS audience,
			l.audience AS locked_to,
			l.reason AS lock_reason
		FROM members_own m
		CROSS JOIN LATERAL (VALUES
			('LISTING', m.listing_audience),
			('PRONOUNS', m.pronouns_audience),
			('HEADLINE', m.headline_audience),
			('BIO', m.bio_audience),
			('GRADE', m.grade_audience),
			('REGION', m.region_audience),
			('JOINED_ON', m.joined_on_audience),
			('SECTIONS', m.sections_audience),
			('EMAIL', NULL), ('PHONE', NULL), ('WEBSITE', NULL), ('ADDRESS', NULL),
			('PHOTO', NULL), ('LANGUAGES', NULL), ('SPECIALISMS', NULL), ('PRACTICE', NULL)
		) AS f (field, audience)
		LEFT JOIN member_details d ON d.member_id = m.id AND d.field = f.field
		LEFT JOIN member_locks l ON l.member_id = m.id AND l.field = f.field
		WHERE m.id = @me`, pgx.StrictNamedArgs{"me": v.MemberID})
	if err != nil {
		return nil, err
	}
	byField := pg.ByKey(rows, func(r *row) ProfileField { return r.Field })
	var list []*Visibility
	for _, f := range Fields {
		if r := byField[f]; r != nil {
			shown := &Visibility{Field: f, Audience: r.Audience, LockedTo: r.LockedTo, Reason: reasons[r.Audience]}
			if !r.IsMember && r.Audience != viewer.ForOffice && r.Audience != viewer.ForNobody {
				shown.Reason = reasons[viewer.ForOffice] + " Others find you again when you are a member: you are not a member today."
			}
			if r.Audience == viewer.ForNobody && slices.Contains(registered, f) {
				shown.Reason = "Nobody but you sees it here. It stands in the register of members too, which the membership office reads, and partners who may."
			}
			if r.LockedTo != nil {
				shown.Reason += " The office keeps it from wider audiences: " + *r.LockReason
			}
			list = append(list, shown)
		}
	}
	for i, m := range members {
		if own(m) {
			all[i] = list
		}
	}
	return all, nil
}

// registered are the fields that tell what the register holds.
var registered = []ProfileField{Listing, OfGrade, OfRegion, JoinedOn, OfSections}

var reasons = map[viewer.Audience]string{
	viewer.ForEveryone:  "Everyone sees it, also who is not signed in.",
	viewer.ForMembers:   "Current members, staff and partners who may read the directory see it.",
	viewer.ForSection:   "Who shares a specialist section with you today sees it, the committees of your sections and region, the membership office, and partners who may read the register.",
	viewer.ForCommittee: "Who serves today on the committee of one of your sections or your region sees it, the membership office, and partners who may read the register.",
	viewer.ForOffice:    "The membership office sees it, and partners who may read the register.",
	viewer.ForNobody:    "Nobody but you sees it.",
}

// ViewAs returns the own record of the member who asks as somebody of an audience sees
// it, who is nothing else; errs.NotFound if they would not find it. Who is not a member
// today is found by the office alone.
func (s *Store) ViewAs(ctx context.Context, v viewer.Viewer, a viewer.Audience) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.ViewAs(%s)", a)
	sight := viewer.As(a)
	args := pgx.StrictNamedArgs{"id": v.MemberID, "office": a == viewer.ForOffice}
	sight.Bind(args)
	t := textsFor(sight)
	m, err := pg.One[Member](ctx, s.DB, `
		SELECT`+t.columns+`
		FROM `+t.Table("")+` m
		JOIN members_own own ON own.id = m.id
		WHERE m.id = @id AND (own.is_member OR @office) AND `+t.visible, args)
	if err != nil {
		return nil, err
	}
	if a != viewer.ForNobody { // which is for oneself
		m.As, m.Revision = a, nil
	}
	return m, nil
}
