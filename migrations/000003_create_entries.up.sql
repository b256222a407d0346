SET lock_timeout = '5s';

-- Everything that is published, of every kind. What only one kind has stands in
-- a detail table: pages, units, case_studies, documents.
CREATE TABLE entries (
    id            uuid        PRIMARY KEY,
    key           text        NOT NULL,
    kind          text        NOT NULL,
    -- The page tree: where the entry lives. The menus place it elsewhere, or nowhere.
    parent_id     uuid,
    position      integer     NOT NULL DEFAULT 0,
    slug          text        NOT NULL,
    title         text        NOT NULL,
    summary       text        NOT NULL DEFAULT '',
    status        text        NOT NULL DEFAULT 'PUBLISHED',
    access        text        NOT NULL DEFAULT 'PUBLIC',
    published_at  timestamptz,
    review_due_on date,
    revision      integer     NOT NULL DEFAULT 1,
    updated_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT entries_key_unique UNIQUE (key),
    CONSTRAINT entries_kind_known CHECK (kind IN ('PAGE', 'SPECIALIST_SECTION', 'REGION', 'CASE_STUDY', 'DOCUMENT')),
    CONSTRAINT entries_status_known CHECK (status IN ('DRAFT', 'PUBLISHED', 'GONE')),
    CONSTRAINT entries_access_known CHECK (access IN ('PUBLIC', 'MEMBERS', 'STAFF')),
    CONSTRAINT entries_slug_form CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' OR (slug = '' AND parent_id IS NULL)),
    CONSTRAINT entries_title_present CHECK (title <> ''),
    CONSTRAINT entries_position_not_negative CHECK (position >= 0),
    CONSTRAINT entries_not_own_parent CHECK (parent_id <> id),
    CONSTRAINT entries_parent_fkey FOREIGN KEY (parent_id) REFERENCES entries (id)
);

CREATE INDEX entries_parent_id_position ON entries (parent_id, position);
CREATE INDEX entries_kind_position ON entries (kind, position);

CREATE TRIGGER entries_touch_revision BEFORE UPDATE ON entries
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_revision();

-- A page tree stays a tree. Statements that can move entries take one lock before
-- they touch a row, so that two moves that are harmless alone cannot close a circle
-- together, and no two movers wait for each other.
CREATE FUNCTION entries_lock_tree() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('entries.parent_id'));
    RETURN NULL;
END
$$;

CREATE TRIGGER entries_lock_tree BEFORE INSERT OR UPDATE OF parent_id ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION entries_lock_tree();

-- Walks up by the primary key, whatever the planner thinks of a table that was
-- empty when it first looked.
CREATE FUNCTION entries_check_no_cycle() RETURNS trigger
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
            RAISE EXCEPTION 'entry % cannot live below itself', NEW.key
                USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_no_cycle', TABLE = 'entries';
        END IF;
        SELECT e.parent_id INTO up FROM entries e WHERE e.id = up;
    END LOOP;
    RETURN NULL;
END
$$;

-- Rows that name each other as parents may arrive together.
CREATE CONSTRAINT TRIGGER entries_no_cycle_on_insert
    AFTER INSERT ON entries
    DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL)
    EXECUTE FUNCTION entries_check_no_cycle();

CREATE CONSTRAINT TRIGGER entries_no_cycle
    AFTER UPDATE OF parent_id ON entries
    DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL AND OLD.parent_id IS DISTINCT FROM NEW.parent_id)
    EXECUTE FUNCTION entries_check_no_cycle();

-- One row for every path the site knows, and one meaning for each: the current
-- address of an entry, a redirect to an entry or to another site, or gone.
-- A redirect names an entry, never a path, so redirects cannot form chains or loops.
CREATE TABLE routes (
    path     text PRIMARY KEY,
    kind     text NOT NULL,
    entry_id uuid REFERENCES entries (id) ON DELETE CASCADE,
    url      text,
    reason   text,

    CONSTRAINT routes_kind_known CHECK (kind IN ('CURRENT', 'REDIRECT', 'GONE')),
    CONSTRAINT routes_path_form CHECK (path = '/' OR path ~ '^(/[a-z0-9]+(-[a-z0-9]+)*)+$'),
    CONSTRAINT routes_path_length CHECK (length(path) <= 1024),
    CONSTRAINT routes_target_fits_kind CHECK (
        CASE kind
            WHEN 'CURRENT' THEN entry_id IS NOT NULL AND url IS NULL
            WHEN 'REDIRECT' THEN (entry_id IS NULL) <> (url IS NULL)
            ELSE entry_id IS NULL AND url IS NULL
        END),
    CONSTRAINT routes_url_is_http CHECK (url ~ '^https?://[^/\s]+')
);

CREATE UNIQUE INDEX routes_one_current_per_entry ON routes (entry_id) WHERE kind = 'CURRENT';
CREATE INDEX routes_entry_id ON routes (entry_id);

-- What a sub-page of a section or region is for.
CREATE TABLE pages (
    entry_id uuid PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
    sub_kind text NOT NULL DEFAULT 'OTHER',

    CONSTRAINT pages_sub_kind_known CHECK (sub_kind IN ('COMMITTEE', 'MEMBER_RESOURCES', 'EVENTS', 'FORUM', 'OTHER'))
);

CREATE TABLE documents (
    entry_id                uuid PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
    file_name               text,
    media_type              text NOT NULL,
    -- The bytes, if the file is held; the label is what the site prints.
    byte_size               bigint,
    size_label              text,
    sha256                  text,
    url                     text,

    CONSTRAINT documents_byte_size_positive CHECK (byte_size > 0),
    -- An Int of GraphQL has 32 bits.
    CONSTRAINT documents_byte_size_fits_int CHECK (byte_size <= 2147483647),
    CONSTRAINT documents_sha256_form CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT documents_url_is_http CHECK (url ~ '^https?://[^/\s]+')
);

-- Other versions of a document that are easier to use: as plain text, in large
-- print, easy to read.
CREATE TABLE document_alternatives (
    document_id    uuid    NOT NULL REFERENCES documents (entry_id) ON DELETE CASCADE,
    position       integer NOT NULL,
    alternative_id uuid    NOT NULL REFERENCES documents (entry_id) ON DELETE CASCADE,

    PRIMARY KEY (document_id, position),
    CONSTRAINT document_alternatives_unique UNIQUE (document_id, alternative_id),
    CONSTRAINT document_alternatives_position_not_negative CHECK (position >= 0),
    CONSTRAINT document_alternatives_not_itself CHECK (document_id <> alternative_id)
);

CREATE INDEX document_alternatives_alternative_id ON document_alternatives (alternative_id);

-- The body of a page: typed blocks, in order. data holds the fields of the kind;
-- entries that a block lists stand in block_entries, so they cannot dangle.
CREATE TABLE blocks (
    id       uuid    PRIMARY KEY,
    entry_id uuid    NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
    position integer NOT NULL,
    kind     text    NOT NULL,
    data     jsonb   NOT NULL DEFAULT '{}',
    -- The words of the block, for search.
    plain    text    NOT NULL DEFAULT '',

    CONSTRAINT blocks_kind_known CHECK (kind IN ('HEADING', 'RICH_TEXT', 'CALLOUT', 'LINK_LIST', 'CASE_STUDY_LIST', 'WEBINAR', 'FAQ_LIST')),
    CONSTRAINT blocks_position_unique UNIQUE (entry_id, position) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT blocks_position_not_negative CHECK (position >= 0)
);

CREATE TABLE block_entries (
    block_id uuid    NOT NULL REFERENCES blocks (id) ON DELETE CASCADE,
    position integer NOT NULL,
    -- One of the two: an entry of this site, or an address elsewhere.
    entry_id uuid    REFERENCES entries (id) ON DELETE CASCADE,
    url      text,
    -- The words of the link, if not the entry's title.
    label    text,

    PRIMARY KEY (block_id, position),
    CONSTRAINT block_entries_one_target CHECK ((entry_id IS NULL) <> (url IS NULL)),
    CONSTRAINT block_entries_url_has_label CHECK (url IS NULL OR label IS NOT NULL),
    CONSTRAINT block_entries_url_is_http CHECK (url ~ '^https?://[^/\s]+')
);

CREATE INDEX block_entries_entry_id ON block_entries (entry_id);

-- For the paths that are spelled almost like one that was not found.
CREATE INDEX routes_path_trigrams ON routes USING gin (path gin_trgm_ops) WHERE kind = 'CURRENT';
