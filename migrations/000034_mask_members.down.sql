SET lock_timeout = '5s';

DROP POLICY case_studies_shown ON case_studies;
ALTER TABLE case_studies DISABLE ROW LEVEL SECURITY;
DROP POLICY terms_office ON terms;
DROP POLICY terms_shown ON terms;
ALTER TABLE terms DISABLE ROW LEVEL SECURITY;
DROP POLICY section_memberships_counted ON section_memberships;
DROP POLICY section_memberships_register ON section_memberships;
DROP POLICY section_memberships_own ON section_memberships;
ALTER TABLE section_memberships DISABLE ROW LEVEL SECURITY;

DROP POLICY member_details_shown ON member_details;
CREATE POLICY member_details_shown ON member_details FOR SELECT TO collegium_graph
    USING (
        audience = 'PUBLIC'
        OR member_id = (SELECT acting_member())
        OR (audience <> 'NOBODY' AND (SELECT acting_may('READ_REGISTER')))
        OR (audience = 'MEMBERS' AND (SELECT acting_may('READ_DIRECTORY')))
        OR (audience = 'SECTION' AND (SELECT acting_may('READ_DIRECTORY')) AND EXISTS (
            SELECT
            FROM section_memberships theirs
            JOIN section_memberships mine ON mine.section_id = theirs.section_id
            WHERE theirs.member_id = member_details.member_id
                AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE)
                AND mine.member_id = (SELECT acting_member())
                AND mine.starts_on <= CURRENT_DATE AND (mine.ends_on IS NULL OR mine.ends_on >= CURRENT_DATE)))
        OR (audience IN ('SECTION', 'COMMITTEE') AND (SELECT acting_may('READ_DIRECTORY')) AND EXISTS (
            SELECT
            FROM terms served
            JOIN posts post ON post.id = served.post_id
            JOIN committees serving ON serving.id = post.committee_id
            WHERE served.member_id = (SELECT acting_member())
                AND served.starts_on <= CURRENT_DATE AND (served.ends_on IS NULL OR served.ends_on >= CURRENT_DATE)
                AND (EXISTS (SELECT FROM members m WHERE m.id = member_details.member_id AND m.region_id = serving.unit_id) OR EXISTS (
                    SELECT
                    FROM section_memberships theirs
                    WHERE theirs.member_id = member_details.member_id AND theirs.section_id = serving.unit_id
                        AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE))))));

DROP POLICY members_insert ON members;
DROP POLICY members_write ON members;
DROP POLICY members_read ON members;
ALTER TABLE members DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON members FROM collegium_graph;
GRANT SELECT, INSERT, UPDATE, DELETE ON members TO collegium_graph;

DO $do$
DECLARE
    f text;
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION members_with_term(of_field text, term text)
        RETURNS TABLE (member_id uuid, audience text)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT d.member_id, d.audience FROM member_details d WHERE of_field = 'LANGUAGES' AND d.field = 'LANGUAGES' AND d.terms @> ARRAY[term]
            UNION ALL
            SELECT d.member_id, d.audience FROM member_details d WHERE of_field = 'SPECIALISMS' AND d.field = 'SPECIALISMS' AND d.terms @> ARRAY[term]
        $$
    $sql$, current_schema());
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION practices_between(south float8, north float8, west float8, east float8)
        RETURNS TABLE (member_id uuid, audience text, latitude float8, longitude float8)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT d.member_id, d.audience, d.latitude::float8, d.longitude::float8
            FROM member_details d
            WHERE d.field = 'PRACTICE' AND d.latitude BETWEEN south::numeric AND north::numeric AND d.longitude BETWEEN west::numeric AND east::numeric
        $$
    $sql$, current_schema());
    FOREACH f IN ARRAY ARRAY['membership_periods_show', 'membership_periods_end_all', 'members_correct_periods',
        'section_memberships_copy_sort_name', 'terms_fit_seats'] LOOP
        EXECUTE format('ALTER FUNCTION %I() SECURITY INVOKER RESET search_path', f);
    END LOOP;
END
$do$;

DROP FUNCTION region_member_counts(uuid[], date);
DROP FUNCTION section_member_counts(uuid[], date);
DROP VIEW members_office,
    members_own,
    members_counted,
    members_registered,
    members_shown,
    members_shown_by_region,
    members_shown_by_grade,
    members_shown_by_joined_on,
    members_shown_by_headline,
    members_shown_in_sections,
    members_public,
    members_public_by_region,
    members_public_by_grade,
    members_public_by_joined_on,
    members_public_by_headline,
    members_public_in_sections,
    member_sights;
DROP FUNCTION acting_among_members();
DROP FUNCTION acting_audiences_within();
DROP FUNCTION acting_audiences();
DROP FUNCTION acting_may_within(text);
DROP FUNCTION acting_unit();
