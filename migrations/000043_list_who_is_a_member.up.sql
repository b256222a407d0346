SET lock_timeout = '5s';

-- On which days somebody is a member: the membership has begun and has neither ended nor
-- lapsed. It follows from the stretches and stands with the member, where a list can ask
-- for it without reading anything else.
ALTER TABLE members ADD COLUMN member_on datemultirange NOT NULL DEFAULT '{}';

-- It is no edit of the record.
DROP TRIGGER members_touch_revision ON members;
CREATE TRIGGER members_touch_revision BEFORE UPDATE ON members
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* AND OLD.member_on = NEW.member_on) EXECUTE FUNCTION touch_revision();

DO $do$
DECLARE
    op      text;
    v       text;
    -- The office sees who was a member too, as does a key of a unit that may read the register
    -- there, and everyone the own record.
    registered CONSTANT text := $sql$ OR m.id = (SELECT acting_member()) OR (SELECT acting_may('READ_REGISTER'))
        OR ((SELECT acting_may_within('READ_REGISTER')) AND (m.region_id = (SELECT acting_unit()) OR EXISTS (
            SELECT
            FROM section_memberships theirs
            WHERE theirs.member_id = m.id AND theirs.section_id = (SELECT acting_unit())
                AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE))))$sql$;
BEGIN
    -- The stretches are written for one member at a time, or for many by an import.
    EXECUTE format($sql$
        CREATE FUNCTION members_follow_stretches() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp SET enable_nestloop = on
        SET plan_cache_mode = force_generic_plan AS $$
        DECLARE
            ids uuid[];
        BEGIN
            IF TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT o.member_id) INTO ids FROM old_rows o;
            ELSE
                SELECT array_agg(DISTINCT n.member_id) INTO ids FROM new_rows n;
            END IF;
            IF ids IS NOT NULL THEN
                UPDATE members m
                SET member_on = d.days
                FROM (
                    SELECT i.id, COALESCE(range_agg(daterange(s.since, s.until)) FILTER (WHERE t.member), '{}') AS days
                    FROM unnest(ids) AS i (id)
                    LEFT JOIN membership_stretches s ON s.member_id = i.id
                    LEFT JOIN membership_strata t ON t.id = s.stratum
                    GROUP BY i.id
                ) d
                WHERE m.id = d.id AND m.member_on <> d.days;
            END IF;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());
    FOREACH op IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
        EXECUTE format('CREATE TRIGGER membership_stretches_member_on_%1$s AFTER %1$s ON membership_stretches REFERENCING %2$s '
            'FOR EACH STATEMENT EXECUTE FUNCTION members_follow_stretches()',
            op, CASE op WHEN 'delete' THEN 'OLD TABLE AS old_rows' ELSE 'NEW TABLE AS new_rows' END);
    END LOOP;

    UPDATE members m
    SET member_on = d.days
    FROM (
        SELECT s.member_id AS id, range_agg(daterange(s.since, s.until)) AS days
        FROM membership_stretches s
        JOIN membership_strata t ON t.id = s.stratum
        WHERE t.member
        GROUP BY s.member_id
    ) d
    WHERE m.id = d.id;

    -- Of whom who asks may know, they are members today, whatever else each shows. The rest
    -- of each view stays what it is.
    FOREACH v IN ARRAY ARRAY['member_sights', 'members_shown', 'members_shown_by_region', 'members_shown_by_grade', 'members_shown_by_joined_on',
        'members_shown_by_headline', 'members_public', 'members_public_by_region', 'members_public_by_grade', 'members_public_by_joined_on',
        'members_public_by_headline'] LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I AS %s AND (m.member_on @> CURRENT_DATE%s)',
            v, rtrim(pg_get_viewdef(v::regclass), ';'), CASE WHEN v LIKE 'members_public%' THEN '' ELSE registered END);
    END LOOP;
END
$do$;

-- Whether one is a member today, of oneself.
CREATE OR REPLACE VIEW members_own AS
    SELECT m.id, m.display_name, m.sort_name, m.pronouns, m.headline, m.bio, m.grade, m.region_id, m.joined_on,
        m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
        m.joined_on_audience, m.sections_audience, m.revision, m.updated_at, m.member_on @> CURRENT_DATE AS is_member
    FROM members m
    WHERE m.id = (SELECT acting_member())
    WITH CHECK OPTION;
