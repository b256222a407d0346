SET lock_timeout = '5s';

-- The key of a row about a person can hold what the person is called elsewhere, as by
-- a provider of sign-ins. Of such keys only ids, days, numbers and names of closed
-- sets are written.
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
                ELSIF jsonb_typeof(r -> name) = 'string' AND name NOT IN ('role', 'body') AND audit_person(table_name, r) IS NOT NULL
                    AND part !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AND part !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
                    part := '*';
                END IF;
                all_of := CASE WHEN all_of IS NULL THEN part ELSE all_of || ' ' || part END;
            END LOOP;
            RETURN all_of;
        END
        $$
    $sql$, current_schema());
END
$do$;
