SET lock_timeout = '5s';

REVOKE UPDATE (region_id) ON members_own FROM collegium_graph;
DROP VIEW members_office;
CREATE VIEW members_office AS
    SELECT m.id, m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
        m.joined_on_audience, m.sections_audience, m.updated_at
    FROM members m
    WHERE (SELECT acting_may('MANAGE_REGISTER'))
    WITH CHECK OPTION;
REVOKE ALL ON members_office FROM collegium_graph;
GRANT SELECT, UPDATE (listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience,
    joined_on_audience, sections_audience, updated_at) ON members_office TO collegium_graph;
