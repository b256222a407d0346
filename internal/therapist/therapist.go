// Package therapist knows who can be found as a therapist: by what is recorded of
// them on the day that somebody looks, and by nothing that is stored.
package therapist

import (
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// Reason is what keeps somebody from being found.
type Reason string

// The reasons.
const (
	NotWilling       Reason = "NOT_WILLING"
	NoMember         Reason = "NO_MEMBER"
	NotPractising    Reason = "NOT_PRACTISING"
	NotRegistered    Reason = "NOT_REGISTERED"
	InNoSection      Reason = "IN_NO_SECTION"
	NotInsured       Reason = "NOT_INSURED"
	NameNotPublic    Reason = "NAME_NOT_PUBLIC"
	NoPublicPractice Reason = "NO_PUBLIC_PRACTICE"
)

// Listing says whether a member is found today.
type Listing struct {
	MemberID uuid.UUID
	// Reasons are all that keep them from it.
	Reasons []Reason
}

// Eligible says whether they are found.
func (l *Listing) Eligible() bool { return len(l.Reasons) == 0 }

// Found is a member who is found near a place.
type Found struct {
	MemberID uuid.UUID
	// Distance is in tenths of a kilometre.
	Distance int
}

// DistanceKm is how far away the practice is.
func (f *Found) DistanceKm() float64 { return float64(f.Distance) / 10 }

// Edge is one of those who are found, and Connection a page of them.
type (
	Edge       = page.Edge[*Found]
	Connection = page.Connection[*Found]
)

// Near is a circle on the earth.
type Near struct {
	Latitude, Longitude, WithinKm float64
}

// maxWithin bounds the circle, in kilometres.
const maxWithin = 500

// degree is how many kilometres a degree of latitude has, at least.
const degree = 110.5

func (n Near) validate() error {
	for _, is := range []struct {
		field       string
		value, most float64
	}{{"latitude", n.Latitude, 90}, {"longitude", n.Longitude, 180}} {
		if !(math.Abs(is.value) <= is.most) {
			return errs.Invalidf("near."+is.field, "%g is out of range; pass -%g to %g", is.value, is.most, is.most)
		}
	}
	if !(n.WithinKm > 0 && n.WithinKm <= maxWithin) {
		return errs.Invalidf("near.withinKm", "%g is out of range; pass more than 0 and at most %d", n.WithinKm, maxWithin)
	}
	return nil
}

// args are the circle, and a box around it for the index.
func (n Near) args() pgx.StrictNamedArgs {
	south, north := n.Latitude-n.WithinKm/degree, n.Latitude+n.WithinKm/degree
	west, east := -180.0, 180.0
	if far := max(math.Abs(south), math.Abs(north)); far < 89 {
		if w := n.WithinKm / (degree * math.Cos(far*math.Pi/180)); n.Longitude-w >= -180 && n.Longitude+w <= 180 {
			west, east = n.Longitude-w, n.Longitude+w
		}
	}
	return pgx.StrictNamedArgs{
		"latitude": n.Latitude, "longitude": n.Longitude, "within_km": n.WithinKm,
		"south": south, "north": north, "west": west, "east": east,
	}
}

// Store reads and writes listings in the database.
type Store struct{ DB pg.Querier }

// Of returns the listing of each of the members, of those whose it is the viewer's
// business: their own, and for who may read the register everyone's.
func (s *Store) Of(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Listing, err error) {
	defer errs.Wrap(&err, "therapist.Of(%d)", len(members))
	if v.MemberID == uuid.Nil && !v.May(viewer.ReadRegister) {
		return nil, nil
	}
	rows, err := pg.All[Listing](ctx, s.DB, `
		SELECT l.member_id, l.reasons
		FROM therapist_listings_of(@members) l
		WHERE @register OR l.member_id = @me`,
		pgx.StrictNamedArgs{"members": members, "register": v.May(viewer.ReadRegister), "me": v.MemberID})
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, rows, func(l *Listing) *uuid.UUID { return &l.MemberID }, reads.Listing)
	return pg.ByKey(rows, func(l *Listing) uuid.UUID { return l.MemberID }), nil
}

// SetWilling says whether the viewer is willing to be found, and returns the listing
// as it is then.
func (s *Store) SetWilling(ctx context.Context, v viewer.Viewer, willing bool) (_ *Listing, err error) {
	defer errs.Wrap(&err, "therapist.SetWilling")
	if v.MemberID == uuid.Nil {
		return nil, errs.Forbidden
	}
	statement := `DELETE FROM therapist_listings WHERE member_id = @me`
	if willing {
		statement = `INSERT INTO therapist_listings (member_id) VALUES (@me) ON CONFLICT (member_id) DO NOTHING`
	}
	if _, err := s.DB.Exec(ctx, statement, pgx.StrictNamedArgs{"me": v.MemberID}); err != nil {
		return nil, err
	}
	of, err := s.Of(ctx, v, []uuid.UUID{v.MemberID})
	return of[v.MemberID], err
}

var byDistance = pg.Sort{
	After:    `(t.distance, t.member_id) > (@after_distance, @after_id::uuid)`,
	Before:   `(t.distance, t.member_id) < (@before_distance, @before_id::uuid)`,
	Forward:  `t.distance, t.member_id`,
	Backward: `t.distance DESC, t.member_id DESC`,
}

// Nearest returns a page of those who are found today in a circle, the nearest first;
// in a section, if its slug is given, of those who show everyone that they are in it.
func (s *Store) Nearest(ctx context.Context, near Near, section *string, args page.Args) (_ *Connection, err error) {
	defer errs.Wrap(&err, "therapist.Nearest")
	if err := near.validate(); err != nil {
		return nil, err
	}
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	params := near.args()
	params["section"], params["limit"] = section, pg.Limit(k)
	if err := pg.EachCursor(k, func(name string, key []string) error {
		distance, err := strconv.ParseInt(key[0], 10, 32)
		if err != nil {
			return errs.Invalidf(name, "this is no cursor of this list; pass one that the list returned")
		}
		id, err := uuid.Parse(key[1])
		if err != nil {
			return errs.Invalidf(name, "this is no cursor of this list; pass one that the list returned")
		}
		params[name+"_distance"], params[name+"_id"] = distance, id
		return nil
	}); err != nil {
		return nil, err
	}
	// The distance is that of the rounded place, on a sphere.
	rows, err := pg.All[Found](ctx, s.DB, pg.Paged(`
		SELECT t.member_id, t.distance
		FROM (
			SELECT
				d.member_id,
				round(20 * 6371.0088 * asin(least(1, sqrt(
					sin(radians(d.latitude - @latitude) / 2) ^ 2
					+ cos(radians(@latitude)) * cos(radians(d.latitude)) * sin(radians(d.longitude - @longitude) / 2) ^ 2
				))))::int AS distance
			FROM therapists_between(@south, @north, @west, @east, @section) d
		) t
		WHERE t.distance <= 10 * @within_km::float8`+byDistance.Bounds(k)+byDistance.OrderBy(k)), params)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && section != nil {
		known, err := pg.Scalar[bool](ctx, s.DB, `
			SELECT EXISTS (
				SELECT FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = @section AND `+viewer.Visible+`)`,
			pgx.StrictNamedArgs{"section": *section, "reach": viewer.Viewer{}.Reach()})
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, errs.Invalidf("section", "there is no such section; pass the slug of one that specialistSections lists")
		}
	}
	c := page.New(k, rows, func(f *Found) []string { return []string{strconv.Itoa(f.Distance), f.MemberID.String()} })
	return &c, nil
}
