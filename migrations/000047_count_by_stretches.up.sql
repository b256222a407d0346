SET lock_timeout = '5s';

-- How many members a section or a region has is published, and rests on these now.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['membership_stretches', 'membership_strata', 'section_sets'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$I '
            'FOR EACH STATEMENT EXECUTE FUNCTION note_change()', t);
        EXECUTE format('ALTER TABLE %1$I ENABLE ALWAYS TRIGGER %1$s_note_change', t);
    END LOOP;
END
$$;

-- How many people of each region and section are members on a day: figures that are
-- published, of rows that who asks may not read. The stretches of the day are counted
-- before anything is asked about them: of 20,000 some hundreds of groups are left.
-- Whether those of a stratum are members is looked up by its number, without a join:
-- with each stratum of each set of sections there would be as many groups as members.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION section_member_counts(sections uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp SET jit = off AS $$
        DECLARE
            counted boolean[] := (
                SELECT array_agg(COALESCE(st.member, false) ORDER BY i.id)
                FROM generate_series(1, (SELECT max(st.id) FROM membership_strata st)) AS i (id)
                LEFT JOIN membership_strata st ON st.id = i.id);
        BEGIN
            RETURN QUERY
                SELECT x.id, sum(g.n)::bigint
                FROM (
                    SELECT s.section_set, count(*) AS n
                    FROM membership_stretches s
                    WHERE s.until > as_of AND s.since <= as_of AND counted[s.stratum]
                    GROUP BY s.section_set
                ) g
                JOIN section_sets ss ON ss.id = g.section_set AND ss.section_ids && sections
                CROSS JOIN LATERAL unnest(ss.section_ids) AS x (id)
                WHERE x.id = ANY(sections)
                GROUP BY x.id;
        END
        $$
    $sql$, current_schema());
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION region_member_counts(regions uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp SET jit = off AS $$
        BEGIN
            RETURN QUERY
                SELECT st.region_id, sum(g.n)::bigint
                FROM (
                    SELECT s.stratum, count(*) AS n
                    FROM membership_stretches s
                    WHERE s.until > as_of AND s.since <= as_of
                    GROUP BY s.stratum
                ) g
                JOIN membership_strata st ON st.id = g.stratum AND st.member AND st.region_id = ANY(regions)
                GROUP BY st.region_id;
        END
        $$
    $sql$, current_schema());
END
$do$;

-- The numbers of a stratum and of a set of sections. There nearly always is one already,
-- and then nothing is written: what rests on these tables stays.
CREATE FUNCTION membership_stratum(of_grade text, of_status text, of_member boolean, of_region uuid) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    found_id integer := (
        SELECT s.id
        FROM membership_strata s
        WHERE (s.grade, s.status, s.member) = (of_grade, of_status, of_member) AND s.region_id IS NOT DISTINCT FROM of_region);
BEGIN
    IF found_id IS NULL THEN
        -- If somebody else makes it at the same time, it is theirs that returns.
        INSERT INTO membership_strata AS s (grade, status, member, region_id)
        VALUES (of_grade, of_status, of_member, of_region)
        ON CONFLICT ON CONSTRAINT membership_strata_one_of_each DO UPDATE SET grade = s.grade
        RETURNING s.id INTO found_id;
    END IF;
    RETURN found_id;
END
$$;

CREATE FUNCTION section_set(of_sections uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    found_id integer := (SELECT s.id FROM section_sets s WHERE s.section_ids = of_sections);
BEGIN
    IF found_id IS NULL THEN
        INSERT INTO section_sets AS s (section_ids)
        VALUES (of_sections)
        ON CONFLICT ON CONSTRAINT section_sets_one_of_each DO UPDATE SET section_ids = s.section_ids
        RETURNING s.id INTO found_id;
    END IF;
    RETURN found_id;
END
$$;

REVOKE EXECUTE ON FUNCTION membership_stratum(text, text, boolean, uuid), section_set(uuid[]) FROM PUBLIC;

-- Makes the stretches of members what they should be, and writes only what is not. How
-- many rows come of it is not known when it is planned, so it is never done for each row
-- against all others.
CREATE OR REPLACE FUNCTION membership_stretches_keep(of_members uuid[]) RETURNS void
LANGUAGE plpgsql SET enable_nestloop = off SET work_mem = '64MB' SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    -- For one member, planning takes longer than the rest.
    PERFORM set_config('plan_cache_mode', CASE WHEN cardinality(of_members) > 100 THEN 'force_custom_plan' ELSE 'force_generic_plan' END, true);
    -- One at a time for a member: what is read below is what others have committed.
    PERFORM FROM members m WHERE m.id = ANY(of_members) ORDER BY m.id FOR NO KEY UPDATE;
    WITH turns AS MATERIALIZED (
        -- Of a member in no region it is a number that no region has: then both sides
        -- are equal, and not only the same.
        SELECT t.*, COALESCE(t.region_id, '00000000-0000-0000-0000-000000000000') AS region
        FROM membership_turns(of_members) t
    ), strata AS MATERIALIZED (
        SELECT w.grade, w.status, w.member, w.region, membership_stratum(w.grade, w.status, w.member, w.region_id) AS id
        FROM (SELECT DISTINCT t.grade, t.status, t.member, t.region_id, t.region FROM turns t ORDER BY 1, 2, 3, 4) w
    ), sets AS MATERIALIZED (
        SELECT w.section_ids, section_set(w.section_ids) AS id
        FROM (SELECT DISTINCT t.section_ids FROM turns t ORDER BY 1) w
    ), known AS (
        SELECT t.member_id, t.day, s.id AS stratum, ss.id AS section_set, lag(s.id) OVER w AS stratum_before, lag(ss.id) OVER w AS section_set_before
        FROM turns t
        JOIN strata s ON (s.grade, s.status, s.member, s.region) = (t.grade, t.status, t.member, t.region)
        JOIN sets ss ON ss.section_ids = t.section_ids
        WINDOW w AS (PARTITION BY t.member_id ORDER BY t.day)
    ), stretches AS MATERIALIZED (
        SELECT k.member_id, k.day AS since, lead(k.day, 1, 'infinity') OVER (PARTITION BY k.member_id ORDER BY k.day) AS until,
            k.stratum, k.section_set, k.stratum_before, k.section_set_before
        FROM known k
        WHERE k.stratum IS DISTINCT FROM k.stratum_before OR k.section_set IS DISTINCT FROM k.section_set_before
    ), gone AS (
        DELETE FROM membership_stretches s
        WHERE s.member_id = ANY(of_members)
            AND NOT EXISTS (SELECT FROM stretches n WHERE n.member_id = s.member_id AND n.since = s.since)
    )
    INSERT INTO membership_stretches AS s (member_id, since, until, stratum, section_set, stratum_before, section_set_before)
    SELECT n.member_id, n.since, n.until, n.stratum, n.section_set, n.stratum_before, n.section_set_before
    FROM stretches n
    WHERE NOT EXISTS (
        SELECT
        FROM membership_stretches o
        WHERE o.member_id = ANY(of_members)
            AND (o.member_id, o.since, o.until, o.stratum, o.section_set) = (n.member_id, n.since, n.until, n.stratum, n.section_set)
            AND (o.stratum_before, o.section_set_before) IS NOT DISTINCT FROM (n.stratum_before, n.section_set_before))
    ON CONFLICT (member_id, since) DO UPDATE
    SET until = EXCLUDED.until, stratum = EXCLUDED.stratum, section_set = EXCLUDED.section_set,
        stratum_before = EXCLUDED.stratum_before, section_set_before = EXCLUDED.section_set_before;
END
$$;

-- Whose stretches a transaction has yet to make: one that writes about many members can
-- have them made once, when it commits, by setting collegium.stretches to 'at commit' for
-- itself. Its own trigger empties it before the transaction commits; so what a
-- transaction sees in it is its own, and nothing in it ever needs to survive a crash.
CREATE UNLOGGED TABLE membership_stretches_pending (
    member_ids uuid[]  NOT NULL,
    wakes      boolean NOT NULL
);
REVOKE ALL ON membership_stretches_pending FROM collegium_graph;

DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION membership_stretches_keep_pending() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            ids uuid[];
        BEGIN
            WITH taken AS (DELETE FROM membership_stretches_pending RETURNING member_ids)
            SELECT array_agg(DISTINCT x.id) INTO ids FROM taken t CROSS JOIN LATERAL unnest(t.member_ids) AS x (id);
            IF ids IS NOT NULL THEN
                PERFORM membership_stretches_keep(ids);
            END IF;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());
    -- After a statement that wrote periods, suspensions, sections, regions or rules.
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION membership_stretches_follow() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            ids uuid[];
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                DELETE FROM membership_stretches;
                SELECT array_agg(m.id) INTO ids FROM members m;
            ELSIF TG_TABLE_NAME = 'membership_rules' AND TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT p.member_id) INTO ids
                FROM new_rows n
                JOIN membership_periods p ON p.grade = n.grade AND (p.next_on IS NULL OR p.next_on > n.since);
            ELSIF TG_TABLE_NAME = 'membership_rules' AND TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT p.member_id) INTO ids
                FROM old_rows o
                JOIN membership_periods p ON p.grade = o.grade AND (p.next_on IS NULL OR p.next_on > o.since);
            ELSIF TG_TABLE_NAME = 'membership_rules' THEN
                -- There is a rule on each day: if one ends earlier, the one that follows it is
                -- written too, and so is what comes of both.
                SELECT array_agg(DISTINCT p.member_id) INTO ids
                FROM new_rows n
                FULL JOIN old_rows o ON o.grade = n.grade AND o.since = n.since
                JOIN membership_periods p ON p.grade = COALESCE(n.grade, o.grade)
                    AND (p.next_on IS NULL OR p.next_on > COALESCE(n.since, o.since))
                WHERE o.grade IS NULL OR n.grade IS NULL
                    OR (n.grace_days, n.counts_as) <> (o.grace_days, o.counts_as)
                    OR COALESCE(n.until, 'infinity') > COALESCE(o.until, 'infinity');
            ELSIF TG_TABLE_NAME = 'members' THEN
                SELECT array_agg(n.id) INTO ids
                FROM new_rows n
                JOIN old_rows o ON o.id = n.id
                WHERE o.region_id IS DISTINCT FROM n.region_id;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT n.member_id) INTO ids FROM new_rows n;
            ELSIF TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT o.member_id) INTO ids FROM old_rows o;
            ELSIF TG_TABLE_NAME = 'section_memberships' THEN
                -- Not if only the name by which they are sorted is another.
                SELECT array_agg(DISTINCT x.member_id) INTO ids
                FROM (
                    (SELECT o.member_id, o.section_id, o.starts_on, o.ends_on FROM old_rows o
                    EXCEPT SELECT n.member_id, n.section_id, n.starts_on, n.ends_on FROM new_rows n)
                    UNION ALL
                    (SELECT n.member_id, n.section_id, n.starts_on, n.ends_on FROM new_rows n
                    EXCEPT SELECT o.member_id, o.section_id, o.starts_on, o.ends_on FROM old_rows o)
                ) x;
            ELSE
                SELECT array_agg(DISTINCT x.member_id) INTO ids
                FROM (SELECT o.member_id FROM old_rows o UNION ALL SELECT n.member_id FROM new_rows n) x;
            END IF;
            IF ids IS NULL THEN
                RETURN NULL;
            ELSIF current_setting('collegium.stretches', true) = 'at commit' THEN
                -- The first note of a transaction wakes what is done at its end.
                INSERT INTO membership_stretches_pending (member_ids, wakes)
                SELECT ids, NOT EXISTS (SELECT FROM membership_stretches_pending);
            ELSE
                PERFORM membership_stretches_keep(ids);
            END IF;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());
END
$do$;

CREATE CONSTRAINT TRIGGER membership_stretches_pending_keep AFTER INSERT ON membership_stretches_pending
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.wakes)
    EXECUTE FUNCTION membership_stretches_keep_pending();

-- A period that follows another says so in the one before, unless that was told.
CREATE OR REPLACE FUNCTION membership_periods_chain() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE membership_periods SET next_on = OLD.next_on
        WHERE member_id = OLD.member_id AND next_on = OLD.starts_on;
        IF NOT FOUND AND OLD.next_on IS NOT NULL THEN
            UPDATE membership_periods SET governs_on = least(starts_on, recorded_on)
            WHERE member_id = OLD.member_id AND starts_on = OLD.next_on;
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.member_id <> OLD.member_id THEN
            RAISE EXCEPTION 'a period stays with its member' USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_periods_member_stays';
        END IF;
        UPDATE membership_periods SET next_on = NEW.starts_on
        WHERE member_id = OLD.member_id AND next_on = OLD.starts_on;
        NEW.governs_on := CASE WHEN FOUND THEN NEW.starts_on ELSE least(NEW.starts_on, NEW.recorded_on) END;
        RETURN NEW;
    END IF;
    NEW.next_on := (SELECT min(p.starts_on) FROM membership_periods p WHERE p.member_id = NEW.member_id AND p.starts_on > NEW.starts_on);
    -- Who writes many at once has told those before already.
    IF EXISTS (SELECT FROM membership_periods p WHERE p.member_id = NEW.member_id AND p.next_on = NEW.starts_on) THEN
        NEW.governs_on := NEW.starts_on;
        RETURN NEW;
    END IF;
    UPDATE membership_periods SET next_on = NEW.starts_on
    WHERE member_id = NEW.member_id AND starts_on < NEW.starts_on AND (next_on IS NULL OR next_on > NEW.starts_on);
    IF FOUND THEN
        NEW.governs_on := NEW.starts_on;
    ELSE
        NEW.governs_on := least(NEW.starts_on, NEW.recorded_on);
        IF NEW.next_on IS NOT NULL THEN
            UPDATE membership_periods SET governs_on = starts_on WHERE member_id = NEW.member_id AND starts_on = NEW.next_on;
        END IF;
    END IF;
    RETURN NEW;
END
$$;

-- The directory shows the grade and the day of joining that follow from the periods.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION membership_periods_show() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            of_member uuid := COALESCE(NEW.member_id, OLD.member_id);
            grade_now text := (
                SELECT p.grade FROM membership_periods p
                WHERE p.member_id = of_member AND (p.next_on IS NULL OR p.next_on > CURRENT_DATE)
                ORDER BY p.starts_on LIMIT 1);
            first_day date := (SELECT min(p.starts_on) FROM membership_periods p WHERE p.member_id = of_member);
        BEGIN
            -- A renewal changes nothing of it: then nothing that rests on members has changed.
            IF grade_now IS NOT NULL AND EXISTS (
                SELECT FROM members m WHERE m.id = of_member AND (m.grade <> grade_now OR m.joined_on <> first_day)
            ) THEN
                UPDATE members m SET grade = grade_now, joined_on = first_day WHERE m.id = of_member;
            END IF;
            RETURN NULL;
        END
        $$;
    $sql$, current_schema());
END
$do$;
