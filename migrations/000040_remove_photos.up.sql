SET lock_timeout = '5s';

-- Who keeps the register removes a photo whoever sees it: also one that is shown to
-- nobody, which they see neither.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION remove_photo_of(of_member uuid) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        BEGIN
            IF NOT acting_may('MANAGE_REGISTER') THEN
                RAISE insufficient_privilege USING MESSAGE = 'only who keeps the register removes the photos of others';
            END IF;
            DELETE FROM member_photos p WHERE p.member_id = of_member;
            UPDATE member_details d SET value = NULL, updated_at = now() WHERE d.member_id = of_member AND d.field = 'PHOTO';
            UPDATE members m SET updated_at = clock_timestamp() WHERE m.id = of_member;
            RETURN FOUND;
        END
        $$
    $sql$, current_schema());
END
$do$;
