package member

import (
	"math"
	"strconv"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// Near is a circle on the earth.
type Near struct {
	Latitude, Longitude float64
	WithinKm            float64
}

// maxWithin bounds the circle, in kilometres.
const maxWithin = 500

// degree is how many kilometres a degree of latitude has, at least.
const degree = 110.5

func (n *Near) validate() error {
	for _, is := range []struct {
		field       string
		value, most float64
	}{{"latitude", n.Latitude, 90}, {"longitude", n.Longitude, 180}} {
		if !(math.Abs(is.value) <= is.most) {
			return errs.Invalidf("filter.near."+is.field, "%g is out of range; pass -%g to %g", is.value, is.most, is.most)
		}
	}
	if !(n.WithinKm > 0 && n.WithinKm <= maxWithin) {
		return errs.Invalidf("filter.near.withinKm", "%g is out of range; pass more than 0 and at most %d", n.WithinKm, maxWithin)
	}
	return nil
}

// bind adds the arguments of places and inCircle: the circle, and a box around it
// for the index.
func (n *Near) bind(args map[string]any) {
	south, north := n.Latitude-n.WithinKm/degree, n.Latitude+n.WithinKm/degree
	west, east := -180.0, 180.0
	if far := max(math.Abs(south), math.Abs(north)); far < 89 {
		if w := n.WithinKm / (degree * math.Cos(far*math.Pi/180)); n.Longitude-w >= -180 && n.Longitude+w <= 180 {
			west, east = n.Longitude-w, n.Longitude+w
		}
	}
	args["latitude"], args["longitude"], args["within_km"] = n.Latitude, n.Longitude, n.WithinKm
	args["south"], args["north"], args["west"], args["east"] = south, north, west, east
}

// The distance is that of the rounded place, on a sphere, in tenths of a kilometre:
// it tells no more than the place itself, which the field shows.
const (
	places = `(
		SELECT
			d.member_id,
			d.audience,
			round(20 * 6371.0088 * asin(least(1, sqrt(
				sin(radians(d.latitude - @latitude) / 2) ^ 2
				+ cos(radians(@latitude)) * cos(radians(d.latitude)) * sin(radians(d.longitude - @longitude) / 2) ^ 2
			))))::int AS distance
		FROM practices_between(@south, @north, @west, @east) d
	)`
)

// inCircle is the condition that the viewer sees that m practises in the circle.
func (t *texts) inCircle() string {
	return ` AND m.id IN (SELECT d.member_id FROM ` + places + ` d WHERE d.distance <= 10 * @within_km::float8)` + t.showsDetail(OfPractice)
}

// byDistances is how the nearest come first.
var byDistances = pg.Sort{
	After:    `(d.distance, m.sort_name COLLATE "und-x-icu", m.id) > (@after_distance, @after_name, @after_id::uuid)`,
	Before:   `(d.distance, m.sort_name COLLATE "und-x-icu", m.id) < (@before_distance, @before_name, @before_id::uuid)`,
	Forward:  `d.distance, m.sort_name COLLATE "und-x-icu", m.id`,
	Backward: `d.distance DESC, m.sort_name COLLATE "und-x-icu" DESC, m.id DESC`,
}

// nearest returns the SELECT of a page of those in the circle. What they show is read
// of those alone who stand on it.
func (l *list) nearest(k page.Keyset) string {
	return `
		SELECT` + l.selected() + `,
			d.distance
		FROM (` + pg.Paged(`
			SELECT
				m.id,
				m.sort_name,
				d.distance
			FROM `+places+` d
			JOIN `+l.table()+` m ON m.id = d.member_id
			WHERE d.distance <= 10 * @within_km::float8 AND `+l.Shows(`d.audience`)+` AND `+l.visible+l.within()+
		byDistances.Bounds(k)+byDistances.OrderBy(k)) + `
		) d
		JOIN ` + l.Table("") + ` m ON m.id = d.id` + byDistances.OrderBy(k)
}

// nearby is a member with the distance in tenths of a kilometre.
type nearby struct {
	Member
	Distance int
}

func distanceKey(m *Member) []string {
	return []string{strconv.Itoa(int(math.Round(*m.DistanceKm * 10))), m.SortName, m.ID.String()}
}

// nearestKeys binds the cursors of a page of the nearest.
func bindDistances(args map[string]any, k page.Keyset) error {
	return pg.EachCursor(k, func(name string, key []string) error {
		distance, err := strconv.ParseInt(key[0], 10, 32)
		if err != nil {
			return notACursor(name)
		}
		id, err := uuid.Parse(key[2])
		if err != nil {
			return notACursor(name)
		}
		args[name+"_distance"], args[name+"_name"], args[name+"_id"] = distance, key[1], id
		return nil
	})
}
