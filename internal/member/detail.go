package member

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// ProfileField is a part of a profile that has an audience of its own.
type ProfileField string

// The fields. The first of them stand with the member, the others in a row each.
const (
	Listing     ProfileField = "LISTING"
	Pronouns    ProfileField = "PRONOUNS"
	Headline    ProfileField = "HEADLINE"
	Bio         ProfileField = "BIO"
	OfGrade     ProfileField = "GRADE"
	OfRegion    ProfileField = "REGION"
	JoinedOn    ProfileField = "JOINED_ON"
	OfSections  ProfileField = "SECTIONS"
	Email       ProfileField = "EMAIL"
	Phone       ProfileField = "PHONE"
	Website     ProfileField = "WEBSITE"
	Address     ProfileField = "ADDRESS"
	OfPhoto     ProfileField = "PHOTO"
	Languages   ProfileField = "LANGUAGES"
	Specialisms ProfileField = "SPECIALISMS"
	OfPractice  ProfileField = "PRACTICE"
)

// Fields are all fields, in the order in which a profile lists them.
var Fields = []ProfileField{
	Listing, Pronouns, Headline, Bio, OfGrade, OfRegion, JoinedOn, OfSections,
	Email, Phone, Website, Address, OfPhoto, Languages, Specialisms, OfPractice,
}

// Details are the fields that stand in rows of their own, as far as they are shown.
type Details map[ProfileField]*detail

// detail is one of them.
type detail struct {
	MemberID  uuid.UUID
	Field     ProfileField
	Value     *string
	Terms     []string
	Postcode  *string
	Latitude  *float64
	Longitude *float64
	// Width and Height are those of a photo, if it was asked for.
	Width, Height *int
	// Private is that it is not for everyone.
	Private bool
}

// Contact is how to reach a member: the parts that they show.
type Contact struct {
	Email, Phone, Website, Address *string
}

// Practice is where a member practises.
type Practice struct {
	Town, Postcode *string
	// Latitude and Longitude are rounded to hundredths of a degree.
	Latitude, Longitude *float64
}

// Contact returns how to reach the member; nil if nothing of it is shown.
func (d Details) Contact() *Contact {
	c := &Contact{d.text(Email), d.text(Phone), d.text(Website), d.text(Address)}
	if *c == (Contact{}) {
		return nil
	}
	return c
}

// Practice returns where the member practises; nil if it is not shown.
func (d Details) Practice() *Practice {
	of := d[OfPractice]
	if of == nil || of.Value == nil && of.Postcode == nil && of.Latitude == nil {
		return nil
	}
	return &Practice{of.Value, of.Postcode, of.Latitude, of.Longitude}
}

// Terms returns the languages or specialisms; nil if they are not shown.
func (d Details) Terms(f ProfileField) []string {
	if of := d[f]; of != nil {
		return of.Terms
	}
	return nil
}

func (d Details) text(f ProfileField) *string {
	if of := d[f]; of != nil {
		return of.Value
	}
	return nil
}

// DetailsOf returns of each member the given fields that stand in rows of their own,
// as far as the viewer sees them: one statement, and another for a member who looks
// with the eyes of others.
func (s *Store) DetailsOf(ctx context.Context, v viewer.Viewer, members []*Member, fields ...ProfileField) (_ []Details, err error) {
	defer errs.Wrap(&err, "member.DetailsOf(%d)", len(members))
	type found struct {
		member uuid.UUID
		as     viewer.Audience
	}
	key := func(m *Member) found { return found{m.ID, m.As} }
	byMember := map[found]Details{}
	var sights []viewer.Audience
	for _, m := range members {
		if !slices.Contains(sights, m.As) {
			sights = append(sights, m.As)
		}
	}
	for _, as := range sights {
		var ids []uuid.UUID
		for _, m := range members {
			if m.As == as && byMember[key(m)] == nil {
				ids, byMember[key(m)] = append(ids, m.ID), Details{}
			}
		}
		sight := v.Sight()
		if as != "" {
			sight = viewer.As(as)
		}
		args := pgx.StrictNamedArgs{"ids": ids, "fields": fields}
		sight.Bind(args)
		photo := withoutPhoto
		if slices.Contains(fields, OfPhoto) {
			photo = withPhoto
		}
		t := textsFor(sight)
		rows, err := pg.All[detail](ctx, s.DB, `
			SELECT
				d.member_id,
				d.field,
				d.value,
				d.terms,
				d.postcode,
				d.latitude::float8 AS latitude,
				d.longitude::float8 AS longitude,`+photo.columns+`
				d.audience <> 'PUBLIC' AS private
			FROM member_details d
			JOIN `+t.Table("")+` m ON m.id = d.member_id`+photo.join+`
			WHERE d.member_id = ANY(@ids) AND d.field = ANY(@fields)
				AND `+t.visible+` AND `+sight.Shape.Shows(`d.audience`), args)
		if err != nil {
			return nil, err
		}
		if as == "" {
			noteDetails(ctx, v, rows)
		}
		for _, d := range rows {
			byMember[found{d.MemberID, as}][d.Field] = d
		}
	}
	details := make([]Details, len(members))
	for i, m := range members {
		details[i] = byMember[key(m)]
	}
	return details, nil
}

// photoTexts are the parts of the statement of details that are about photos.
type photoTexts struct{ columns, join string }

var (
	withPhoto = photoTexts{
		columns: `
				p.width,
				p.height,`,
		join: `
			LEFT JOIN member_photos p ON d.field = 'PHOTO' AND p.member_id = d.member_id`,
	}
	withoutPhoto = photoTexts{columns: `
				NULL::int AS width,
				NULL::int AS height,`}
)
