SET lock_timeout = '5s';

DROP VIEW members_own;
CREATE VIEW members_own AS
    SELECT m.id, m.display_name, m.sort_name, m.pronouns, m.headline, m.bio, m.grade, m.region_id, m.joined_on,
        m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
        m.joined_on_audience, m.sections_audience, m.revision, m.updated_at
    FROM members m
    WHERE m.id = (SELECT acting_member())
    WITH CHECK OPTION;
REVOKE ALL ON members_own FROM collegium_graph;
GRANT SELECT ON members_own TO collegium_graph;
GRANT UPDATE (pronouns, headline, bio, listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience,
    joined_on_audience, sections_audience, updated_at) ON members_own TO collegium_graph;

DO $do$
DECLARE
    v text;
BEGIN
    -- The condition is the last of each view.
    FOREACH v IN ARRAY ARRAY['member_sights', 'members_shown', 'members_shown_by_region', 'members_shown_by_grade', 'members_shown_by_joined_on',
        'members_shown_by_headline', 'members_public', 'members_public_by_region', 'members_public_by_grade', 'members_public_by_joined_on',
        'members_public_by_headline'] LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I AS %s)', v, regexp_replace(pg_get_viewdef(v::regclass), ' AND \(+m\.member_on @> CURRENT_DATE.*$', ''));
    END LOOP;
END
$do$;

DROP TRIGGER membership_stretches_member_on_insert ON membership_stretches;
DROP TRIGGER membership_stretches_member_on_update ON membership_stretches;
DROP TRIGGER membership_stretches_member_on_delete ON membership_stretches;
DROP FUNCTION members_follow_stretches();
DROP TRIGGER members_touch_revision ON members;
CREATE TRIGGER members_touch_revision BEFORE UPDATE ON members
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_revision();
ALTER TABLE members DROP COLUMN member_on;
