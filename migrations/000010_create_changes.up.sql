SET lock_timeout = '5s';

-- Which tables each transaction wrote to, written by the transaction itself: it is
-- seen when the transaction is committed and never before. A reader keeps the
-- snapshot in which it last looked; the rows whose transaction was not over in
-- that snapshot are exactly what has been committed since, whatever the order in
-- which transactions began and ended.
CREATE TABLE changes (
    xid        xid8 NOT NULL,
    table_name name NOT NULL,
    PRIMARY KEY (xid, table_name)
);

-- What was visible to everyone when the changes were last pruned.
CREATE TABLE changes_horizon (
    one      boolean     PRIMARY KEY DEFAULT true,
    snapshot pg_snapshot NOT NULL,
    taken_at timestamptz NOT NULL,
    CONSTRAINT changes_horizon_is_one_row CHECK (one)
);

INSERT INTO changes_horizon (snapshot, taken_at) VALUES (pg_current_snapshot(), now());

CREATE FUNCTION note_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (xid, table_name)
    VALUES (pg_current_xact_id(), TG_TABLE_NAME)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

-- Removes the changes that were committed at least ten minutes ago: those that the
-- horizon sees, if it is that old. Then it takes a new horizon.
CREATE FUNCTION prune_changes() RETURNS void
LANGUAGE sql AS $$
    WITH due AS MATERIALIZED (
        SELECT h.snapshot
        FROM changes_horizon h
        WHERE h.taken_at < clock_timestamp() - interval '10 minutes'
        FOR UPDATE SKIP LOCKED
    ), pruned AS (
        DELETE FROM changes c
        USING due d
        WHERE c.xid < pg_snapshot_xmax(d.snapshot)
          AND pg_visible_in_snapshot(c.xid, d.snapshot)
    )
    UPDATE changes_horizon h
    SET snapshot = pg_current_snapshot(), taken_at = clock_timestamp()
    FROM due;
$$;

-- The trigger fires for whoever writes, replicas and restores included.
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
