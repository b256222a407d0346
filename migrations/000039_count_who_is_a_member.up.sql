SET lock_timeout = '5s';

-- How many people of each region and section are members on a day: figures that are
-- published, of rows that who asks may not read. A member is who is counted as one in
-- statistics: the membership has begun, and has neither ended nor lapsed. That is what
-- membership_statuses says, read here from indexes alone: of the last periods, and of
-- those that another follows. All of them are read whichever unit it is, so loops
-- over rows, which the planner prefers for a day that it does not know, cost the most.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION section_member_counts(sections uuid[], as_of date)
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
        CREATE OR REPLACE FUNCTION region_member_counts(regions uuid[], as_of date)
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
