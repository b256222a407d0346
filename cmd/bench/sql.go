package main

import (
	"fmt"
	"strings"
)

// The statements that a person would write for the questions, one for each: they
// build the whole answer in PostgreSQL, by the same rules of access, for someone
// who is not signed in.

const (
	visibleEntry = `e.status = 'PUBLISHED' AND e.access <> 'STAFF'`

	today = `sm.starts_on <= CURRENT_DATE AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)`

	byName = `m.sort_name COLLATE "und-x-icu", m.id`

	sectionSQL = `
		SELECT json_build_object('specialistSection', (
			SELECT json_build_object(
				'name', u.name,
				'members', json_build_object('nodes', (
					SELECT COALESCE(json_agg(json_build_object(
						'displayName', m.display_name,
						'headline', m.headline,
						'grade', m.grade,
						'region', CASE WHEN m.region IS NOT NULL THEN json_build_object('name', m.region) END
					) ORDER BY ` + byName + `), '[]')
					FROM (
						SELECT
							m.id,
							m.sort_name,
							m.display_name,
							CASE WHEN m.headline_audience = 'PUBLIC' THEN m.headline END AS headline,
							CASE WHEN m.grade_audience = 'PUBLIC' THEN m.grade END AS grade,
							(SELECT r.name FROM units r JOIN entries e ON e.id = r.id
							 WHERE r.id = m.region_id AND m.region_audience = 'PUBLIC' AND ` + visibleEntry + `) AS region
						FROM members m
						WHERE m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE
							AND m.sections_audience = 'PUBLIC'
							AND EXISTS (SELECT 1 FROM section_memberships sm WHERE sm.member_id = m.id AND sm.section_id = u.id AND ` + today + `)
						ORDER BY ` + byName + `
						LIMIT 20
					) m
				))
			)
			FROM units u
			JOIN entries e ON e.id = u.id
			WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = $1 AND ` + visibleEntry + `
		))`

	regionsSQL = `
		SELECT json_build_object('regions', json_agg(json_build_object(
			'name', u.name,
			'members', json_build_object('nodes', (
				SELECT COALESCE(json_agg(json_build_object(
					'displayName', m.display_name,
					'sections', CASE WHEN m.sections_audience = 'PUBLIC' THEN (
						SELECT COALESCE(json_agg(json_build_object('name', s.name) ORDER BY s.position), '[]')
						FROM section_memberships sm
						JOIN units s ON s.id = sm.section_id
						JOIN entries e ON e.id = s.id
						WHERE sm.member_id = m.id AND ` + today + ` AND ` + visibleEntry + `
					) END
				) ORDER BY ` + byName + `), '[]')
				FROM (
					SELECT
						m.id,
						m.sort_name,
						m.display_name,
						m.sections_audience
					FROM members m
					WHERE m.region_id = u.id AND m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE AND m.region_audience = 'PUBLIC'
					ORDER BY ` + byName + `
					LIMIT 10
				) m
			))
		) ORDER BY u.position))
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.kind = 'REGION' AND ` + visibleEntry

	memberSQL = `
		SELECT json_build_object('member', (
			SELECT json_build_object(
				'displayName', m.display_name,
				'pronouns', CASE WHEN m.pronouns_audience = 'PUBLIC' THEN m.pronouns END,
				'headline', CASE WHEN m.headline_audience = 'PUBLIC' THEN m.headline END,
				'bio', CASE WHEN m.bio_audience = 'PUBLIC' THEN m.bio END,
				'grade', CASE WHEN m.grade_audience = 'PUBLIC' THEN m.grade END,
				'joinedOn', CASE WHEN m.joined_on_audience = 'PUBLIC' THEN m.joined_on END
			)
			FROM members m
			WHERE m.id = $1::uuid AND m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE
		))`

	caseStudiesSQL = `
		SELECT json_build_object('caseStudies', json_build_object('nodes', COALESCE(json_agg(json_build_object(
			'person', c.person,
			'headline', c.headline,
			'level', c.level,
			'member', (
				SELECT json_build_object(
					'displayName', m.display_name,
					'grade', CASE WHEN m.grade_audience = 'PUBLIC' THEN m.grade END)
				FROM members m
				WHERE m.id = c.member_id AND m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE
			),
			'region', (
				SELECT json_build_object('name', u.name, 'nation', u.nation)
				FROM units u
				JOIN entries e ON e.id = u.id
				WHERE u.id = c.region_id AND ` + visibleEntry + `
			)
		) ORDER BY c.ladder, c.position, c.id), '[]')))
		FROM (` + firstCaseStudies + `) c`

	firstCaseStudies = `
		SELECT
			c.person,
			c.headline,
			c.level,
			c.member_id,
			c.region_id,
			l.position AS ladder,
			e.position,
			e.id
		FROM case_studies c
		JOIN entries e ON e.id = c.entry_id
		JOIN career_levels l ON l.level = c.level
		WHERE ` + visibleEntry + `
		ORDER BY l.position, e.position, e.id
		LIMIT 8`

	// sectionsOfMember builds the sections of the member m, each with its first
	// members; the fields of those members follow, then sectionsOfMemberEnd.
	sectionsOfMember = `
		CASE WHEN m.sections_audience = 'PUBLIC' THEN (
			SELECT COALESCE(json_agg(json_build_object(
				'name', s.name,
				'members', json_build_object('nodes', (
					SELECT COALESCE(json_agg(json_build_object(
						'displayName', m.display_name,`

	sectionsOfMemberEnd = `
					) ORDER BY ` + byName + `), '[]')
					FROM (
						SELECT m.*
						FROM members m
						WHERE m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE
							AND m.sections_audience = 'PUBLIC'
							AND EXISTS (SELECT 1 FROM section_memberships sm WHERE sm.member_id = m.id AND sm.section_id = s.id AND ` + today + `)
						ORDER BY ` + byName + `
						LIMIT 5
					) m
				))
			) ORDER BY s.position), '[]')
			FROM section_memberships sm
			JOIN units s ON s.id = sm.section_id
			JOIN entries e ON e.id = s.id
			WHERE sm.member_id = m.id AND ` + today + ` AND ` + visibleEntry + `
		) END`

	deepRegionsSQL = `
		SELECT json_build_object('regions', json_agg(json_build_object(
			'name', u.name,
			'members', json_build_object('nodes', (
				SELECT COALESCE(json_agg(json_build_object(
					'displayName', m.display_name,
					'sections', ` + sectionsOfMember + `
						'region', (
							SELECT json_build_object('name', r.name)
							FROM units r
							JOIN entries e ON e.id = r.id
							WHERE r.id = m.region_id AND m.region_audience = 'PUBLIC' AND ` + visibleEntry + `
						)` + sectionsOfMemberEnd + `
				) ORDER BY ` + byName + `), '[]')
				FROM (
					SELECT m.*
					FROM members m
					WHERE m.region_id = u.id AND m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE AND m.region_audience = 'PUBLIC'
					ORDER BY ` + byName + `
					LIMIT 5
				) m
			))
		) ORDER BY u.position))
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.kind = 'REGION' AND ` + visibleEntry

	deepCaseStudiesSQL = `
		SELECT json_build_object('caseStudies', json_build_object('nodes', COALESCE(json_agg(json_build_object(
			'person', c.person,
			'member', (
				SELECT json_build_object(
					'displayName', m.display_name,
					'sections', ` + sectionsOfMember + `
						'grade', CASE WHEN m.grade_audience = 'PUBLIC' THEN m.grade END` + sectionsOfMemberEnd + `)
				FROM members m
				WHERE m.id = c.member_id AND m.listing_audience = 'PUBLIC' AND m.member_on @> CURRENT_DATE
			)
		) ORDER BY c.ladder, c.position, c.id), '[]')))
		FROM (` + firstCaseStudies + `) c`
)

// menuSQL builds a menu of so many levels: each item asks for those below it by
// the index on menu, parent and position. Building it from the bottom up, level
// by level, was slower at every size.
func menuSQL(handle string, depth int) string {
	return `
		SELECT json_build_object('menu', (
			SELECT json_build_object('title', m.title, 'roots', COALESCE((` + levelSQL(1, depth) + `), '[]'))
			FROM menus m
			WHERE m.handle = '` + handle + `'
		))`
}

// levelSQL builds the items of one level below the item of the level above it.
func levelSQL(n, depth int) string {
	parent, children := `i%[1]d.parent_id IS NULL`, ``
	if n > 1 {
		parent = `i%[1]d.parent_id = i%[2]d.id`
	}
	if n < depth {
		children = `,
				'children', COALESCE((` + strings.ReplaceAll(levelSQL(n+1, depth), `%`, `%%`) + `), '[]')`
	}
	return fmt.Sprintf(`
			SELECT json_agg(json_build_object(
				'label', i%[1]d.label,
				'kind', i%[1]d.kind,
				'href', COALESCE(r%[1]d.path, i%[1]d.url),
				'depth', %[1]d,
				'isCanonical', i%[1]d.is_canonical,
				'access', i%[1]d.access`+children+`
			) ORDER BY i%[1]d.position)
			FROM menu_items i%[1]d
			LEFT JOIN entries e%[1]d ON e%[1]d.id = i%[1]d.entry_id
			LEFT JOIN routes r%[1]d ON r%[1]d.entry_id = i%[1]d.entry_id AND r%[1]d.kind = 'CURRENT'
			WHERE i%[1]d.menu_id = m.id
				AND `+parent+`
				AND i%[1]d.access = 'PUBLIC'
				AND (e%[1]d.id IS NULL OR (e%[1]d.status = 'PUBLISHED' AND e%[1]d.access <> 'STAFF'))`, n, n-1)
}
