package pack

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/node"
)

// blockID returns the ID of the block at a position of a page.
func blockID(page Key, position int) uuid.UUID {
	return node.Keyed("block", string(page)+"#"+strconv.Itoa(position))
}

// unitID returns the ID of the section or region with a slug, nil for "".
func (im *importer) unitID(kind entryKind, slug Slug) any {
	if slug == "" {
		return nil
	}
	if im.units == nil {
		im.units = im.pack.unitsBySlug()
	}
	return im.have.id("entry", string(im.units[unitID{kind, slug}].entry))
}

// memberID returns the ID of a person of the pack, nil for "".
func (im *importer) memberID(key Slug) any {
	if key == "" {
		return nil
	}
	return im.have.id("member", personKey(key))
}

func (im *importer) writeUnits(ctx context.Context) error {
	var rows []row
	for _, u := range im.pack.units {
		if !im.differs(unitKind, string(u.entry)) {
			continue
		}
		names := u.LocalNames
		if names == nil {
			names = map[string]Line{}
		}
		rows = append(rows, row{
			"id": im.have.id("entry", string(u.entry)), "kind": u.kind, "slug": u.Slug, "aliases": append([]Slug{}, u.Aliases...), "name": u.Name,
			"short_name": u.ShortName, "position": u.position, "nation": null(u.Nation), "local_names": names,
			"established_on": null(u.EstablishedOn), "dissolved_on": null(u.DissolvedOn), "successor_id": im.unitID(u.kind, u.Successor),
		})
	}
	return im.write(ctx, `
		INSERT INTO units (
			id,
			kind,
			slug,
			aliases,
			name,
			short_name,
			position,
			nation,
			local_names,
			established_on,
			dissolved_on,
			successor_id
		)
		SELECT
			r.id,
			r.kind,
			r.slug,
			r.aliases,
			r.name,
			r.short_name,
			r.position,
			r.nation,
			r.local_names,
			r.established_on,
			r.dissolved_on,
			r.successor_id
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			kind text,
			slug text,
			aliases text[],
			name text,
			short_name text,
			position integer,
			nation text,
			local_names jsonb,
			established_on date,
			dissolved_on date,
			successor_id uuid
		)
		ON CONFLICT (id) DO UPDATE SET
			kind = EXCLUDED.kind,
			slug = EXCLUDED.slug,
			aliases = EXCLUDED.aliases,
			name = EXCLUDED.name,
			short_name = EXCLUDED.short_name,
			position = EXCLUDED.position,
			nation = EXCLUDED.nation,
			local_names = EXCLUDED.local_names,
			established_on = EXCLUDED.established_on,
			dissolved_on = EXCLUDED.dissolved_on,
			successor_id = EXCLUDED.successor_id`, rows)
}

func (im *importer) writePeople(ctx context.Context) error {
	var rows, spans []row
	var written []uuid.UUID
	for _, p := range im.pack.people {
		if !im.differs(personKind, string(p.Key)) {
			continue
		}
		id := im.have.id("member", personKey(p.Key))
		written = append(written, id)
		a := p.Audiences
		rows = append(rows, row{
			"id": id, "key": personKey(p.Key), "display_name": p.DisplayName, "sort_name": p.SortName, "pronouns": null(p.Pronouns),
			"headline": null(p.Headline), "bio": null(p.Bio), "grade": p.Grade, "region_id": im.unitID("REGION", p.Region), "joined_on": p.JoinedOn,
			"listing_audience": a.Listing, "pronouns_audience": a.Pronouns, "headline_audience": a.Headline, "bio_audience": a.Bio,
			"grade_audience": a.Grade, "region_audience": a.Region, "joined_on_audience": a.JoinedOn, "sections_audience": a.Sections,
		})
		for _, m := range p.Sections {
			spans = append(spans, row{
				"member_id": id, "section_id": im.unitID("SPECIALIST_SECTION", m.Section), "starts_on": m.From, "ends_on": null(m.To),
			})
		}
	}
	if err := im.write(ctx, `
		INSERT INTO members (
			id,
			key,
			display_name,
			sort_name,
			pronouns,
			headline,
			bio,
			grade,
			region_id,
			joined_on,
			listing_audience,
			pronouns_audience,
			headline_audience,
			bio_audience,
			grade_audience,
			region_audience,
			joined_on_audience,
			sections_audience
		)
		SELECT
			r.id,
			r.key,
			r.display_name,
			r.sort_name,
			r.pronouns,
			r.headline,
			r.bio,
			r.grade,
			r.region_id,
			r.joined_on,
			r.listing_audience,
			r.pronouns_audience,
			r.headline_audience,
			r.bio_audience,
			r.grade_audience,
			r.region_audience,
			r.joined_on_audience,
			r.sections_audience
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			key text,
			display_name text,
			sort_name text,
			pronouns text,
			headline text,
			bio text,
			grade text,
			region_id uuid,
			joined_on date,
			listing_audience text,
			pronouns_audience text,
			headline_audience text,
			bio_audience text,
			grade_audience text,
			region_audience text,
			joined_on_audience text,
			sections_audience text
		)
		ON CONFLICT (id) DO UPDATE SET
			display_name = EXCLUDED.display_name,
			sort_name = EXCLUDED.sort_name,
			pronouns = EXCLUDED.pronouns,
			headline = EXCLUDED.headline,
			bio = EXCLUDED.bio,
			grade = EXCLUDED.grade,
			region_id = EXCLUDED.region_id,
			joined_on = EXCLUDED.joined_on,
			listing_audience = EXCLUDED.listing_audience,
			pronouns_audience = EXCLUDED.pronouns_audience,
			headline_audience = EXCLUDED.headline_audience,
			bio_audience = EXCLUDED.bio_audience,
			grade_audience = EXCLUDED.grade_audience,
			region_audience = EXCLUDED.region_audience,
			joined_on_audience = EXCLUDED.joined_on_audience,
			sections_audience = EXCLUDED.sections_audience`, rows); err != nil {
		return err
	}
	for part := range slices.Chunk(written, rowsAtOnce) {
		if _, err := im.tx.Exec(ctx, `DELETE FROM section_memberships WHERE member_id = ANY(@members)`, pgx.StrictNamedArgs{"members": part}); err != nil {
			return err
		}
	}
	return im.write(ctx, `
		INSERT INTO section_memberships (
			member_id,
			section_id,
			starts_on,
			ends_on
		)
		SELECT
			r.member_id,
			r.section_id,
			r.starts_on,
			r.ends_on
		FROM json_to_recordset(@rows::json) AS r(
			member_id uuid,
			section_id uuid,
			starts_on date,
			ends_on date
		)`, spans)
}

func (im *importer) writeCommittees(ctx context.Context) error {
	var committees, posts, terms []row
	for _, c := range im.pack.committees {
		id := im.have.id("committee", string(c.Key))
		if im.differs(committeeKind, string(c.Key)) {
			r := row{"id": id, "key": c.Key, "slug": c.Slug, "name": c.Name, "unit_id": nil}
			if u, ok := c.unit(); ok {
				r["unit_id"] = im.unitID(u.kind, u.slug)
			}
			committees = append(committees, r)
		}
		for _, p := range c.Posts {
			post := im.have.id("post", string(p.Key))
			if im.differs(postKind, string(p.Key)) {
				posts = append(posts, row{"id": post, "key": p.Key, "committee_id": id, "title": p.Title, "seats": p.Seats, "position": p.position})
			}
			for _, t := range p.Terms {
				if im.differs(termKind, string(t.Key)) {
					terms = append(terms, row{
						"id": im.have.id("term", string(t.Key)), "key": t.Key, "post_id": post, "member_id": im.memberID(t.Member),
						"starts_on": t.From, "ends_on": null(t.To),
					})
				}
			}
		}
	}
	if err := im.write(ctx, `
		INSERT INTO committees (
			id,
			key,
			slug,
			name,
			unit_id
		)
		SELECT
			r.id,
			r.key,
			r.slug,
			r.name,
			r.unit_id
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			key text,
			slug text,
			name text,
			unit_id uuid
		)
		ON CONFLICT (id) DO UPDATE SET
			slug = EXCLUDED.slug,
			name = EXCLUDED.name,
			unit_id = EXCLUDED.unit_id`, committees); err != nil {
		return err
	}
	if err := im.write(ctx, `
		INSERT INTO posts (
			id,
			key,
			committee_id,
			title,
			seats,
			position
		)
		SELECT
			r.id,
			r.key,
			r.committee_id,
			r.title,
			r.seats,
			r.position
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			key text,
			committee_id uuid,
			title text,
			seats integer,
			position integer
		)
		ON CONFLICT (id) DO UPDATE SET
			committee_id = EXCLUDED.committee_id,
			title = EXCLUDED.title,
			seats = EXCLUDED.seats,
			position = EXCLUDED.position`, posts); err != nil {
		return err
	}
	return im.write(ctx, `
		INSERT INTO terms (
			id,
			key,
			post_id,
			member_id,
			starts_on,
			ends_on
		)
		SELECT
			r.id,
			r.key,
			r.post_id,
			r.member_id,
			r.starts_on,
			r.ends_on
		FROM json_to_recordset(@rows::json) AS r(
			id uuid,
			key text,
			post_id uuid,
			member_id uuid,
			starts_on date,
			ends_on date
		)
		ON CONFLICT (id) DO UPDATE SET
			post_id = EXCLUDED.post_id,
			member_id = EXCLUDED.member_id,
			starts_on = EXCLUDED.starts_on,
			ends_on = EXCLUDED.ends_on`, terms)
}

func (im *importer) writeCareers(ctx context.Context) error {
	var levels, studies []row
	for _, l := range im.pack.levels {
		if im.differs(levelKind, string(l.Level)) {
			levels = append(levels, row{"level": l.Level, "title": l.Title, "position": l.position})
		}
	}
	for _, c := range im.pack.caseStudies {
		if !im.differs(caseStudyKind, string(c.Key)) {
			continue
		}
		r := row{
			"entry_id": im.have.id("entry", string(c.Key)), "person": c.Person, "headline": c.Headline, "level": c.Level, "level_label": c.LevelLabel,
			"setting": null(c.Setting), "document_id": nil, "member_id": im.memberID(c.Member),
			"section_id": im.unitID("SPECIALIST_SECTION", c.Section), "region_id": im.unitID("REGION", c.Region), "consent_on": null(c.ConsentOn),
		}
		if c.Document != "" {
			r["document_id"] = im.have.id("entry", string(c.Document))
		}
		studies = append(studies, r)
	}
	if err := im.write(ctx, `
		INSERT INTO career_levels (level, title, position)
		SELECT
			r.level,
			r.title,
			r.position
		FROM json_to_recordset(@rows::json) AS r(level text, title text, position integer)
		ON CONFLICT (level) DO UPDATE SET
			title = EXCLUDED.title,
			position = EXCLUDED.position`, levels); err != nil {
		return err
	}
	return im.write(ctx, `
		INSERT INTO case_studies (
			entry_id,
			person,
			headline,
			level,
			level_label,
			setting,
			document_id,
			member_id,
			section_id,
			region_id,
			consent_on
		)
		SELECT
			r.entry_id,
			r.person,
			r.headline,
			r.level,
			r.level_label,
			r.setting,
			r.document_id,
			r.member_id,
			r.section_id,
			r.region_id,
			r.consent_on
		FROM json_to_recordset(@rows::json) AS r(
			entry_id uuid,
			person text,
			headline text,
			level text,
			level_label text,
			setting text,
			document_id uuid,
			member_id uuid,
			section_id uuid,
			region_id uuid,
			consent_on date
		)
		ON CONFLICT (entry_id) DO UPDATE SET
			person = EXCLUDED.person,
			headline = EXCLUDED.headline,
			level = EXCLUDED.level,
			level_label = EXCLUDED.level_label,
			setting = EXCLUDED.setting,
			document_id = EXCLUDED.document_id,
			member_id = EXCLUDED.member_id,
			section_id = EXCLUDED.section_id,
			region_id = EXCLUDED.region_id,
			consent_on = EXCLUDED.consent_on`, studies)
}
