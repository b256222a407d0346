SET lock_timeout = '5s';

CREATE OR REPLACE FUNCTION audit_key(key text[], r jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_agg(r -> k.name ORDER BY k.i) FROM unnest(key) WITH ORDINALITY AS k (name, i)
$$;

DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION audit_row_key(table_name text, key text[], r jsonb) RETURNS text
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT string_agg(CASE
                WHEN k.name IN ('member_id', 'account_id') OR table_name IN ('members', 'accounts') AND k.name = 'id'
                THEN audit_pseudonym((r ->> k.name)::uuid)::text
                ELSE r ->> k.name
            END, ' ' ORDER BY k.i)
            FROM unnest(key) WITH ORDINALITY AS k (name, i)
        $$
    $sql$, current_schema());
END
$do$;
