SET lock_timeout = '5s';

-- Which tables each transaction wrote to, written by the transaction itself: it is
-- seen when the transaction is committed and never before. A reader keeps the
-- snapshot in which it last looked; the rows whose transaction was not over in
-- that snapshot are exactly what has been committed since, whatever the order in
-- which transactions began and ended.
CREATE TABLE changes (
    xid        xid8 NOT NULL,
    table_name text NOT NULL,

    PRIMARY KEY (xid, table_name)
);

-- What was committed when changes were last removed. The next time those are
-- removed that it sees, so whoever looked in the present generation or in the one
-- before misses nothing.
CREATE TABLE changes_horizon (
    singleton  boolean     PRIMARY KEY DEFAULT true,
    generation bigint      NOT NULL DEFAULT 1,
    snapshot   pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    taken_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The transaction that wrote the row. In a database that was restored from a
    -- dump it is another, and the snapshot is one of another server.
    taken_by   xid8        NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT changes_horizon_one_row CHECK (singleton)
);

INSERT INTO changes_horizon DEFAULT VALUES;

-- These run with the rights of whoever migrates, so that a role that may write to
-- one table needs no rights here. So they name everything with its schema: neither
-- the search path of a session nor its temporary tables change what they do.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION note_change() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO %1$I.changes (xid, table_name)
            VALUES (pg_catalog.pg_current_xact_id(), TG_TABLE_NAME)
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());

    -- Removes the changes that were committed when this was last done, if that is
    -- at least so long ago.
    EXECUTE format($sql$
        CREATE FUNCTION prune_changes(age interval) RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
            WITH due AS MATERIALIZED (
                SELECT h.snapshot, h.xmin = h.taken_by::xid AS own
                FROM %1$I.changes_horizon h
                WHERE h.taken_at <= clock_timestamp() - age
                FOR UPDATE SKIP LOCKED
            ), pruned AS (
                DELETE FROM %1$I.changes c
                USING due d
                WHERE (d.own AND c.xid < pg_snapshot_xmax(d.snapshot) AND pg_visible_in_snapshot(c.xid, d.snapshot))
                   OR c.xid >= pg_snapshot_xmax(pg_current_snapshot())
            )
            UPDATE %1$I.changes_horizon h
            SET generation = h.generation + CASE WHEN d.own THEN 1 ELSE 2 END,
                snapshot = pg_current_snapshot(),
                taken_at = clock_timestamp(),
                taken_by = pg_current_xact_id()
            FROM due d
        $$
    $sql$, current_schema());
END
$do$;

-- The triggers fire for whoever writes, replicas and restores included.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY[
        'organisation', 'entries', 'routes', 'pages', 'documents', 'document_alternatives', 'blocks', 'block_entries',
        'menus', 'menu_items', 'units', 'members', 'section_memberships', 'committees', 'posts', 'terms',
        'career_levels', 'case_studies', 'entry_search', 'search_completions', 'search_terms'
    ] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$I '
            'FOR EACH STATEMENT EXECUTE FUNCTION note_change()', t);
        EXECUTE format('ALTER TABLE %1$I ENABLE ALWAYS TRIGGER %1$s_note_change', t);
    END LOOP;
END
$$;
