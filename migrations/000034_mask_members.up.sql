SET lock_timeout = '5s';

-- What the one who asks sees of members is decided here: the graph's role has no right
-- to the columns that a member shows to some only. It reads them through views, which
-- run with the rights of whoever owns the tables and hold for everyone.

-- The section or region to which the key that asks is limited.
CREATE FUNCTION acting_unit() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE RETURN nullif(current_setting('collegium.unit', true), '')::uuid;

-- Whether the key that asks may do something, within the unit to which it is limited.
CREATE FUNCTION acting_may_within(permission text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN permission || '@unit' = ANY(string_to_array(COALESCE(current_setting('collegium.permissions', true), ''), ','));

-- To which audiences who asks belongs for every member, and within those to which a key
-- belongs for the members of its unit.
CREATE FUNCTION acting_audiences() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN acting_may('READ_REGISTER') THEN ARRAY['PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF']
    WHEN acting_may('READ_DIRECTORY') THEN ARRAY['PUBLIC', 'MEMBERS']
    ELSE ARRAY['PUBLIC']
END;

CREATE FUNCTION acting_audiences_within() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN acting_may_within('READ_REGISTER') THEN ARRAY['PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF']
    WHEN acting_may_within('READ_DIRECTORY') THEN ARRAY['PUBLIC', 'MEMBERS']
    ELSE ARRAY['PUBLIC']
END;

-- Whether who asks is one of the members, who see more of whom they have to do with.
CREATE FUNCTION acting_among_members() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN acting_member() IS NOT NULL AND acting_may('READ_DIRECTORY') AND NOT acting_may('READ_REGISTER');

DO $do$
DECLARE
    -- The rule of who belongs to which audience of a member m stands in this block once.
    -- A member sees the whole of the own record.
    own CONSTANT text := $sql$m.id = (SELECT acting_member())$sql$;
    -- What is for SECTION sees who shares a section today.
    shares CONSTANT text := $sql$((SELECT acting_among_members()) AND EXISTS (
        SELECT
        FROM section_memberships theirs
        JOIN section_memberships mine ON mine.section_id = theirs.section_id
        WHERE theirs.member_id = m.id AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE)
            AND mine.member_id = (SELECT acting_member())
            AND mine.starts_on <= CURRENT_DATE AND (mine.ends_on IS NULL OR mine.ends_on >= CURRENT_DATE)))$sql$;
    -- What is for SECTION or COMMITTEE sees who serves today on the committee of the
    -- member's region or of a section of theirs.
    serves CONSTANT text := $sql$((SELECT acting_among_members()) AND EXISTS (
        SELECT
        FROM terms served
        JOIN posts post ON post.id = served.post_id
        JOIN committees serving ON serving.id = post.committee_id
        WHERE served.member_id = (SELECT acting_member())
            AND served.starts_on <= CURRENT_DATE AND (served.ends_on IS NULL OR served.ends_on >= CURRENT_DATE)
            AND (serving.unit_id = m.region_id OR EXISTS (
                SELECT
                FROM section_memberships theirs
                WHERE theirs.member_id = m.id AND theirs.section_id = serving.unit_id
                    AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE)))))$sql$;
    -- A key of a unit is good for the members who show it that they belong there.
    of_unit CONSTANT text := $sql$((SELECT acting_unit()) IS NOT NULL AND (
        (m.region_id = (SELECT acting_unit()) AND m.region_audience = ANY((SELECT acting_audiences_within())::text[]))
        OR (m.sections_audience = ANY((SELECT acting_audiences_within())::text[]) AND EXISTS (
            SELECT
            FROM section_memberships theirs
            WHERE theirs.member_id = m.id AND theirs.section_id = (SELECT acting_unit())
                AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE)))))$sql$;

    -- Two ways to ask it: for one audience, and for all columns of a row at once.
    shown CONSTANT text := '(m.%1$I = ANY((SELECT acting_audiences())::text[]) OR ' || own
        || $sql$ OR (m.%1$I = 'SECTION' AND $sql$ || shares || ')'
        || $sql$ OR (m.%1$I IN ('SECTION', 'COMMITTEE') AND $sql$ || serves || ')'
        || ' OR (m.%1$I = ANY((SELECT acting_audiences_within())::text[]) AND ' || of_unit || '))';
    sight CONSTANT text := ' CROSS JOIN LATERAL (SELECT CASE'
        || ' WHEN ' || own || $sql$ THEN ARRAY['PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY']$sql$
        || ' WHEN ' || of_unit || ' THEN (SELECT acting_audiences_within())'
        || ' WHEN ' || serves || $sql$ THEN (SELECT acting_audiences()) || ARRAY['SECTION', 'COMMITTEE']$sql$
        || ' WHEN ' || shares || $sql$ THEN (SELECT acting_audiences()) || ARRAY['SECTION']$sql$
        || ' ELSE (SELECT acting_audiences()) END AS audiences OFFSET 0) a';

    of_public CONSTANT text := $sql$m.%1$I = 'PUBLIC'$sql$;
    of_row    CONSTANT text := 'm.%1$I = ANY(a.audiences)';

    v       record;
    f       record;
    masked  text;
    columns text;
    held    text;
BEGIN
    -- Of whom who asks may know, with the audiences to which they belong.
    EXECUTE 'CREATE VIEW member_sights AS SELECT m.id, a.audiences FROM members m' || sight || ' WHERE ' || format(shown, 'listing_audience');

    -- The members whom who asks may know of, each column if it is shown; and the same for
    -- what is public, which asks nothing of who asks. A filter or an order by a column
    -- takes the view of those who show it, where the column stands bare and so its index
    -- is used.
    FOR v IN SELECT * FROM (VALUES
        ('members_public', of_public, of_public, ''),
        ('members_shown', of_row, shown, sight)
    ) AS x (name, column_shown, row_shown, joined) LOOP
        masked := '';
        FOR f IN SELECT * FROM (VALUES
            ('pronouns', 'pronouns'), ('headline', 'headline'), ('bio', 'bio'), ('grade', 'grade'), ('joined_on', 'joined_on'), ('region_id', 'region')
        ) AS x (name, field) LOOP
            masked := masked || format(', CASE WHEN %s THEN m.%I END AS %2$I', format(v.column_shown, f.field || '_audience'), f.name);
        END LOOP;
        columns := ', m.display_name, m.sort_name' || masked
            || ', m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience'
            || ', m.joined_on_audience, m.sections_audience, ' || format(v.column_shown, 'sections_audience') || ' AS shows_sections'
            || CASE WHEN v.joined = '' THEN ', NULL::integer AS revision' ELSE ', CASE WHEN ' || own || ' THEN m.revision END AS revision' END;
        EXECUTE format('CREATE VIEW %I AS SELECT m.id%s FROM members m%s WHERE %s',
            v.name, columns, v.joined, format(v.row_shown, 'listing_audience'));
        FOR f IN SELECT * FROM (VALUES ('region_id', 'region'), ('grade', 'grade'), ('joined_on', 'joined_on'), ('headline', 'headline')) AS x (name, field) LOOP
            held := replace(columns, format(', CASE WHEN %s THEN m.%I END AS %2$I', format(v.column_shown, f.field || '_audience'), f.name),
                format(', m.%I', f.name));
            EXECUTE format('CREATE VIEW %I AS SELECT m.id%s FROM members m%s WHERE %s AND %s',
                v.name || '_by_' || f.field, held, v.joined, format(v.row_shown, 'listing_audience'), format(v.row_shown, f.field || '_audience'));
        END LOOP;
        -- Those who show in which sections they are, a row for each time in one. The members
        -- of a section are looked up one by one: however many there are in all, a small
        -- section costs little.
        EXECUTE format($sql$CREATE VIEW %I AS
            SELECT sm.member_id AS id%s, sm.section_id, sm.starts_on, sm.ends_on, sm.sort_name AS name_in_section
            FROM section_memberships sm
            CROSS JOIN LATERAL (SELECT m.* FROM members m WHERE m.id = sm.member_id OFFSET 0) m%s
            WHERE %s AND %s$sql$,
            v.name || '_in_sections', columns, v.joined,
            format(v.row_shown, 'listing_audience'), format(v.row_shown, 'sections_audience'));
    END LOOP;

    -- Of these a search under the policy of member_details would use no index, since their
    -- operators could tell of rows by an error. The functions look there as the owner, and
    -- tell of what is shown to who asks.
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION members_with_term(of_field text, term text)
        RETURNS TABLE (member_id uuid, audience text)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
        #variable_conflict use_column
        BEGIN
            IF of_field = 'LANGUAGES' THEN
                RETURN QUERY SELECT d.member_id, d.audience FROM member_details d JOIN member_sights s ON s.id = d.member_id
                    WHERE d.field = 'LANGUAGES' AND d.terms @> ARRAY[term] AND d.audience = ANY(s.audiences);
            ELSIF of_field = 'SPECIALISMS' THEN
                RETURN QUERY SELECT d.member_id, d.audience FROM member_details d JOIN member_sights s ON s.id = d.member_id
                    WHERE d.field = 'SPECIALISMS' AND d.terms @> ARRAY[term] AND d.audience = ANY(s.audiences);
            END IF;
        END
        $$
    $sql$, current_schema());
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION practices_between(south float8, north float8, west float8, east float8)
        RETURNS TABLE (member_id uuid, audience text, latitude float8, longitude float8)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
        #variable_conflict use_column
        BEGIN
            RETURN QUERY SELECT d.member_id, d.audience, d.latitude::float8, d.longitude::float8
                FROM member_details d
                JOIN member_sights s ON s.id = d.member_id
                WHERE d.field = 'PRACTICE' AND d.latitude BETWEEN south::numeric AND north::numeric AND d.longitude BETWEEN west::numeric AND east::numeric
                    AND d.audience = ANY(s.audiences);
        END
        $$
    $sql$, current_schema());

    -- How many there are is published, and counts everyone.
    EXECUTE format($sql$
        CREATE FUNCTION section_member_counts(sections uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp AS $$
        BEGIN
            RETURN QUERY SELECT sm.section_id, count(DISTINCT sm.member_id)
                FROM section_memberships sm
                WHERE sm.section_id = ANY(sections) AND sm.starts_on <= as_of AND (sm.ends_on IS NULL OR sm.ends_on >= as_of)
                GROUP BY sm.section_id;
        END
        $$
    $sql$, current_schema());
    EXECUTE format($sql$
        CREATE FUNCTION region_member_counts(regions uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp AS $$
        BEGIN
            RETURN QUERY SELECT m.region_id, count(*) FROM members m WHERE m.region_id = ANY(regions) AND m.joined_on <= as_of GROUP BY m.region_id;
        END
        $$
    $sql$, current_schema());

    -- What follows from a write to a membership is written by the owner, whoever wrote.
    FOR f IN SELECT unnest(ARRAY['membership_periods_show', 'membership_periods_end_all', 'members_correct_periods',
        'section_memberships_copy_sort_name', 'terms_fit_seats']) AS name LOOP
        EXECUTE format('ALTER FUNCTION %I() SECURITY DEFINER SET search_path = pg_catalog, %I, pg_temp', f.name, current_schema());
    END LOOP;
END
$do$;

-- What the register says, to oneself and to who may read it. These two are for rows what a
-- policy is, and like one hold for whom policies hold; a policy would keep the words of a
-- name from their index.
CREATE VIEW members_registered AS
    SELECT m.id, m.key, m.display_name, m.sort_name, m.region_id, m.grade, m.joined_on
    FROM members m
    WHERE m.id = (SELECT acting_member()) OR (SELECT acting_may('READ_REGISTER') OR NOT row_security_active('members'));

-- What is counted for statistics.
CREATE VIEW members_counted AS
    SELECT m.id, m.region_id FROM members m WHERE (SELECT acting_may('READ_STATISTICS') OR NOT row_security_active('members'));

-- Through these two members write: the member the own record, and the office what is the
-- office's.
CREATE VIEW members_own AS
    SELECT m.id, m.display_name, m.sort_name, m.pronouns, m.headline, m.bio, m.grade, m.region_id, m.joined_on,
        m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
        m.joined_on_audience, m.sections_audience, m.revision, m.updated_at
    FROM members m
    WHERE m.id = (SELECT acting_member())
    WITH CHECK OPTION;

CREATE VIEW members_office AS
    SELECT m.id, m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
        m.joined_on_audience, m.sections_audience, m.updated_at
    FROM members m
    WHERE (SELECT acting_may('MANAGE_REGISTER'))
    WITH CHECK OPTION;

-- Views that are made get the rights of tables. Those for reading are not for writing:
-- what they write, they write as the owner.
DO $do$
DECLARE
    v text;
BEGIN
    FOR v IN SELECT c.relname FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') LOOP
        EXECUTE format('REVOKE ALL ON %I FROM collegium_graph', v);
        EXECUTE format('GRANT SELECT ON %I TO collegium_graph', v);
    END LOOP;
END
$do$;
GRANT UPDATE (pronouns, headline, bio, listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience,
    joined_on_audience, sections_audience, updated_at) ON members_own TO collegium_graph;
GRANT UPDATE (listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience,
    joined_on_audience, sections_audience, updated_at) ON members_office TO collegium_graph;

-- Of the table itself there is the id and the number, of oneself and for who may read the
-- register; who writes what belongs to a member locks the row.
REVOKE ALL ON members FROM collegium_graph;
GRANT SELECT (id, key), UPDATE (updated_at), INSERT ON members TO collegium_graph;
ALTER TABLE members ENABLE ROW LEVEL SECURITY;
CREATE POLICY members_read ON members FOR SELECT TO collegium_graph
    USING (id = (SELECT acting_member()) OR (SELECT acting_may('READ_REGISTER')));
CREATE POLICY members_write ON members FOR UPDATE TO collegium_graph
    USING (id = (SELECT acting_member()) OR (SELECT acting_may('MANAGE_REGISTER')));
CREATE POLICY members_insert ON members FOR INSERT TO collegium_graph
    WITH CHECK ((SELECT acting_may('MANAGE_REGISTER')));

-- A field that stands in a row of its own is there for whom the member may be known to
-- and who belongs to its audience.
DROP POLICY member_details_shown ON member_details;
CREATE POLICY member_details_shown ON member_details FOR SELECT TO collegium_graph
    USING (member_id = (SELECT acting_member()) OR EXISTS (
        SELECT FROM member_sights s WHERE s.id = member_details.member_id AND member_details.audience = ANY(s.audiences)));

-- Who was in which section and when: those who show it are read through the views.
ALTER TABLE section_memberships ENABLE ROW LEVEL SECURITY;
CREATE POLICY section_memberships_own ON section_memberships TO collegium_graph
    USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('MANAGE_REGISTER')));
CREATE POLICY section_memberships_register ON section_memberships FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_REGISTER')));
CREATE POLICY section_memberships_counted ON section_memberships FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));

-- Who holds a post is as public as its committee.
ALTER TABLE terms ENABLE ROW LEVEL SECURITY;
CREATE POLICY terms_shown ON terms FOR SELECT TO collegium_graph
    USING (EXISTS (
        SELECT
        FROM posts p
        JOIN committees c ON c.id = p.committee_id
        LEFT JOIN entries e ON e.id = c.unit_id
        WHERE p.id = terms.post_id
            AND (c.unit_id IS NULL OR (e.status = 'PUBLISHED' AND (e.access <> 'STAFF' OR (SELECT acting_may('READ_STAFF_CONTENT')))))));
CREATE POLICY terms_office ON terms TO collegium_graph
    USING ((SELECT acting_may('MANAGE_REGISTER')));

-- Which case study is published says its entry.
ALTER TABLE case_studies ENABLE ROW LEVEL SECURITY;
CREATE POLICY case_studies_shown ON case_studies FOR SELECT TO collegium_graph
    USING (EXISTS (
        SELECT
        FROM entries e
        WHERE e.id = case_studies.entry_id AND e.status = 'PUBLISHED' AND (e.access <> 'STAFF' OR (SELECT acting_may('READ_STAFF_CONTENT')))));
