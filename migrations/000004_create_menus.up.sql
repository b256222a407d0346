SET lock_timeout = '5s';

CREATE TABLE menus (
    id         uuid        PRIMARY KEY,
    handle     text        NOT NULL,
    title      text        NOT NULL,
    position   integer     NOT NULL DEFAULT 0,
    -- Counts the writes to the menu and its items.
    revision   integer     NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT menus_handle_unique UNIQUE (handle),
    CONSTRAINT menus_handle_form CHECK (handle ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT menus_title_present CHECK (title <> '')
);

-- Where things are placed. A thing may be placed in several menus, and twice in one.
CREATE TABLE menu_items (
    id           uuid    PRIMARY KEY,
    key          text    NOT NULL,
    menu_id      uuid    NOT NULL REFERENCES menus (id) ON DELETE CASCADE,
    parent_id    uuid,
    position     integer NOT NULL,
    label        text    NOT NULL,
    kind         text    NOT NULL,
    entry_id     uuid    REFERENCES entries (id),
    url          text,
    action       text,
    -- The placement that counts as the thing's own among all its placements.
    is_canonical boolean NOT NULL DEFAULT false,
    access       text    NOT NULL DEFAULT 'PUBLIC',

    CONSTRAINT menu_items_key_unique UNIQUE (key),
    CONSTRAINT menu_items_menu_id_id_unique UNIQUE (menu_id, id),
    -- The parent is an item of the same menu.
    CONSTRAINT menu_items_parent_fkey FOREIGN KEY (menu_id, parent_id) REFERENCES menu_items (menu_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT menu_items_not_own_parent CHECK (parent_id <> id),
    CONSTRAINT menu_items_position_unique UNIQUE NULLS NOT DISTINCT (menu_id, parent_id, position)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT menu_items_position_not_negative CHECK (position >= 0),
    CONSTRAINT menu_items_label_present CHECK (label <> '' AND label = btrim(label)),
    CONSTRAINT menu_items_kind_known CHECK (kind IN ('PAGE', 'EXTERNAL', 'HEADING', 'ACTION')),
    CONSTRAINT menu_items_access_known CHECK (access IN ('PUBLIC', 'MEMBERS', 'STAFF')),
    CONSTRAINT menu_items_action_known CHECK (action IN ('LOG_IN', 'SEARCH')),
    CONSTRAINT menu_items_url_is_http CHECK (url ~ '^https?://[^/\s]+'),
    CONSTRAINT menu_items_target_fits_kind CHECK (
        CASE kind
            WHEN 'PAGE' THEN entry_id IS NOT NULL AND url IS NULL AND action IS NULL
            -- The address of an external item may be unknown.
            WHEN 'EXTERNAL' THEN entry_id IS NULL AND action IS NULL
            WHEN 'ACTION' THEN action IS NOT NULL AND entry_id IS NULL AND url IS NULL
            ELSE entry_id IS NULL AND url IS NULL AND action IS NULL
        END),
    CONSTRAINT menu_items_canonical_is_page CHECK (NOT is_canonical OR kind = 'PAGE')
);

CREATE INDEX menu_items_parent_id ON menu_items (parent_id);
CREATE INDEX menu_items_entry_id ON menu_items (entry_id);
CREATE UNIQUE INDEX menu_items_one_canonical_per_entry ON menu_items (entry_id) WHERE is_canonical;

-- Writes to items come one after another: a statement takes the lock before it
-- touches a row, so that the walk up sees every move before it, two moves that are
-- harmless alone cannot close a circle together, and no two writers wait for each other.
CREATE FUNCTION menu_items_lock() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('menu_items'));
    RETURN NULL;
END
$$;

CREATE TRIGGER menu_items_lock BEFORE INSERT OR UPDATE OR DELETE ON menu_items
    FOR EACH STATEMENT EXECUTE FUNCTION menu_items_lock();

-- Walks up by the primary key, whatever the planner thinks of a table that was
-- empty when it first looked.
CREATE FUNCTION menu_items_check_no_cycle() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    up uuid := NEW.parent_id;
    steps integer := 0;
BEGIN
    WHILE up IS NOT NULL LOOP
        steps := steps + 1;
        -- Rows that arrive together may hold a circle above this one.
        IF up = NEW.id OR steps > 1000 THEN
            RAISE EXCEPTION 'menu item % cannot be placed below itself', NEW.label
                USING ERRCODE = 'check_violation', CONSTRAINT = 'menu_items_no_cycle', TABLE = 'menu_items';
        END IF;
        SELECT i.parent_id INTO up FROM menu_items i WHERE i.id = up;
    END LOOP;
    RETURN NULL;
END
$$;

-- Rows that name each other as parents may arrive together.
CREATE CONSTRAINT TRIGGER menu_items_no_cycle_on_insert
    AFTER INSERT ON menu_items
    DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL)
    EXECUTE FUNCTION menu_items_check_no_cycle();

CREATE CONSTRAINT TRIGGER menu_items_no_cycle
    AFTER UPDATE OF parent_id ON menu_items
    DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND OLD.parent_id IS DISTINCT FROM NEW.parent_id)
    EXECUTE FUNCTION menu_items_check_no_cycle();

CREATE FUNCTION menus_touch_by_items() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE menus SET revision = revision + 1, updated_at = now()
        WHERE id IN (SELECT o.menu_id FROM old_items o);
    ELSE
        UPDATE menus SET revision = revision + 1, updated_at = now()
        WHERE id IN (SELECT n.menu_id FROM new_items n);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER menus_touch_after_insert AFTER INSERT ON menu_items
    REFERENCING NEW TABLE AS new_items FOR EACH STATEMENT EXECUTE FUNCTION menus_touch_by_items();
CREATE TRIGGER menus_touch_after_update AFTER UPDATE ON menu_items
    REFERENCING NEW TABLE AS new_items FOR EACH STATEMENT EXECUTE FUNCTION menus_touch_by_items();
CREATE TRIGGER menus_touch_after_delete AFTER DELETE ON menu_items
    REFERENCING OLD TABLE AS old_items FOR EACH STATEMENT EXECUTE FUNCTION menus_touch_by_items();
