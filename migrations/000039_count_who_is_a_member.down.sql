SET lock_timeout = '5s';

DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION section_member_counts(sections uuid[], as_of date)
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
        CREATE OR REPLACE FUNCTION region_member_counts(regions uuid[], as_of date)
        RETURNS TABLE (id uuid, n bigint)
        LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, %1$I, pg_temp AS $$
        BEGIN
            RETURN QUERY SELECT m.region_id, count(*) FROM members m WHERE m.region_id = ANY(regions) AND m.joined_on <= as_of GROUP BY m.region_id;
        END
        $$
    $sql$, current_schema());
END
$do$;
