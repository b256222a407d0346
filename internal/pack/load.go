package pack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
)

// stored is the content of a database.
type stored struct {
	*Pack
	// ids are those of the rows, by kind as in node.Keyed and key.
	ids map[thingID]uuid.UUID
}

// id returns the ID of the thing with a key: that of its row, or the one that a
// new row gets.
func (s *stored) id(kind, key string) uuid.UUID {
	if id, ok := s.ids[thingID{kind, key}]; ok {
		return id
	}
	return node.Keyed(kind, key)
}

// loader reads a database.
type loader struct {
	*stored
	q pg.Querier
	// Entries, pages and units by ID, for what refers to them.
	entries map[uuid.UUID]*entry
	units   map[uuid.UUID]*unit
}

// load reads the content of a database, all in one snapshot if q is a
// transaction of that kind. Of members it reads the people of packs.
func load(ctx context.Context, q pg.Querier) (*stored, error) {
	l := &loader{
		stored:  &stored{Pack: &Pack{}, ids: map[thingID]uuid.UUID{}},
		q:       q,
		entries: map[uuid.UUID]*entry{},
		units:   map[uuid.UUID]*unit{},
	}
	for _, step := range []func(context.Context) error{
		l.loadOrganisation, l.loadEntries, l.loadUnits, l.loadPeople, l.loadCommittees, l.loadCareers, l.loadBlocks, l.loadRoutes, l.loadMenus,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l.stored, nil
}

// dateOf and momentIn return what a column holds, "" if that is NULL.
func dateOf(t *time.Time) Date {
	if t == nil {
		return ""
	}
	return Date(t.Format(time.DateOnly))
}

func momentIn(t *time.Time) Moment {
	if t == nil {
		return ""
	}
	return momentOf(*t)
}

func (l *loader) loadOrganisation(ctx context.Context) error {
	rows, err := pg.All[organisation](ctx, l.q, `
		SELECT
			name,
			short_name,
			COALESCE(charity_number, '') AS charity_number,
			COALESCE(scottish_charity_number, '') AS scottish_charity_number,
			COALESCE(scottish_charity_printed, '') AS scottish_charity_number_as_printed,
			COALESCE(company_number, '') AS company_number,
			COALESCE(vat_number, '') AS vat_number,
			NULLIF(address_lines, '{}') AS address_lines,
			COALESCE(postcode, '') AS postcode,
			COALESCE(telephone, '') AS telephone,
			COALESCE(email, '') AS email,
			COALESCE(join_call_to_action, '') AS join_call_to_action,
			COALESCE(copyright_year, 0) AS copyright_year
		FROM organisation`)
	if err != nil || len(rows) == 0 {
		return err
	}
	l.organisation = *rows[0]
	return nil
}

func (l *loader) loadEntries(ctx context.Context) error {
	type row struct {
		ID          uuid.UUID
		Key         Key
		Kind        string
		Parent      Key
		Position    int
		Slug        string
		Title       Line
		Summary     Text
		Status      status
		Access      access
		PublishedAt *time.Time
		ReviewDueOn *time.Time
		Path        Path
		SubKind     subKind

		FileName  Line
		MediaType MediaType
		ByteSize  int
		SizeLabel Line
		SHA256    SHA256
		URL       URL

		AccessibleAlternatives []Key
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			e.id,
			e.key,
			e.kind,
			COALESCE(parent.key, '') AS parent,
			e.position,
			e.slug,
			e.title,
			e.summary,
			e.status,
			e.access,
			e.published_at,
			e.review_due_on,
			COALESCE(r.path, '') AS path,
			COALESCE(p.sub_kind, 'OTHER') AS sub_kind,
			COALESCE(d.file_name, '') AS file_name,
			COALESCE(d.media_type, '') AS media_type,
			COALESCE(d.byte_size, 0) AS byte_size,
			COALESCE(d.size_label, '') AS size_label,
			COALESCE(d.sha256, '') AS sha256,
			COALESCE(d.url, '') AS url,
			(
				SELECT array_agg(alternative.key ORDER BY da.position)
				FROM document_alternatives da
				JOIN entries alternative ON alternative.id = da.alternative_id
				WHERE da.document_id = d.entry_id
			) AS accessible_alternatives
		FROM entries e
		LEFT JOIN entries parent ON parent.id = e.parent_id
		LEFT JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
		LEFT JOIN pages p ON p.entry_id = e.id
		LEFT JOIN documents d ON d.entry_id = e.id
		-- As bytes, since that is how packs are sorted.
		ORDER BY r.path COLLATE "C" NULLS LAST, e.key COLLATE "C"`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		l.ids[thingID{"entry", string(r.Key)}] = r.ID
		e := entry{
			Title: r.Title, Key: r.Key, Path: r.Path, Position: r.Position, Summary: r.Summary, Status: r.Status, Access: r.Access,
			PublishedAt: momentIn(r.PublishedAt), ReviewDueOn: dateOf(r.ReviewDueOn), slug: r.Slug, parent: r.Parent,
		}
		switch r.Kind {
		case "CASE_STUDY":
			c := &caseStudy{entry: e}
			l.caseStudies = append(l.caseStudies, c)
			l.entries[r.ID] = &c.entry
		case "DOCUMENT":
			d := &document{
				entry: e, FileName: r.FileName, MediaType: r.MediaType, ByteSize: r.ByteSize, SizeLabel: r.SizeLabel, SHA256: r.SHA256, URL: r.URL,
				AccessibleAlternatives: r.AccessibleAlternatives,
			}
			l.documents = append(l.documents, d)
			l.entries[r.ID] = &d.entry
		default:
			p := &page{entry: e, Kind: entryKind(r.Kind), SubKind: r.SubKind}
			l.pages = append(l.pages, p)
			l.entries[r.ID] = &p.entry
		}
	}
	slices.SortFunc(l.documents, func(a, b *document) int { return compareKeys(a.Key, b.Key) })
	return nil
}

func (l *loader) loadUnits(ctx context.Context) error {
	type row struct {
		ID            uuid.UUID
		Kind          entryKind
		Slug          Slug
		Aliases       []Slug
		Name          Line
		ShortName     Line
		Position      int
		Nation        nation
		LocalNames    []byte
		EstablishedOn *time.Time
		DissolvedOn   *time.Time
		Successor     Slug
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			u.id,
			u.kind,
			u.slug,
			NULLIF(u.aliases, '{}') AS aliases,
			u.name,
			u.short_name,
			u.position,
			COALESCE(u.nation, '') AS nation,
			u.local_names,
			u.established_on,
			u.dissolved_on,
			COALESCE(s.slug, '') AS successor
		FROM units u
		LEFT JOIN units s ON s.id = u.successor_id
		ORDER BY u.kind DESC, u.position`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		u := &unit{
			Slug: r.Slug, Name: r.Name, ShortName: r.ShortName, Aliases: r.Aliases, Nation: r.Nation,
			EstablishedOn: dateOf(r.EstablishedOn), DissolvedOn: dateOf(r.DissolvedOn), Successor: r.Successor, kind: r.Kind, position: r.Position,
		}
		if err := json.Unmarshal(r.LocalNames, &u.LocalNames); err != nil {
			return fmt.Errorf("local names of %s: %w", r.Slug, err)
		}
		if len(u.LocalNames) == 0 {
			u.LocalNames = nil
		}
		if e := l.entries[r.ID]; e != nil {
			u.Page, u.entry = e.Path, e.Key
		}
		l.Pack.units = append(l.Pack.units, u)
		l.units[r.ID] = u
	}
	return nil
}

func (l *loader) loadPeople(ctx context.Context) error {
	type row struct {
		ID          uuid.UUID
		Key         string
		DisplayName Line
		SortName    Line
		Pronouns    Line
		Headline    Line
		Bio         Text
		Grade       grade
		RegionID    *uuid.UUID
		JoinedOn    time.Time
		Audiences   []audience
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			id,
			key,
			display_name,
			sort_name,
			COALESCE(pronouns, '') AS pronouns,
			COALESCE(headline, '') AS headline,
			COALESCE(bio, '') AS bio,
			grade,
			region_id,
			joined_on,
			ARRAY[
				listing_audience,
				pronouns_audience,
				headline_audience,
				bio_audience,
				grade_audience,
				region_audience,
				joined_on_audience,
				sections_audience
			] AS audiences
		FROM members
		WHERE key LIKE 'person:%'
		ORDER BY key COLLATE "C"`)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*person, len(rows))
	for _, r := range rows {
		l.ids[thingID{"member", r.Key}] = r.ID
		p := &person{
			Key: Slug(r.Key[len(personPrefix):]), DisplayName: r.DisplayName, SortName: r.SortName, Pronouns: r.Pronouns, Headline: r.Headline,
			Bio: r.Bio, Grade: r.Grade, JoinedOn: dateOf(&r.JoinedOn),
			Audiences: personAudiences{
				Listing: r.Audiences[0], Pronouns: r.Audiences[1], Headline: r.Audiences[2], Bio: r.Audiences[3],
				Grade: r.Audiences[4], Region: r.Audiences[5], JoinedOn: r.Audiences[6], Sections: r.Audiences[7],
			},
		}
		if r.RegionID != nil {
			p.Region = l.units[*r.RegionID].Slug
		}
		l.people = append(l.people, p)
		byID[r.ID] = p
	}
	type span struct {
		MemberID uuid.UUID
		Section  Slug
		StartsOn time.Time
		EndsOn   *time.Time
	}
	spans, err := pg.All[span](ctx, l.q, `
		SELECT
			sm.member_id,
			u.slug AS section,
			sm.starts_on,
			sm.ends_on
		FROM section_memberships sm
		JOIN members m ON m.id = sm.member_id
		JOIN units u ON u.id = sm.section_id
		WHERE m.key LIKE 'person:%'
		ORDER BY u.slug COLLATE "C", sm.starts_on`)
	if err != nil {
		return err
	}
	for _, s := range spans {
		p := byID[s.MemberID]
		p.Sections = append(p.Sections, &membership{Section: s.Section, From: dateOf(&s.StartsOn), To: dateOf(s.EndsOn)})
	}
	return nil
}
