SET lock_timeout = '5s';

-- Who a pseudonym of the audit stands for: an account or a member. An entry names
-- people by their pseudonym only, so erasing somebody takes one row away here and
-- rewrites nothing there: what was written stays as it is, and about nobody.
CREATE TABLE audit_people (
    person_id uuid PRIMARY KEY,
    pseudonym uuid NOT NULL DEFAULT gen_random_uuid(),

    CONSTRAINT audit_people_pseudonym_unique UNIQUE (pseudonym)
);

-- What was written: no values, only which columns. One statement that writes many
-- rows is one entry with their number.
CREATE TABLE audit_entries (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction_id bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    -- The account that was signed in, as a pseudonym, with the roles that it had.
    actor          uuid,
    actor_roles    text[]      NOT NULL,
    -- The application of a partner that asked, by a key of its own.
    application_id uuid,
    -- What the program calls itself to the database.
    program        text        NOT NULL,
    request_id     text,
    operation      text        NOT NULL,
    table_name     text        NOT NULL,
    -- The primary key, with pseudonyms for people; none if there were many rows.
    row_key        text,
    -- None: all that there were.
    row_count      bigint,
    -- Those that an update changed.
    columns        text[]      NOT NULL,
    -- Whom the row is about, as a pseudonym.
    subject        uuid,

    CONSTRAINT audit_entries_operation_known CHECK (operation IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')),
    CONSTRAINT audit_entries_truncates_all CHECK ((operation = 'TRUNCATE') = (row_count IS NULL))
);

CREATE INDEX audit_entries_actor ON audit_entries (actor, id) WHERE actor IS NOT NULL;
CREATE INDEX audit_entries_subject ON audit_entries (subject, id) WHERE subject IS NOT NULL;

-- Entries that are not in the chain yet. An entry gets its place when its
-- transaction is over: writers never wait for each other, in whatever isolation.
CREATE TABLE audit_pending (
    entry_id bigint PRIMARY KEY REFERENCES audit_entries (id)
);

-- The chain: each hash is the SHA-256 of the one before and of the entry.
CREATE TABLE audit_chain (
    position bigint PRIMARY KEY,
    entry_id bigint NOT NULL REFERENCES audit_entries (id),
    hash     bytea  NOT NULL,

    CONSTRAINT audit_chain_entry_once UNIQUE (entry_id),
    CONSTRAINT audit_chain_position_from_one CHECK (position >= 1),
    CONSTRAINT audit_chain_hash_is_sha256 CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION audit_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only added to: no % of %', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_entries_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_chain_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER audit_entries_refuse;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_chain_refuse;

-- The text of an entry that is hashed: every column, each with its length before
-- it, so that no two entries have one text. "collegium audit verify" makes the same
-- text by itself and never calls this.
CREATE FUNCTION audit_text(e audit_entries) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT string_agg(COALESCE(octet_length(v) || ':' || v, '-'), ',' ORDER BY i)
    FROM unnest(ARRAY[
        e.id::text,
        CASE WHEN isfinite(e.written_at) THEN (extract(epoch FROM e.written_at) * 1000000)::bigint::text ELSE 'infinite' END,
        e.transaction_id::text,
        e.actor::text,
        e.actor_roles::text,
        e.application_id::text,
        e.program,
        e.request_id,
        e.operation,
        e.table_name,
        e.row_key,
        e.row_count::text,
        e.columns::text,
        e.subject::text
    ]) WITH ORDINALITY AS f (v, i)
$$;

-- The primary key of a row.
CREATE FUNCTION audit_key(key text[], r jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_agg(r -> k.name ORDER BY k.i) FROM unnest(key) WITH ORDINALITY AS k (name, i)
$$;

-- Whom a row is about: a member, else an account.
CREATE FUNCTION audit_person(table_name text, r jsonb) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN table_name IN ('members', 'accounts') THEN (r ->> 'id')::uuid
        ELSE COALESCE(r ->> 'member_id', r ->> 'account_id')::uuid
    END
$$;

-- The rest runs with the rights of whoever migrates, so that a role that may write
-- to one table needs no rights on the audit, and finds everything in this schema,
-- whatever the search path of the session.
DO $do$
BEGIN
    -- Puts entries of transactions that are over into the chain, and returns how many.
    EXECUTE format($sql$
        CREATE FUNCTION audit_seal(most integer) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            at     bigint;
            before bytea;
            e      audit_entries;
            n      integer := 0;
        BEGIN
            IF NOT EXISTS (SELECT FROM audit_pending) THEN
                RETURN 0;
            END IF;
            PERFORM pg_advisory_xact_lock(hashtext('collegium.audit'));
            SELECT c.position, c.hash INTO at, before FROM audit_chain c ORDER BY c.position DESC LIMIT 1;
            at := COALESCE(at, 0);
            before := COALESCE(before, decode(repeat('00', 32), 'hex'));
            FOR e IN
                WITH due AS (
                    DELETE FROM audit_pending p
                    WHERE p.entry_id IN (SELECT d.entry_id FROM audit_pending d ORDER BY d.entry_id LIMIT most)
                    RETURNING p.entry_id
                )
                SELECT a.* FROM audit_entries a JOIN due ON due.entry_id = a.id ORDER BY a.id
            LOOP
                at := at + 1;
                before := sha256(before || convert_to(at || ',' || audit_text(e), 'UTF8'));
                INSERT INTO audit_chain (position, entry_id, hash) VALUES (at, e.id, before);
                n := n + 1;
            END LOOP;
            RETURN n;
        END
        $$
    $sql$, current_schema());

    -- The pseudonym of an account or a member, made when it is first wanted.
    EXECUTE format($sql$
        CREATE FUNCTION audit_pseudonym(person uuid) RETURNS uuid
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            found uuid;
        BEGIN
            IF person IS NULL THEN
                RETURN NULL;
            END IF;
            LOOP
                SELECT a.pseudonym INTO found FROM audit_people a WHERE a.person_id = person;
                IF found IS NULL THEN
                    INSERT INTO audit_people (person_id) VALUES (person) ON CONFLICT DO NOTHING RETURNING pseudonym INTO found;
                END IF;
                IF found IS NOT NULL THEN
                    RETURN found;
                END IF;
            END LOOP;
        END
        $$
    $sql$, current_schema());

    -- What a row is called in the audit: its primary key, with pseudonyms for people.
    EXECUTE format($sql$
        CREATE FUNCTION audit_row_key(table_name text, key text[], r jsonb) RETURNS text
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT string_agg(CASE
                WHEN k.name IN ('member_id', 'account_id') OR table_name IN ('members', 'accounts') AND k.name = 'id'
                THEN audit_pseudonym((r ->> k.name)::uuid)::text
                ELSE r ->> k.name
            END, ' ' ORDER BY k.i)
            FROM unnest(key) WITH ORDINALITY AS k (name, i)
        $$
    $sql$, current_schema());

    -- Notes what a statement wrote. The arguments of the trigger are the columns of the
    -- primary key.
    EXECUTE format($sql$
        CREATE FUNCTION audit_note() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
        DECLARE
            -- A statement that writes more rows is one entry.
            many    CONSTANT integer := 100;
            account uuid;
            who     uuid;
            roles   text[];
            key     text[] := TG_ARGV;
            total   bigint;
            changed text[] := '{}';
        BEGIN
            IF TG_OP = 'INSERT' THEN
                SELECT count(*) INTO total FROM new_rows;
            ELSIF TG_OP = 'UPDATE' THEN
                SELECT count(*) INTO total FROM new_rows;
            ELSIF TG_OP = 'DELETE' THEN
                SELECT count(*) INTO total FROM old_rows;
            END IF;
            IF total = 0 THEN
                RETURN NULL;
            END IF;
            account := nullif(current_setting('collegium.account', true), '')::uuid;
            who := audit_pseudonym(account);
            roles := ARRAY(SELECT r.role FROM account_roles r WHERE r.account_id = account ORDER BY r.role);
            IF nullif(current_setting('collegium.member', true), '') IS NOT NULL THEN
                roles := array_append(roles, 'MEMBER');
            END IF;

            IF total > many AND TG_OP = 'UPDATE' THEN
                -- Casts, since some types have no equality.
                EXECUTE (
                    SELECT format('SELECT array_remove(ARRAY[%%s], NULL) FROM old_rows o JOIN new_rows n ON (%%s)',
                        (SELECT string_agg(format('CASE WHEN count(*) FILTER (WHERE o.%%1$I%%2$s IS DISTINCT FROM n.%%1$I%%2$s) > 0 THEN %%3$L END',
                                    a.attname, CASE WHEN a.atttypid IN ('json'::regtype, 'xml'::regtype, 'point'::regtype) THEN '::text' ELSE '' END, a.attname), ', '
                                    ORDER BY a.attname)
                            FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped),
                        (SELECT string_agg(format('o.%%1$I = n.%%1$I', k), ' AND ') FROM unnest(key) k))
                ) INTO changed;
                IF cardinality(changed) = 0 THEN
                    RETURN NULL;
                END IF;
            END IF;

            IF total IS NULL OR total > many THEN
                WITH e AS (
                    INSERT INTO audit_entries (actor, actor_roles, application_id, program, request_id, operation, table_name, row_count, columns)
                    VALUES (who, roles, nullif(current_setting('collegium.application', true), '')::uuid, current_setting('application_name'),
                        left(nullif(current_setting('collegium.request', true), ''), 200), TG_OP, TG_TABLE_NAME, total, changed)
                    RETURNING id
                )
                INSERT INTO audit_pending (entry_id) SELECT e.id FROM e;
                RETURN NULL;
            END IF;

            IF TG_OP = 'UPDATE' THEN
                WITH e AS (
                    INSERT INTO audit_entries (actor, actor_roles, application_id, program, request_id, operation, table_name, row_key, row_count,
                        columns, subject)
                    SELECT who, roles, nullif(current_setting('collegium.application', true), '')::uuid, current_setting('application_name'),
                        left(nullif(current_setting('collegium.request', true), ''), 200), TG_OP, TG_TABLE_NAME,
                        audit_row_key(TG_TABLE_NAME, key, n.r), 1, c.columns, audit_pseudonym(audit_person(TG_TABLE_NAME, n.r))
                    FROM (SELECT j.r, audit_key(key, j.r) AS k FROM (SELECT to_jsonb(x) AS r FROM new_rows x OFFSET 0) j) n
                    -- A row whose key changed has no row before it: all of it counts as changed.
                    LEFT JOIN (SELECT j.r, audit_key(key, j.r) AS k FROM (SELECT to_jsonb(x) AS r FROM old_rows x OFFSET 0) j) o ON o.k = n.k
                    CROSS JOIN LATERAL (
                        SELECT ARRAY(SELECT f.key FROM jsonb_each(n.r) f WHERE f.value IS DISTINCT FROM o.r -> f.key ORDER BY f.key) AS columns
                    ) c
                    WHERE cardinality(c.columns) > 0
                    RETURNING id
                )
                INSERT INTO audit_pending (entry_id) SELECT e.id FROM e;
            ELSIF TG_OP = 'INSERT' THEN
                WITH e AS (
                    INSERT INTO audit_entries (actor, actor_roles, application_id, program, request_id, operation, table_name, row_key, row_count,
                        columns, subject)
                    SELECT who, roles, nullif(current_setting('collegium.application', true), '')::uuid, current_setting('application_name'),
                        left(nullif(current_setting('collegium.request', true), ''), 200), TG_OP, TG_TABLE_NAME,
                        audit_row_key(TG_TABLE_NAME, key, n.r), 1, '{}', audit_pseudonym(audit_person(TG_TABLE_NAME, n.r))
                    FROM (SELECT to_jsonb(x) AS r FROM new_rows x) n
                    RETURNING id
                )
                INSERT INTO audit_pending (entry_id) SELECT e.id FROM e;
            ELSE
                WITH e AS (
                    INSERT INTO audit_entries (actor, actor_roles, application_id, program, request_id, operation, table_name, row_key, row_count,
                        columns, subject)
                    SELECT who, roles, nullif(current_setting('collegium.application', true), '')::uuid, current_setting('application_name'),
                        left(nullif(current_setting('collegium.request', true), ''), 200), TG_OP, TG_TABLE_NAME,
                        audit_row_key(TG_TABLE_NAME, key, o.r), 1, '{}', audit_pseudonym(audit_person(TG_TABLE_NAME, o.r))
                    FROM (SELECT to_jsonb(x) AS r FROM old_rows x) o
                    RETURNING id
                )
                INSERT INTO audit_pending (entry_id) SELECT e.id FROM e;
            END IF;
            RETURN NULL;
        END
        $$
    $sql$, current_schema());
END
$do$;

-- Has everything that is written to a table noted. A migration that makes a table
-- calls it, once the primary key is there.
CREATE FUNCTION audit_watch(watched regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := (SELECT c.relname FROM pg_class c WHERE c.oid = watched);
    key  text := (
        SELECT string_agg(quote_literal(a.attname), ', ' ORDER BY k.i)
        FROM pg_index i
        CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, i)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = watched AND i.indisprimary
    );
    op   text;
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION '% has no primary key', watched;
    END IF;
    FOREACH op IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
        EXECUTE format('CREATE TRIGGER %1$I AFTER %2$s ON %3$s %4$s FOR EACH STATEMENT EXECUTE FUNCTION audit_note(%5$s)',
            name || '_audit_' || op, op, watched,
            CASE op
                WHEN 'insert' THEN 'REFERENCING NEW TABLE AS new_rows'
                WHEN 'update' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
                WHEN 'delete' THEN 'REFERENCING OLD TABLE AS old_rows'
                ELSE ''
            END, key);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', watched, name || '_audit_' || op);
    END LOOP;
END
$$;

SELECT audit_watch(t::regclass)
FROM unnest(ARRAY[
    'organisation', 'entries', 'routes', 'pages', 'documents', 'document_alternatives', 'blocks', 'block_entries',
    'menus', 'menu_items', 'units', 'members', 'section_memberships', 'committees', 'posts', 'terms',
    'career_levels', 'case_studies', 'trusted_documents', 'trusted_document_clients',
    'accounts', 'account_roles', 'membership_applications'
]) t;
