SET lock_timeout = '5s';

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

DO $do$
BEGIN
    EXECUTE format($sql$
CREATE OR REPLACE FUNCTION membership_periods_show() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
DECLARE
    of_member uuid := COALESCE(NEW.member_id, OLD.member_id);
BEGIN
    UPDATE members m
    SET grade = p.grade, joined_on = f.starts_on
    FROM (
        SELECT p.grade FROM membership_periods p
        WHERE p.member_id = of_member AND (p.next_on IS NULL OR p.next_on > CURRENT_DATE)
        ORDER BY p.starts_on LIMIT 1
    ) p, (
        SELECT p.starts_on FROM membership_periods p WHERE p.member_id = of_member ORDER BY p.starts_on LIMIT 1
    ) f
    WHERE m.id = of_member AND (m.grade <> p.grade OR m.joined_on <> f.starts_on);
    RETURN NULL;
END
$$
    $sql$, current_schema());
END
$do$;

DO $do$
BEGIN
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
            IF ids IS NOT NULL THEN
                PERFORM membership_stretches_keep(ids);
            END IF;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());
END
$do$;
DROP TABLE membership_stretches_pending;
DROP FUNCTION membership_stretches_keep_pending();

-- Makes the stretches of members what they should be. How many rows come of it is not
-- known when it is planned, so it is never done for each row against all others.
CREATE OR REPLACE FUNCTION membership_stretches_keep(of_members uuid[]) RETURNS void
LANGUAGE plpgsql SET enable_nestloop = off SET work_mem = '64MB' SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    -- For one member, planning takes longer than the rest.
    PERFORM set_config('plan_cache_mode', CASE WHEN cardinality(of_members) > 100 THEN 'force_custom_plan' ELSE 'force_generic_plan' END, true);
    -- One at a time for a member: what is read below is what others have committed.
    PERFORM FROM members m WHERE m.id = ANY(of_members) ORDER BY m.id FOR NO KEY UPDATE;
    WITH turns AS MATERIALIZED (
        SELECT * FROM membership_turns(of_members)
    ), strata_present AS (
        SELECT w.*, (
                SELECT s.id
                FROM membership_strata s
                WHERE (s.grade, s.status, s.member) = (w.grade, w.status, w.member) AND s.region_id IS NOT DISTINCT FROM w.region_id
            ) AS id
        FROM (SELECT DISTINCT t.grade, t.status, t.member, t.region_id FROM turns t) w
    ), strata_made AS (
        -- If somebody else makes it at the same time, it is theirs that returns.
        INSERT INTO membership_strata AS s (grade, status, member, region_id)
        SELECT p.grade, p.status, p.member, p.region_id
        FROM strata_present p
        WHERE p.id IS NULL
        ORDER BY 1, 2, 3, 4
        ON CONFLICT ON CONSTRAINT membership_strata_one_of_each DO UPDATE SET grade = s.grade
        RETURNING s.grade, s.status, s.member, s.region_id, s.id
    ), strata AS (
        SELECT * FROM strata_present WHERE id IS NOT NULL
        UNION ALL
        SELECT * FROM strata_made
    ), sets_present AS (
        SELECT w.section_ids, (SELECT s.id FROM section_sets s WHERE s.section_ids = w.section_ids) AS id
        FROM (SELECT DISTINCT t.section_ids FROM turns t) w
    ), sets_made AS (
        INSERT INTO section_sets AS s (section_ids)
        SELECT p.section_ids
        FROM sets_present p
        WHERE p.id IS NULL
        ORDER BY 1
        ON CONFLICT ON CONSTRAINT section_sets_one_of_each DO UPDATE SET section_ids = s.section_ids
        RETURNING s.section_ids, s.id
    ), sets AS (
        SELECT * FROM sets_present WHERE id IS NOT NULL
        UNION ALL
        SELECT * FROM sets_made
    ), known AS (
        SELECT t.member_id, t.day, s.id AS stratum, ss.id AS section_set, lag(s.id) OVER w AS stratum_before, lag(ss.id) OVER w AS section_set_before
        FROM turns t
        JOIN strata s ON (s.grade, s.status, s.member) = (t.grade, t.status, t.member) AND s.region_id IS NOT DISTINCT FROM t.region_id
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
    ON CONFLICT (member_id, since) DO UPDATE
    SET until = EXCLUDED.until, stratum = EXCLUDED.stratum, section_set = EXCLUDED.section_set,
        stratum_before = EXCLUDED.stratum_before, section_set_before = EXCLUDED.section_set_before
    WHERE (s.until, s.stratum, s.section_set, s.stratum_before, s.section_set_before)
        IS DISTINCT FROM (EXCLUDED.until, EXCLUDED.stratum, EXCLUDED.section_set, EXCLUDED.stratum_before, EXCLUDED.section_set_before);
END
$$;

DROP FUNCTION membership_stratum(text, text, boolean, uuid);
DROP FUNCTION section_set(uuid[]);

-- A function keeps the settings that it was made with.
DROP FUNCTION section_member_counts(uuid[], date);
DROP FUNCTION region_member_counts(uuid[], date);
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION section_member_counts(sections uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp SET enable_nestloop = off SET jit = off AS $$
            SELECT sm.section_id, count(*)
            FROM (
                SELECT p.member_id, p.grade, p.ends_on, p.ended_how
                FROM membership_periods p
                WHERE p.next_on IS NULL AND p.governs_on <= as_of AND p.starts_on <= as_of
                UNION ALL
                SELECT p.member_id, p.grade, p.ends_on, p.ended_how
                FROM membership_periods p
                WHERE p.next_on > as_of AND p.governs_on <= as_of AND p.starts_on <= as_of
            ) p
            JOIN membership_rules r ON r.grade = p.grade AND r.since <= as_of AND (r.until IS NULL OR r.until > as_of)
            JOIN section_memberships sm ON sm.member_id = p.member_id
            WHERE sm.section_id = ANY(sections)
                AND sm.starts_on <= as_of
                AND (sm.ends_on IS NULL OR sm.ends_on >= as_of)
                AND (p.ends_on IS NULL OR p.ends_on >= as_of OR p.ended_how IS NULL AND p.ends_on + r.grace_days >= as_of)
            GROUP BY sm.section_id
        $$
    $sql$, current_schema());
    EXECUTE format($sql$
        CREATE FUNCTION region_member_counts(regions uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp SET enable_nestloop = off SET jit = off AS $$
            SELECT m.region_id, count(*)
            FROM (
                SELECT p.member_id, p.grade, p.ends_on, p.ended_how
                FROM membership_periods p
                WHERE p.next_on IS NULL AND p.governs_on <= as_of AND p.starts_on <= as_of
                UNION ALL
                SELECT p.member_id, p.grade, p.ends_on, p.ended_how
                FROM membership_periods p
                WHERE p.next_on > as_of AND p.governs_on <= as_of AND p.starts_on <= as_of
            ) p
            JOIN membership_rules r ON r.grade = p.grade AND r.since <= as_of AND (r.until IS NULL OR r.until > as_of)
            JOIN members m ON m.id = p.member_id
            WHERE m.region_id = ANY(regions)
                AND (p.ends_on IS NULL OR p.ends_on >= as_of OR p.ended_how IS NULL AND p.ends_on + r.grace_days >= as_of)
            GROUP BY m.region_id
        $$
    $sql$, current_schema());
END
$do$;

DROP TRIGGER membership_stretches_note_change ON membership_stretches;
DROP TRIGGER membership_strata_note_change ON membership_strata;
DROP TRIGGER section_sets_note_change ON section_sets;
