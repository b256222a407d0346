SET lock_timeout = '5s';

-- A page of a section reads the members as it reads the rest: of a fence around them the
-- planner sees neither the conditions nor what is left out.
CREATE OR REPLACE VIEW members_public_in_sections AS
    SELECT m.*, sm.section_id, sm.starts_on, sm.ends_on, sm.sort_name AS name_in_section
    FROM section_memberships sm
    JOIN members_public m ON m.id = sm.member_id
    WHERE m.shows_sections;
CREATE OR REPLACE VIEW members_shown_in_sections AS
    SELECT m.*, sm.section_id, sm.starts_on, sm.ends_on, sm.sort_name AS name_in_section
    FROM section_memberships sm
    JOIN members_shown m ON m.id = sm.member_id
    WHERE m.shows_sections;

-- For counting and for filters, members are looked up one by one: however many there are in all, a small
-- section costs little.
CREATE VIEW members_public_section_ids AS
    SELECT sm.member_id AS id, sm.section_id, sm.starts_on, sm.ends_on, sm.sort_name AS name_in_section
    FROM section_memberships sm
    CROSS JOIN LATERAL (SELECT m.id FROM members_public m WHERE m.id = sm.member_id AND m.shows_sections OFFSET 0) m;
CREATE VIEW members_shown_section_ids AS
    SELECT sm.member_id AS id, sm.section_id, sm.starts_on, sm.ends_on, sm.sort_name AS name_in_section
    FROM section_memberships sm
    CROSS JOIN LATERAL (SELECT m.id FROM members_shown m WHERE m.id = sm.member_id AND m.shows_sections OFFSET 0) m;

REVOKE ALL ON members_public_section_ids, members_shown_section_ids FROM collegium_graph;
GRANT SELECT ON members_public_section_ids, members_shown_section_ids TO collegium_graph;
