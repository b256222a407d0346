SET lock_timeout = '5s';

-- For counting members. What can be said of one of them on a day, as far as members are
-- counted by it: there are some hundreds of these.
CREATE TABLE membership_strata (
    id        integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    grade     text    NOT NULL,
    status    text    NOT NULL,
    -- The membership has begun and has neither ended nor lapsed.
    member    boolean NOT NULL,
    region_id uuid,

    CONSTRAINT membership_strata_one_of_each UNIQUE NULLS NOT DISTINCT (grade, status, member, region_id)
);

-- Sections to which one member belongs at a time, in order.
CREATE TABLE section_sets (
    id          integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    section_ids uuid[]  NOT NULL,

    CONSTRAINT section_sets_one_of_each UNIQUE (section_ids)
);

-- From when to when which of them was true of a member, for all time from when it was
-- first known that there is one: each stretch ends where the next begins. All of it
-- follows from periods, rules, suspensions, sections and the region of today; triggers
-- keep it so.
CREATE TABLE membership_stretches (
    member_id      uuid    NOT NULL,
    since          date    NOT NULL,
    -- The first day on which it was no longer true; infinity: it stays so.
    until          date    NOT NULL,
    stratum        integer NOT NULL,
    section_set    integer NOT NULL,
    -- The same of the stretch that ends where this one begins; none: this is the first.
    stratum_before     integer,
    section_set_before integer,

    CONSTRAINT membership_stretches_pkey PRIMARY KEY (member_id, since),
    CONSTRAINT membership_stretches_until_after_since CHECK (until > since)
);

-- Counting reads nothing else of them.
CREATE INDEX membership_stretches_until ON membership_stretches (until, since)
    INCLUDE (stratum, section_set, stratum_before, section_set_before);

-- What is true of members from which day on. Nothing changes between two of the days
-- on which a period, a rule, a suspension or the belonging to a section begins or has
-- ended. Statuses are those of membership_statuses, which is not asked: it would read
-- all periods for each day.
CREATE FUNCTION membership_turns(of_members uuid[])
RETURNS TABLE (
    member_id   uuid,
    day         date,
    grade       text,
    status      text,
    member      boolean,
    region_id   uuid,
    section_ids uuid[]
)
LANGUAGE sql STABLE AS $$
    WITH periods AS MATERIALIZED (
        SELECT p.member_id, p.grade, p.starts_on, p.ends_on, p.ended_how, p.governs_on, p.next_on
        FROM membership_periods p
        WHERE p.member_id = ANY(of_members)
    ), days AS (
        SELECT p.member_id, p.governs_on AS day
        FROM periods p
        UNION
        SELECT p.member_id, p.starts_on
        FROM periods p
        UNION
        SELECT p.member_id, x.day
        FROM periods p
        JOIN membership_rules r ON r.grade = p.grade
        CROSS JOIN LATERAL (VALUES (r.since), (p.ends_on + 1), (p.ends_on + r.grace_days + 1)) AS x (day)
        WHERE x.day > p.governs_on AND (p.next_on IS NULL OR x.day < p.next_on)
        UNION
        SELECT s.member_id, x.day
        FROM membership_suspensions s
        CROSS JOIN LATERAL (VALUES (s.starts_on), (s.ends_on + 1)) AS x (day)
        WHERE s.member_id = ANY(of_members)
        UNION
        SELECT sm.member_id, x.day
        FROM section_memberships sm
        CROSS JOIN LATERAL (VALUES (sm.starts_on), (sm.ends_on + 1)) AS x (day)
        WHERE sm.member_id = ANY(of_members)
    )
    -- While a statement moves a period, two can govern a day.
    SELECT DISTINCT ON (d.member_id, d.day)
        d.member_id,
        d.day,
        p.grade,
        CASE
            WHEN p.starts_on > d.day THEN 'PENDING'
            WHEN p.ended_how IS NOT NULL AND p.ends_on < d.day THEN p.ended_how
            WHEN p.ends_on + r.grace_days < d.day THEN 'LAPSED'
            WHEN s.member_id IS NOT NULL THEN 'SUSPENDED'
            WHEN p.ends_on < d.day THEN 'GRACE'
            ELSE r.counts_as
        END,
        p.starts_on <= d.day AND (p.ends_on IS NULL OR p.ends_on >= d.day OR p.ended_how IS NULL AND p.ends_on + r.grace_days >= d.day),
        m.region_id,
        ARRAY(
            SELECT DISTINCT sm.section_id
            FROM section_memberships sm
            WHERE sm.member_id = d.member_id AND sm.starts_on <= d.day AND (sm.ends_on IS NULL OR sm.ends_on >= d.day)
            ORDER BY sm.section_id
        )
    FROM days d
    JOIN periods p ON p.member_id = d.member_id AND p.governs_on <= d.day AND (p.next_on IS NULL OR p.next_on > d.day)
    JOIN membership_rules r ON r.grade = p.grade AND r.since <= d.day AND (r.until IS NULL OR r.until > d.day)
    JOIN members m ON m.id = d.member_id AND m.id = ANY(of_members)
    LEFT JOIN membership_suspensions s ON s.member_id = d.member_id AND s.member_id = ANY(of_members)
        AND s.starts_on <= d.day AND (s.ends_on IS NULL OR s.ends_on >= d.day)
    ORDER BY d.member_id, d.day, p.governs_on DESC
$$;

-- Makes the stretches of members what they should be. How many rows come of it is not
-- known when it is planned, so it is never done for each row against all others.
CREATE FUNCTION membership_stretches_keep(of_members uuid[]) RETURNS void
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

-- These write what nobody who asks the graph may write.
DO $do$
BEGIN
    -- After a statement that wrote periods, suspensions, sections, regions or rules.
    EXECUTE format($sql$
        CREATE FUNCTION membership_stretches_follow() RETURNS trigger
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
    -- How many memberships of a day have which last day paid for, of those that were not
    -- renewed by then. The graph is told numbers, and the periods of nobody.
    EXECUTE format($sql$
        CREATE FUNCTION renewals_due(day date, first date, last date, of_grade text, of_region uuid, of_section uuid)
        RETURNS TABLE (ends_on date, n bigint)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT p.ends_on, count(*)
            FROM membership_periods p
            WHERE p.ends_on BETWEEN first AND last AND p.ended_how IS NULL AND p.governs_on <= day
                AND (p.next_on IS NULL OR p.next_on > day AND NOT EXISTS (
                    SELECT
                    FROM membership_periods n
                    WHERE n.member_id = p.member_id AND n.starts_on = p.next_on AND n.recorded_on <= day))
                AND (of_grade IS NULL OR p.grade = of_grade)
                AND (of_region IS NULL OR p.member_id IN (SELECT m.id FROM members m WHERE m.region_id = of_region))
                AND (of_section IS NULL OR p.member_id IN (
                    SELECT sm.member_id
                    FROM section_memberships sm
                    WHERE sm.section_id = of_section AND sm.starts_on <= day AND (sm.ends_on IS NULL OR sm.ends_on >= day)))
                AND (current_setting('role', true) IS DISTINCT FROM 'collegium_graph' OR acting_may('READ_STATISTICS'))
            GROUP BY p.ends_on
        $$
    $sql$, current_schema());
END
$do$;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['membership_periods', 'membership_suspensions', 'section_memberships', 'membership_rules'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_stretch_insert AFTER INSERT ON %1$I REFERENCING NEW TABLE AS new_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION membership_stretches_follow()', t);
        EXECUTE format('CREATE TRIGGER %1$s_stretch_delete AFTER DELETE ON %1$I REFERENCING OLD TABLE AS old_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION membership_stretches_follow()', t);
        EXECUTE format('CREATE TRIGGER %1$s_stretch_update AFTER UPDATE ON %1$I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION membership_stretches_follow()', t);
        EXECUTE format('CREATE TRIGGER %1$s_stretch_truncate AFTER TRUNCATE ON %1$I '
            'FOR EACH STATEMENT EXECUTE FUNCTION membership_stretches_follow()', t);
    END LOOP;
END
$$;
-- A new member has periods; one that is removed has none.
CREATE TRIGGER members_stretch_update AFTER UPDATE ON members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION membership_stretches_follow();

SELECT membership_stretches_keep(ids)
FROM (SELECT array_agg(m.id) AS ids FROM members m) m
WHERE ids IS NOT NULL;

-- Who counts members reads days and numbers, and of nobody whose they are.
ALTER TABLE membership_stretches ENABLE ROW LEVEL SECURITY;
CREATE POLICY membership_stretches_counted ON membership_stretches FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));
REVOKE ALL ON membership_stretches, membership_strata, section_sets FROM collegium_graph;
GRANT SELECT (since, until, stratum, section_set, stratum_before, section_set_before) ON membership_stretches TO collegium_graph;
GRANT SELECT ON membership_strata, section_sets TO collegium_graph;
DROP POLICY membership_periods_counted ON membership_periods;
DROP POLICY membership_suspensions_counted ON membership_suspensions;
DROP POLICY section_memberships_counted ON section_memberships;
DROP VIEW members_counted;
REVOKE EXECUTE ON FUNCTION membership_stretches_keep(uuid[]), renewals_due(date, date, date, text, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION renewals_due(date, date, date, text, uuid, uuid) TO collegium_graph;

-- Counting no longer reads them.
DROP INDEX membership_periods_followed;
DROP INDEX members_id_region;
DROP INDEX section_memberships_days;
