package member

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Photo is where the photo of a member is, and how large.
type Photo struct {
	// URL is the path on this server. It is another one with each photo.
	URL           string
	Width, Height int
}

// Photo returns the photo; nil if it is not shown.
func (d Details) Photo() *Photo {
	of := d[OfPhoto]
	if of == nil || of.Value == nil || of.Width == nil {
		return nil
	}
	return &Photo{"/media/" + *of.Value, *of.Width, *of.Height}
}

// SetPhoto replaces the photo of the member who asks by a picture in base64, or in a
// data URL. Who sees it does not change.
func (s *Store) SetPhoto(ctx context.Context, v viewer.Viewer, picture string) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.SetPhoto")
	if v.MemberID == uuid.Nil {
		return nil, errs.Forbidden
	}
	p, err := readPicture(ctx, picture)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, err
	}
	return s.write(ctx, v, errs.NotFound, `
		written AS (
			-- The revision counts what stands in other rows too.
			UPDATE members_own m SET updated_at = clock_timestamp() WHERE m.id = @me RETURNING m.*, true AS shows_sections
		), detail AS (
			INSERT INTO member_details (member_id, field, value)
			SELECT w.id, 'PHOTO', 'photos/' || @id::uuid || '.jpg' FROM written w
			ON CONFLICT (member_id, field) DO UPDATE SET value = EXCLUDED.value, updated_at = now()
		), photo AS (
			INSERT INTO member_photos (member_id, id, jpeg, width, height)
			SELECT w.id, @id::uuid, @jpeg, @width, @height FROM written w
			ON CONFLICT (member_id) DO UPDATE
			SET id = EXCLUDED.id, jpeg = EXCLUDED.jpeg, width = EXCLUDED.width, height = EXCLUDED.height, uploaded_at = now()
		)`,
		pgx.StrictNamedArgs{"id": id, "jpeg": p.jpeg, "width": p.width, "height": p.height})
}

// RemovePhoto removes the photo of the member who asks, if there is one.
func (s *Store) RemovePhoto(ctx context.Context, v viewer.Viewer) (_ *Member, err error) {
	defer errs.Wrap(&err, "member.RemovePhoto")
	return s.write(ctx, v, errs.NotFound, `
		written AS (
			UPDATE members_own m SET updated_at = clock_timestamp() WHERE m.id = @me RETURNING m.*, true AS shows_sections
		), detail AS (
			UPDATE member_details d SET value = NULL, updated_at = now() FROM written w WHERE d.member_id = w.id AND d.field = 'PHOTO'
		), photo AS (
			DELETE FROM member_photos p USING written w WHERE p.member_id = w.id
		)`, pgx.StrictNamedArgs{})
}

// RemovePhotoOf removes the photo of a member, if there is one, for who keeps the
// register. Whether the member is listed makes no difference.
func (s *Store) RemovePhotoOf(ctx context.Context, v viewer.Viewer, id uuid.UUID) (err error) {
	defer errs.Wrap(&err, "member.RemovePhotoOf(%s)", id)
	if !v.May(viewer.ManageRegister) {
		return errs.Forbidden
	}
	found, err := pg.Scalar[bool](ctx, s.DB, `SELECT remove_photo_of(@id)`, pgx.StrictNamedArgs{"id": id})
	if err == nil && !found {
		return errs.Invalidf("input.member", "there is no such member")
	}
	return err
}

// PhotoFile is a photo as it is served.
type PhotoFile struct {
	JPEG, SHA256 []byte
	// Public is whether everyone sees it.
	Public bool
}

// PhotoByID returns the photo with the id in its URL, if the viewer sees it. Else it is
// errs.NotFound, whether there is one or not.
func (s *Store) PhotoByID(ctx context.Context, v viewer.Viewer, id uuid.UUID) (_ *PhotoFile, err error) {
	defer errs.Wrap(&err, "member.PhotoByID")
	sight := v.Sight()
	args := pgx.StrictNamedArgs{"id": id}
	sight.Bind(args)
	type row struct {
		PhotoFile
		MemberID uuid.UUID
		Value    string
		Private  bool
	}
	t := textsFor(sight)
	found, err := pg.One[row](ctx, s.DB, `
		SELECT
			p.jpeg,
			p.sha256,
			d.audience = 'PUBLIC' AND m.listing_audience = 'PUBLIC' AS public,
			p.member_id,
			d.value,
			d.audience <> 'PUBLIC' AS private
		FROM member_photos p
		JOIN member_details d ON d.member_id = p.member_id AND d.field = 'PHOTO' AND d.value IS NOT NULL
		JOIN `+t.Table("")+` m ON m.id = p.member_id
		WHERE p.id = @id AND `+t.visible+` AND `+sight.Shape.Shows(`d.audience`), args)
	if errors.Is(err, errs.NotFound) {
		return nil, errs.NotFound
	}
	if err != nil {
		return nil, err
	}
	noteDetails(ctx, v, []*detail{{MemberID: found.MemberID, Field: OfPhoto, Value: &found.Value, Private: found.Private}})
	return &found.PhotoFile, nil
}
