SET lock_timeout = '5s';

-- The office corrects the names and the region of a member, and a member chooses the own
-- region. The copies of a name in section_memberships follow by their foreign key, and
-- what is counted by region by a trigger.
CREATE OR REPLACE VIEW members_office AS
    SELECT m.id, m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
        m.joined_on_audience, m.sections_audience, m.updated_at, m.display_name, m.sort_name, m.region_id
    FROM members m
    WHERE (SELECT acting_may('MANAGE_REGISTER'))
    WITH CHECK OPTION;

GRANT UPDATE (display_name, sort_name, region_id) ON members_office TO collegium_graph;
GRANT UPDATE (region_id) ON members_own TO collegium_graph;
