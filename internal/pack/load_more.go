package pack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/pg"
)

func compareKeys(a, b Key) int { return cmp.Compare(a, b) }

func (l *loader) loadCommittees(ctx context.Context) error {
	type row struct {
		ID     uuid.UUID
		Key    Key
		Slug   Slug
		Name   Line
		UnitID *uuid.UUID
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			id,
			key,
			slug,
			name,
			unit_id
		FROM committees
		ORDER BY slug COLLATE "C"`)
	if err != nil {
		return err
	}
	committees := make(map[uuid.UUID]*committee, len(rows))
	for _, r := range rows {
		l.ids[thingID{"committee", string(r.Key)}] = r.ID
		c := &committee{Slug: r.Slug, Name: r.Name, Key: r.Key}
		if r.UnitID != nil {
			if u := l.units[*r.UnitID]; u.kind == "REGION" {
				c.Region = u.Slug
			} else {
				c.Section = u.Slug
			}
		}
		l.committees = append(l.committees, c)
		committees[r.ID] = c
	}

	type postRow struct {
		ID          uuid.UUID
		Key         Key
		CommitteeID uuid.UUID
		Title       Line
		Seats       int
		Position    int
	}
	postRows, err := pg.All[postRow](ctx, l.q, `
		SELECT
			id,
			key,
			committee_id,
			title,
			seats,
			position
		FROM posts
		ORDER BY position`)
	if err != nil {
		return err
	}
	posts := make(map[uuid.UUID]*post, len(postRows))
	for _, r := range postRows {
		l.ids[thingID{"post", string(r.Key)}] = r.ID
		p := &post{Title: r.Title, Seats: r.Seats, Key: r.Key, position: r.Position}
		c := committees[r.CommitteeID]
		c.Posts = append(c.Posts, p)
		posts[r.ID] = p
	}

	type termRow struct {
		ID       uuid.UUID
		Key      Key
		PostID   uuid.UUID
		Member   string
		StartsOn time.Time
		EndsOn   *time.Time
	}
	terms, err := pg.All[termRow](ctx, l.q, `
		SELECT
			t.id,
			t.key,
			t.post_id,
			m.key AS member,
			t.starts_on,
			t.ends_on
		FROM terms t
		JOIN members m ON m.id = t.member_id
		WHERE m.key LIKE 'person:%'`)
	if err != nil {
		return err
	}
	for _, r := range terms {
		l.ids[thingID{"term", string(r.Key)}] = r.ID
		p := posts[r.PostID]
		p.Terms = append(p.Terms, &term{Member: Slug(strings.TrimPrefix(r.Member, personPrefix)), From: dateOf(&r.StartsOn), To: dateOf(r.EndsOn), Key: r.Key})
	}
	for _, p := range posts {
		slices.SortFunc(p.Terms, compareTerms)
	}
	return nil
}

func (l *loader) loadCareers(ctx context.Context) error {
	levels, err := pg.All[struct {
		Level    step
		Title    Line
		Position int
	}](ctx, l.q, `
		SELECT
			level,
			title,
			position
		FROM career_levels
		ORDER BY position`)
	if err != nil {
		return err
	}
	for _, r := range levels {
		l.levels = append(l.levels, &level{Level: r.Level, Title: r.Title, position: r.Position})
	}

	type row struct {
		Key        Key
		Person     Line
		Headline   Line
		Level      step
		LevelLabel Line
		Setting    Line
		Document   Key
		Member     string
		SectionID  *uuid.UUID
		RegionID   *uuid.UUID
		ConsentOn  *time.Time
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			e.key,
			c.person,
			c.headline,
			c.level,
			c.level_label,
			COALESCE(c.setting, '') AS setting,
			COALESCE(d.key, '') AS document,
			COALESCE(m.key, '') AS member,
			c.section_id,
			c.region_id,
			c.consent_on
		FROM case_studies c
		JOIN entries e ON e.id = c.entry_id
		LEFT JOIN entries d ON d.id = c.document_id
		LEFT JOIN members m ON m.id = c.member_id AND m.key LIKE 'person:%'`)
	if err != nil {
		return err
	}
	byKey := make(map[Key]*row, len(rows))
	for _, r := range rows {
		byKey[r.Key] = r
	}
	for _, c := range l.caseStudies {
		r := byKey[c.Key]
		if r == nil {
			return fmt.Errorf("the case study %s has no row in case_studies", c.Key)
		}
		c.Person, c.Headline, c.Level, c.LevelLabel, c.Setting = r.Person, r.Headline, r.Level, r.LevelLabel, r.Setting
		c.Document, c.Member, c.ConsentOn = r.Document, Slug(strings.TrimPrefix(r.Member, personPrefix)), dateOf(r.ConsentOn)
		if r.SectionID != nil {
			c.Section = l.units[*r.SectionID].Slug
		}
		if r.RegionID != nil {
			c.Region = l.units[*r.RegionID].Slug
		}
	}
	slices.SortFunc(l.caseStudies, func(a, b *caseStudy) int { return cmp.Compare(a.slug, b.slug) })
	return nil
}

func (l *loader) loadBlocks(ctx context.Context) error {
	type linkRow struct {
		BlockID uuid.UUID
		EntryID *uuid.UUID
		URL     URL
		Label   Line
	}
	links, err := pg.All[linkRow](ctx, l.q, `
		SELECT
			block_id,
			entry_id,
			COALESCE(url, '') AS url,
			COALESCE(label, '') AS label
		FROM block_entries
		ORDER BY block_id, position`)
	if err != nil {
		return err
	}
	byBlock := map[uuid.UUID][]*blockLink{}
	for _, r := range links {
		link := &blockLink{URL: r.URL, Label: r.Label}
		if r.EntryID != nil {
			e := l.entries[*r.EntryID]
			link.Page, link.entry = e.Path, e.Key
		}
		byBlock[r.BlockID] = append(byBlock[r.BlockID], link)
	}

	type row struct {
		ID    uuid.UUID
		Entry Key
		Kind  string
		Data  []byte
		Plain string
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			b.id,
			e.key AS entry,
			b.kind,
			b.data,
			b.plain
		FROM blocks b
		JOIN entries e ON e.id = b.entry_id
		ORDER BY b.entry_id, b.position`)
	if err != nil {
		return err
	}
	bodies := map[Key][]*block{}
	slugs := map[Key]Slug{}
	for _, c := range l.caseStudies {
		slugs[c.Key] = Slug(c.slug)
	}
	for _, r := range rows {
		data, err := newData(r.Kind)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(r.Data, data); err != nil {
			return fmt.Errorf("data of a %s block of %s: %w", r.Kind, r.Entry, err)
		}
		b := &block{kind: r.Kind, data: data, plain: r.Plain, links: byBlock[r.ID]}
		switch d := data.(type) {
		case *linkListBlock:
			d.Links = b.links
		case *caseStudyListBlock:
			for _, link := range b.links {
				d.CaseStudies = append(d.CaseStudies, slugs[link.entry])
			}
		case *webinarBlock:
			if len(d.Partners) == 0 {
				d.Partners = nil
			}
		}
		bodies[r.Entry] = append(bodies[r.Entry], b)
	}
	for _, p := range l.pages {
		p.blocks = bodies[p.Key]
	}
	return nil
}

func (l *loader) loadRoutes(ctx context.Context) error {
	type row struct {
		Path    Path
		EntryID *uuid.UUID
		URL     Target
		Reason  Line
		Gone    bool
	}
	rows, err := pg.All[row](ctx, l.q, `
		SELECT
			path,
			entry_id,
			COALESCE(url, '') AS url,
			COALESCE(reason, '') AS reason,
			kind = 'GONE' AS gone
		FROM routes
		WHERE kind <> 'CURRENT'
		ORDER BY path COLLATE "C"`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		switch {
		case r.Gone:
			l.gone = append(l.gone, &gone{Path: r.Path, Reason: r.Reason})
		case r.EntryID != nil:
			e := l.entries[*r.EntryID]
			l.redirects = append(l.redirects, &redirect{From: r.Path, To: Target(e.Path), entry: e.Key})
		default:
			l.redirects = append(l.redirects, &redirect{From: r.Path, To: r.URL})
		}
	}
	return nil
}

func (l *loader) loadMenus(ctx context.Context) error {
	rows, err := pg.All[struct {
		ID       uuid.UUID
		Handle   string
		Title    Line
		Position int
	}](ctx, l.q, `
		SELECT
			id,
			handle,
			title,
			position
		FROM menus
		ORDER BY position, handle COLLATE "C"`)
	if err != nil {
		return err
	}
	menus := map[uuid.UUID]*menu{}
	for _, r := range rows {
		l.ids[thingID{"menu", r.Handle}] = r.ID
		menus[r.ID] = &menu{handle: r.Handle, Title: r.Title, Position: r.Position}
		l.menus = append(l.menus, menus[r.ID])
	}

	type itemRow struct {
		ID          uuid.UUID
		Key         Key
		MenuID      uuid.UUID
		ParentID    *uuid.UUID
		Position    int
		Label       Line
		Kind        string
		EntryID     *uuid.UUID
		URL         URL
		Action      actionName
		IsCanonical bool
		Access      access
	}
	itemRows, err := pg.All[itemRow](ctx, l.q, `
		SELECT
			id,
			key,
			menu_id,
			parent_id,
			position,
			label,
			kind,
			entry_id,
			COALESCE(url, '') AS url,
			COALESCE(action, '') AS action,
			is_canonical,
			access
		FROM menu_items
		ORDER BY position`)
	if err != nil {
		return err
	}
	items := make(map[uuid.UUID]*menuItem, len(itemRows))
	for _, r := range itemRows {
		l.ids[thingID{"menu-item", string(r.Key)}] = r.ID
		i := &menuItem{
			Label: r.Label, URL: r.URL, Action: r.Action, Access: r.Access, Key: r.Key, isCanonical: r.IsCanonical, position: r.Position,
			External: r.Kind == "EXTERNAL" && r.URL == "", Heading: r.Kind == "HEADING",
		}
		if r.EntryID != nil {
			e := l.entries[*r.EntryID]
			i.Page, i.entry = e.Path, e.Key
		}
		items[r.ID] = i
	}
	for _, r := range itemRows {
		if r.ParentID == nil {
			m := menus[r.MenuID]
			m.Items = append(m.Items, items[r.ID])
		} else {
			parent := items[*r.ParentID]
			parent.Children = append(parent.Children, items[r.ID])
		}
	}
	var deepen func(items []*menuItem, depth int)
	deepen = func(items []*menuItem, depth int) {
		for _, i := range items {
			i.depth = depth
			deepen(i.Children, depth+1)
		}
	}
	for _, m := range l.menus {
		deepen(m.Items, 1)
	}
	return nil
}
