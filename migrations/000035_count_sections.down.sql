SET lock_timeout = '5s';

DROP VIEW members_shown_section_ids, members_public_section_ids;

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
BEGIN
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
        -- Those who show in which sections they are, a row for each time in one. The members
        -- of a section are looked up one by one: however many there are in all, a small
        -- section costs little.
        EXECUTE format($sql$CREATE OR REPLACE VIEW %I AS
            SELECT sm.member_id AS id%s, sm.section_id, sm.starts_on, sm.ends_on, sm.sort_name AS name_in_section
            FROM section_memberships sm
            CROSS JOIN LATERAL (SELECT m.* FROM members m WHERE m.id = sm.member_id OFFSET 0) m%s
            WHERE %s AND %s$sql$,
            v.name || '_in_sections', columns, v.joined,
            format(v.row_shown, 'listing_audience'), format(v.row_shown, 'sections_audience'));
    END LOOP;
END
$do$;
