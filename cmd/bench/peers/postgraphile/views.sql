-- What PostGraphile makes its graph of. The views hold the rules of access for
-- someone who is not signed in, as the statements written by hand do; the
-- comments tell what keys and foreign keys tell of tables.
CREATE SCHEMA peers;

CREATE VIEW peers.menu AS
SELECT m.id, m.handle, m.title
FROM public.menus m;

CREATE VIEW peers.item AS
SELECT i.id, i.menu_id, i.parent_id, i.position, i.label, i.kind, COALESCE(r.path, i.url) AS href, i.is_canonical, i.access
FROM public.menu_items i
LEFT JOIN public.entries e ON e.id = i.entry_id
LEFT JOIN public.routes r ON r.entry_id = i.entry_id AND r.kind = 'CURRENT'
WHERE i.access = 'PUBLIC' AND (e.id IS NULL OR (e.status = 'PUBLISHED' AND e.access <> 'STAFF'));

CREATE VIEW peers.section AS
SELECT u.id, u.slug, u.name
FROM public.units u
JOIN public.entries e ON e.id = u.id
WHERE u.kind = 'SPECIALIST_SECTION' AND e.status = 'PUBLISHED' AND e.access <> 'STAFF';

CREATE VIEW peers.region AS
SELECT u.id, u.name, u.nation, u.position
FROM public.units u
JOIN public.entries e ON e.id = u.id
WHERE u.kind = 'REGION' AND e.status = 'PUBLISHED' AND e.access <> 'STAFF';

CREATE VIEW peers.member AS
SELECT
	m.id,
	m.display_name,
	CASE WHEN m.pronouns_audience = 'PUBLIC' THEN m.pronouns END AS pronouns,
	CASE WHEN m.headline_audience = 'PUBLIC' THEN m.headline END AS headline,
	CASE WHEN m.bio_audience = 'PUBLIC' THEN m.bio END AS bio,
	CASE WHEN m.grade_audience = 'PUBLIC' THEN m.grade END AS grade,
	CASE WHEN m.joined_on_audience = 'PUBLIC' THEN m.joined_on END AS joined_on
FROM public.members m
WHERE m.listing_audience = 'PUBLIC';

CREATE VIEW peers.section_member AS
SELECT
	m.id,
	sm.section_id,
	m.sort_name COLLATE "und-x-icu" AS sort_name,
	m.display_name,
	CASE WHEN m.headline_audience = 'PUBLIC' THEN m.headline END AS headline,
	CASE WHEN m.grade_audience = 'PUBLIC' THEN m.grade END AS grade,
	CASE WHEN m.region_audience = 'PUBLIC' THEN m.region_id END AS region_id
FROM public.members m
JOIN public.section_memberships sm ON sm.member_id = m.id
WHERE m.listing_audience = 'PUBLIC'
	AND m.sections_audience = 'PUBLIC'
	AND sm.starts_on <= CURRENT_DATE
	AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE);

-- member_id is null for members whose sections may not be seen, so that nothing
-- has to be joined to find none.
CREATE VIEW peers.region_member AS
SELECT
	m.id,
	m.region_id,
	m.sort_name COLLATE "und-x-icu" AS sort_name,
	m.display_name,
	CASE WHEN m.sections_audience = 'PUBLIC' THEN m.id END AS member_id
FROM public.members m
WHERE m.listing_audience = 'PUBLIC' AND m.region_audience = 'PUBLIC';

CREATE VIEW peers.member_section AS
SELECT sm.member_id, u.id, u.name, u.position
FROM public.section_memberships sm
JOIN public.units u ON u.id = sm.section_id
JOIN public.entries e ON e.id = u.id
WHERE sm.starts_on <= CURRENT_DATE
	AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)
	AND e.status = 'PUBLISHED'
	AND e.access <> 'STAFF';

CREATE VIEW peers.case_study AS
SELECT c.entry_id AS id, c.person, c.headline, c.level, l.position AS ladder, e.position, c.member_id, c.region_id
FROM public.case_studies c
JOIN public.entries e ON e.id = c.entry_id
JOIN public.career_levels l ON l.level = c.level
WHERE e.status = 'PUBLISHED' AND e.access <> 'STAFF';

COMMENT ON VIEW peers.menu IS E'@primaryKey id\n@unique handle';
COMMENT ON VIEW peers.item IS E'@primaryKey id\n@foreignKey (menu_id) references peers.menu (id)|@foreignSimpleFieldName items\n@foreignKey (parent_id) references peers.item (id)|@foreignSimpleFieldName children';
COMMENT ON VIEW peers.section IS E'@primaryKey id\n@unique slug';
COMMENT ON VIEW peers.region IS E'@primaryKey id';
COMMENT ON VIEW peers.member IS E'@primaryKey id';
COMMENT ON VIEW peers.section_member IS E'@primaryKey section_id,id\n@foreignKey (section_id) references peers.section (id)|@foreignFieldName members\n@foreignKey (region_id) references peers.region (id)|@fieldName region';
COMMENT ON VIEW peers.region_member IS E'@primaryKey id\n@unique member_id\n@foreignKey (region_id) references peers.region (id)|@foreignFieldName members';
COMMENT ON VIEW peers.member_section IS E'@primaryKey member_id,id\n@foreignKey (member_id) references peers.region_member (member_id)|@foreignSimpleFieldName sections';
COMMENT ON VIEW peers.case_study IS E'@primaryKey id\n@foreignKey (member_id) references peers.member (id)|@fieldName member\n@foreignKey (region_id) references peers.region (id)|@fieldName region';
