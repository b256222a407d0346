package pack

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
)

// MaxGenerated is how many members GenerateMembers makes from one seed.
const MaxGenerated = 1_000_000

// GenerateReport says what GenerateMembers did.
type GenerateReport struct {
	// Asked is how many members were asked for, Present how many of them were
	// there before, Added how many are new.
	Asked, Present, Added int
	// Memberships is how many memberships of sections the new members have, ended
	// ones included.
	Memberships int
}

// String returns the report for people, in a line.
func (r GenerateReport) String() string {
	if r.Added == 0 {
		return fmt.Sprintf("members: nothing to add, %s as they are", countOf(r.Present, "member"))
	}
	return fmt.Sprintf("members: %s added with %s of sections, %d were there",
		countOf(r.Added, "member"), countOf(r.Memberships, "membership"), r.Present)
}

// membersAtOnce is how many members go into one COPY.
const membersAtOnce = 5_000

// GenerateMembers adds n fictional members, for demos and measurements: spread
// over the regions, sections and grades there are, with audiences as different
// as people's. n is 1 to MaxGenerated.
//
// The members of a seed are always the same: the one with number i depends on
// the seed, i and the active regions and sections in their order, and on nothing
// else. So a second call adds nothing, a call with a larger n adds the rest, and
// members of two seeds stand beside each other. Their keys are "gen-<seed>-<i>",
// with i from 0.
//
// It is one transaction. progress, which may be nil, is told now and then how
// many of the n there are; what it is told counts only once GenerateMembers has
// returned without an error.
func GenerateMembers(ctx context.Context, pool *pgxpool.Pool, n int, seed uint64, progress func(done int)) (_ GenerateReport, err error) {
	defer errs.Wrap(&err, "pack.GenerateMembers")
	if n < 1 || n > MaxGenerated {
		return GenerateReport{}, errs.Invalidf("generate", "%d is out of range; pass 1 to %d", n, MaxGenerated)
	}
	if progress == nil {
		progress = func(int) {}
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return GenerateReport{}, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	g, err := newGenerator(ctx, tx, seed)
	if err != nil {
		return GenerateReport{}, err
	}
	present, report, err := g.present(ctx, tx, n)
	if err != nil {
		return GenerateReport{}, err
	}
	progress(report.Present)

	var batch []generated
	flush := func() error {
		memberships, err := copyMembers(ctx, tx, batch)
		report.Added += len(batch)
		report.Memberships += memberships
		batch = batch[:0]
		progress(report.Present + report.Added)
		return err
	}
	for i := range n {
		if present[i] {
			continue
		}
		batch = append(batch, g.member(i))
		if len(batch) == membersAtOnce {
			if err := flush(); err != nil {
				return GenerateReport{}, err
			}
		}
	}
	if len(batch) > 0 {
		if err := flush(); err != nil {
			return GenerateReport{}, err
		}
	}
	if report.Added == 0 {
		return report, nil
	}
	// The planner should know about them before the first question.
	if _, err := tx.Exec(ctx, `ANALYZE members, section_memberships, member_details, membership_stretches`); err != nil {
		return GenerateReport{}, err
	}
	if err := tx.Commit(ctx); err != nil {
		return GenerateReport{}, err
	}
	return report, nil
}

// generator makes the members of a seed.
type generator struct {
	seed              uint64
	prefix            string
	regions, sections []uuid.UUID
	towns             map[uuid.UUID][]town
}

// newGenerator reads the units, and keeps other generators out of the transaction's way.
func newGenerator(ctx context.Context, tx pgx.Tx, seed uint64) (*generator, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('pack.GenerateMembers', 0))`); err != nil {
		return nil, fmt.Errorf("wait for another run: %w", err)
	}
	g := &generator{seed: seed, prefix: "gen-" + strconv.FormatUint(seed, 10) + "-"}
	var err error
	g.regions, err = activeUnits(ctx, tx, "REGION")
	if err != nil {
		return nil, err
	}
	if len(g.regions) == 0 {
		return nil, errs.Invalidf("regions", "the database has none that members could belong to; import a content pack first")
	}
	if g.sections, err = activeUnits(ctx, tx, "SPECIALIST_SECTION"); err != nil {
		return nil, err
	}
	return g, g.readTowns(ctx, tx)
}

func activeUnits(ctx context.Context, tx pgx.Tx, kind string) ([]uuid.UUID, error) {
	return pg.Scalars[uuid.UUID](ctx, tx, `
		SELECT id
		FROM units
		WHERE kind = @kind AND dissolved_on IS NULL
		ORDER BY position`,
		pgx.StrictNamedArgs{"kind": kind})
}

// present says which of the first n members are there.
func (g *generator) present(ctx context.Context, tx pgx.Tx, n int) ([]bool, GenerateReport, error) {
	report := GenerateReport{Asked: n}
	present := make([]bool, n)
	keys, err := pg.Scalars[string](ctx, tx, `
		SELECT key
		FROM members
		WHERE starts_with(key, @prefix)`,
		pgx.StrictNamedArgs{"prefix": g.prefix})
	if err != nil {
		return nil, report, err
	}
	for _, key := range keys {
		i, err := strconv.Atoi(strings.TrimPrefix(key, g.prefix))
		if err == nil && i >= 0 && i < n && !present[i] {
			present[i] = true
			report.Present++
		}
	}
	return present, report, nil
}

// generated is a member with their memberships of sections, as rows of COPY.
type generated struct {
	row      []any
	sections [][]any
	details  [][]any
}

var memberColumns = []string{
	"id", "key", "display_name", "sort_name", "pronouns", "headline", "bio", "grade", "region_id", "joined_on",
	"listing_audience", "pronouns_audience", "headline_audience", "bio_audience", "grade_audience",
	"region_audience", "joined_on_audience", "sections_audience",
}

func copyMembers(ctx context.Context, tx pgx.Tx, batch []generated) (memberships int, err error) {
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"members"}, memberColumns,
		pgx.CopyFromSlice(len(batch), func(i int) ([]any, error) { return batch[i].row, nil }))
	if err != nil {
		return 0, err
	}
	var rows, details [][]any
	for _, m := range batch {
		rows, details = append(rows, m.sections...), append(details, m.details...)
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"member_details"}, detailColumns, pgx.CopyFromRows(details)); err != nil {
		return 0, err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"section_memberships"},
		[]string{"member_id", "section_id", "starts_on", "ends_on"}, pgx.CopyFromRows(rows))
	return len(rows), err
}

// The days between which generated members join, and the day by which the last
// membership that ended has ended.
var (
	joinedFirst = day(1990, time.January, 1)
	joinedLast  = day(2025, time.June, 30)
	endedLast   = day(2025, time.September, 30)
)

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// member makes the member with number i.
func (g *generator) member(i int) generated {
	d := newDice(g.seed, uint64(i))
	key := g.prefix + strconv.Itoa(i)
	id := node.Keyed("member", key)
	first, family := firstNames[d.below(len(firstNames))], familyNames[d.below(len(familyNames))]
	if d.chance(4) {
		family += "-" + familyNames[d.below(len(familyNames))]
	}
	grade := grades[d.weighted(gradeWeights)]

	earliest, latest := joinedFirst, joinedLast
	switch grade {
	case "STUDENT":
		earliest = day(2021, time.September, 1)
	case "RETIRED":
		latest = day(2004, time.December, 31)
	}
	joined := d.day(earliest, latest)

	var region *uuid.UUID
	if grade != "OVERSEAS" {
		region = &g.regions[d.skewed(len(g.regions))]
	}
	setting := settings[d.below(len(settings))]
	row := []any{
		id, key, first + " " + family, family + ", " + first,
		d.maybe(55, pronouns[d.weighted(pronounWeights)]),
		d.maybe(80, headlineOf(grade, setting)),
		d.maybe(60, bioOf(&d, first, setting, joined)),
		grade, region, joined,
		audiences[d.weighted(listingWeights)],
	}
	for range 7 {
		row = append(row, audiences[d.weighted(fieldWeights)])
	}
	return generated{row: row, sections: g.memberships(&d, id, joined), details: g.generatedDetails(i, id, first, family, region)}
}

// memberships draws up to three sections, an average of 1.5.
func (g *generator) memberships(d *dice, member uuid.UUID, joined time.Time) [][]any {
	n := min(d.weighted([]int{18, 34, 28, 20}), len(g.sections))
	rows := make([][]any, 0, n)
	taken := make(map[int]bool, n)
	for range n {
		s := d.skewed(len(g.sections))
		for taken[s] {
			s = (s + 1) % len(g.sections)
		}
		taken[s] = true
		starts := d.day(joined, joinedLast)
		var ends *time.Time
		if d.chance(18) {
			if e := d.day(starts.AddDate(0, 1, 0), starts.AddDate(8, 0, 0)); !e.After(endedLast) {
				ends = &e
			}
		}
		rows = append(rows, []any{member, g.sections[s], starts, ends})
	}
	return rows
}

// dice are random numbers that only a seed and a number decide (SplitMix64, by
// Steele, Lea and Flood), the same in every version of Go.
type dice uint64

func newDice(seed, i uint64) dice {
	d := dice(seed)
	d = dice(d.next() ^ (i * 0xd1342543de82ef95))
	d.next()
	return d
}

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1.
func (d *dice) below(n int) int {
	high, _ := bits.Mul64(d.next(), uint64(n))
	return int(high)
}

// skewed returns a number from 0 to n-1, a low one more often than a high one,
// since no two units are of one size.
func (d *dice) skewed(n int) int {
	a, b := d.below(n), d.below(n)
	if d.chance(50) {
		return a
	}
	return min(a, b)
}

// chance is true in so many of 100 cases.
func (d *dice) chance(percent int) bool { return d.below(100) < percent }

// weighted returns an index, each as often as its weight says.
func (d *dice) weighted(weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at := d.below(sum)
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	panic("unreachable: at is below the sum of the weights")
}

// maybe returns text in so many of 100 cases, else nil.
func (d *dice) maybe(percent int, text string) *string {
	if !d.chance(percent) {
		return nil
	}
	return &text
}

// day returns a day, both ends included.
func (d *dice) day(first, last time.Time) time.Time {
	days := int(last.Sub(first)/(24*time.Hour)) + 1
	return first.AddDate(0, 0, d.below(days))
}
