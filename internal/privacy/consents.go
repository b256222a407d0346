package privacy

import (
	"context"
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// Texts returns what members can agree to, in the words of today.
func (s *Store) Texts(ctx context.Context) (_ []*ConsentText, err error) {
	defer errs.Wrap(&err, "privacy.Texts")
	return pg.All[ConsentText](ctx, s.DB, `
		SELECT DISTINCT ON (c.purpose)
			c.purpose,
			c.version,
			c.title,
			c.text,
			c.published_at
		FROM consent_texts c
		ORDER BY c.purpose, c.version DESC`)
}

// Consents returns what members decided, each purpose once, also those that they
// never decided on. The viewer sees their own, and those of everyone if they may read
// the register; of others there is nothing in the map.
func (s *Store) Consents(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*Consent, err error) {
	defer errs.Wrap(&err, "privacy.Consents(%d)", len(members))
	type row struct {
		MemberID uuid.UUID
		Purpose  string
		Version  int
		Title    string
		Text     string
		Given    bool
		All      []*Decision
	}
	if len(members) == 0 || v.MemberID == uuid.Nil && !v.May(viewer.ReadRegister) {
		return nil, nil
	}
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT
			m.id AS member_id,
			t.purpose,
			t.version,
			t.title,
			t.text,
			COALESCE(d.given, false) AS given,
			COALESCE(d.decisions, '[]') AS "all"
		FROM members m
		CROSS JOIN (
			SELECT DISTINCT ON (c.purpose) c.purpose, c.version, c.title, c.text
			FROM consent_texts c
			ORDER BY c.purpose, c.version DESC
		) t
		LEFT JOIN LATERAL (
			SELECT
				(array_agg(c.given ORDER BY c.decided_at DESC, c.id DESC))[1] AS given,
				jsonb_agg(jsonb_build_object('given', c.given, 'version', c.version, 'decided_at', c.decided_at)
					ORDER BY c.decided_at DESC, c.id DESC) AS decisions
			FROM consents c
			WHERE c.member_id = m.id AND c.purpose = t.purpose
		) d ON true
		WHERE m.id = ANY(@members) AND (m.id = @own OR @register)
		ORDER BY m.id, t.purpose`,
		pgx.StrictNamedArgs{"members": members, "own": v.MemberID, "register": v.May(viewer.ReadRegister)})
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, rows, func(r *row) *uuid.UUID { return &r.MemberID }, reads.Consents)
	of := map[uuid.UUID][]*Consent{}
	for _, r := range rows {
		of[r.MemberID] = append(of[r.MemberID], &Consent{
			Purpose: r.Purpose, Version: r.Version, Title: r.Title, Text: r.Text, Given: r.Given, Decisions: r.All,
		})
	}
	return of, nil
}

// Give writes down that the viewer agrees to a text, which must be that of today:
// ErrOldText. Agreeing again changes nothing.
func (s *Store) Give(ctx context.Context, v viewer.Viewer, purpose string, version int) (_ *Consent, err error) {
	defer errs.Wrap(&err, "privacy.Give(%.70q)", purpose)
	return s.decide(ctx, v, purpose, version, true)
}

// Withdraw writes down that the viewer no longer agrees to a purpose. What was never
// given needs no withdrawing.
func (s *Store) Withdraw(ctx context.Context, v viewer.Viewer, purpose string) (_ *Consent, err error) {
	defer errs.Wrap(&err, "privacy.Withdraw(%.70q)", purpose)
	return s.decide(ctx, v, purpose, 0, false)
}

func (s *Store) decide(ctx context.Context, v viewer.Viewer, purpose string, version int, given bool) (*Consent, error) {
	type row struct {
		Today   int
		Last    *int
		Written *int
	}
	// A decision is about the text that was agreed to, and a withdrawal about the same.
	r, err := pg.One[row](ctx, s.DB, `
		WITH today AS (
			SELECT max(t.version) AS version FROM consent_texts t WHERE t.purpose = @purpose HAVING max(t.version) IS NOT NULL
		), last AS (
			SELECT c.version, c.given
			FROM consents c
			WHERE c.member_id = @member AND c.purpose = @purpose
			ORDER BY c.decided_at DESC, c.id DESC
			LIMIT 1
		), written AS (
			INSERT INTO consents (id, member_id, purpose, version, given)
			SELECT @id, @member, @purpose, CASE WHEN @given THEN today.version ELSE last.version END, @given
			FROM today
			LEFT JOIN last ON true
			WHERE CASE WHEN @given
				THEN today.version = @version AND (last.given IS NOT TRUE OR last.version <> @version)
				ELSE last.given
			END
			RETURNING version
		)
		SELECT
			today.version AS today,
			last.version AS last,
			(SELECT w.version FROM written w) AS written
		FROM today
		LEFT JOIN last ON true`,
		pgx.StrictNamedArgs{
			"id": uuid.Must(uuid.NewV7()), "member": v.MemberID, "purpose": purpose, "version": version, "given": given,
		})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Invalidf("input.purpose", "%.70q is no purpose; consentTexts has them all", purpose)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case given && version > r.Today || given && version < 1:
		return nil, errs.Invalidf("input.version", "there is no version %d; the words of today are version %d", version, r.Today)
	case given && version < r.Today:
		return nil, ErrOldText
	}
	of, err := s.Consents(ctx, v, []uuid.UUID{v.MemberID})
	if err != nil {
		return nil, err
	}
	for _, c := range of[v.MemberID] {
		if c.Purpose == purpose {
			return c, nil
		}
	}
	return nil, errs.NotFound
}

// Words are those of a text that members can agree to, and after which version they
// come: 0 for a new purpose.
type Words struct {
	Purpose     string
	After       int
	Title, Text string
}

// Publish adds a version of a text, or a purpose. Whoever agreed to the one before is
// asked again. The same words again are the version that they are; words after a
// version that is not the last are errs.Conflict.
func (s *Store) Publish(ctx context.Context, in Words) (_ *ConsentText, err error) {
	defer errs.Wrap(&err, "privacy.Publish(%.70q)", in.Purpose)
	for _, f := range []struct {
		path string
		text *string
		most int
	}{{"input.title", &in.Title, 200}, {"input.text", &in.Text, 10_000}} {
		*f.text = strings.TrimSpace(*f.text)
		if n := utf8.RuneCountInString(*f.text); n < 1 || n > f.most || strings.ContainsRune(*f.text, 0) {
			return nil, errs.Invalidf(f.path, "pass 1 to %d characters; there are %d", f.most, n)
		}
	}
	stale := errs.Sayf(errs.Conflict, "input.after", "version %d is not the last one of this purpose; read consentTexts again, and pass 0 for a new purpose", in.After)
	if in.After < 0 || in.After >= math.MaxInt32 {
		return nil, stale
	}
	published, err := pg.One[ConsentText](ctx, s.DB, `
		WITH last AS (
			SELECT COALESCE(max(t.version), 0) AS version FROM consent_texts t WHERE t.purpose = @purpose
		), published AS (
			INSERT INTO consent_texts (purpose, version, title, text)
			SELECT @purpose, last.version + 1, @title, @text FROM last WHERE last.version = @after
			RETURNING *
		)
		SELECT p.purpose, p.version, p.title, p.text, p.published_at FROM published p
		UNION ALL
		SELECT t.purpose, t.version, t.title, t.text, t.published_at
		FROM consent_texts t
		JOIN last ON last.version = t.version
		WHERE t.purpose = @purpose AND t.version = @after::integer + 1 AND t.title = @title AND t.text = @text`,
		pgx.StrictNamedArgs{"purpose": in.Purpose, "after": in.After, "title": in.Title, "text": in.Text})
	switch c := pg.Constraint(err); {
	case c == "consent_texts_purpose_form":
		return nil, errs.Invalidf("input.purpose", "%.70q is no name of a purpose; write it as EVENT_NEWS", in.Purpose)
	case c == "consent_texts_pkey", errors.Is(err, errs.NotFound):
		return nil, stale
	}
	return published, err
}
