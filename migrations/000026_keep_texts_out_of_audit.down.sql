SET lock_timeout = '5s';

DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION audit_row_key(table_name text, key text[], r jsonb) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            name   text;
            part   text;
            all_of text;
        BEGIN
            FOREACH name IN ARRAY key LOOP
                part := r ->> name;
                IF name IN ('member_id', 'account_id') OR name = 'id' AND table_name IN ('members', 'accounts') THEN
                    part := audit_pseudonym(part::uuid)::text;
                END IF;
                all_of := CASE WHEN all_of IS NULL THEN part ELSE all_of || ' ' || part END;
            END LOOP;
            RETURN all_of;
        END
        $$
    $sql$, current_schema());
END
$do$;
