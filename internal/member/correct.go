package member

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Correction is what the office corrects of a member. What is nil stays.
type Correction struct {
	Member      uuid.UUID
	DisplayName *string
	// SortName is made of the display name if only that is given.
	SortName *string
	// Region is a slug or an ID; empty for none.
	Region *string
}

// Correct corrects the names and the region of a member, for viewer.ManageRegister.
func (s *Store) Correct(ctx context.Context, v viewer.Viewer, c Correction) (err error) {
	defer errs.Wrap(&err, "member.Correct(%s)", c.Member)
	if !v.May(viewer.ManageRegister) {
		return errs.Forbidden
	}
	if c.DisplayName == nil && c.SortName == nil && c.Region == nil {
		return errs.Invalidf("input", "pass displayName, sortName or region")
	}
	if c.DisplayName != nil {
		name, err := person.Name("input.displayName", *c.DisplayName)
		if err != nil {
			return err
		}
		sorted := person.SortName(name)
		c.DisplayName = &name
		if c.SortName == nil {
			c.SortName = &sorted
		}
	}
	if c.SortName != nil {
		sorted, err := person.Name("input.sortName", *c.SortName)
		if err != nil {
			return err
		}
		c.SortName = &sorted
	}
	region, err := s.regionNamed(ctx, v, c.Region)
	if err != nil {
		return err
	}
	corrected, err := s.DB.Exec(ctx, `
		UPDATE members_office m
		SET
			display_name = COALESCE(@name, m.display_name),
			sort_name = COALESCE(@sort_name, m.sort_name),
			region_id = CASE WHEN @has_region THEN @region ELSE m.region_id END
		WHERE m.id = @id`,
		pgx.StrictNamedArgs{"id": c.Member, "name": c.DisplayName, "sort_name": c.SortName, "has_region": c.Region != nil, "region": region})
	if pg.Constraint(err) == "members_sort_name_shows_no_more" {
		return errs.Invalidf("input.sortName", "it has a word that the display name has not; pass the same words in another order, as \"Lovelace, Ada\"")
	}
	if err == nil && corrected.RowsAffected() == 0 {
		return errs.Invalidf("input.member", "there is no such member")
	}
	return err
}

// regionNamed returns the region of a slug, also an earlier one, or of an ID; nil if none is
// asked for, or if the text is empty. It is bad input if there is no such region that
// the viewer may know of, or if it was dissolved.
func (s *Store) regionNamed(ctx context.Context, v viewer.Viewer, name *string) (*uuid.UUID, error) {
	const path = "input.region"
	if name == nil || strings.TrimSpace(*name) == "" {
		return nil, nil
	}
	asked := strings.TrimSpace(*name)
	noSuch := errs.Invalidf(path, "there is no region %.70q; pass the slug or the ID of one that regions lists", asked)
	if strings.ContainsRune(asked, 0) {
		return nil, noSuch
	}
	args := pgx.StrictNamedArgs{"region": asked, "id": nil, "reach": v.Reach()}
	if id, err := node.ParseOf(path, "Region", asked); err == nil {
		args["id"] = id
	}
	type row struct {
		ID        uuid.UUID
		Dissolved bool
	}
	region, err := pg.One[row](ctx, s.DB, `
		SELECT u.id, COALESCE(u.dissolved_on < CURRENT_DATE, false) AS dissolved`+named+`
			AND u.kind = 'REGION' AND (u.id = @id::uuid OR u.slug = lower(@region) OR u.aliases @> ARRAY[lower(@region)])
		ORDER BY u.slug = lower(@region) DESC, u.position
		LIMIT 1`, args)
	switch {
	case errors.Is(err, errs.NotFound):
		return nil, noSuch
	case err != nil:
		return nil, err
	case region.Dissolved:
		return nil, errs.Invalidf(path, "the region was dissolved; pass one that regions lists as active")
	}
	return &region.ID, nil
}
