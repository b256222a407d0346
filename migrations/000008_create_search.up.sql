SET lock_timeout = '5s';

-- English words, whatever their accents: "cafe" and "Café" are one word.
CREATE TEXT SEARCH CONFIGURATION collegium_english (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION collegium_english
    ALTER MAPPING FOR word, hword, hword_part WITH unaccent, english_stem;

-- The same words unstemmed, as they are spelled: what a misspelled word is put right to.
CREATE TEXT SEARCH DICTIONARY collegium_spelling (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION collegium_words (PARSER = pg_catalog."default");
ALTER TEXT SEARCH CONFIGURATION collegium_words
    ADD MAPPING FOR asciiword, word WITH unaccent, collegium_spelling;

-- What the parser gets to see of a text. The parser would read "BAOT/RCOT" as a
-- file, "self-management" as one word, "<script>" as markup to be dropped. So
-- each of these characters is replaced by a control character of its own, which
-- separates words; package search turns them back when it shows a passage.
-- Control characters of the text itself are dropped first, so none can be forged
-- (\x01 and \x02 enclose what was found), and so are soft hyphens and the
-- invisible spaces inside words.
CREATE FUNCTION search_text(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN
    -- On long texts eight calls of replace() are 18 times faster than one of translate().
    replace(replace(replace(replace(replace(replace(replace(replace(
        regexp_replace(
            CASE WHEN octet_length($1) = length($1) THEN $1 ELSE normalize($1, NFC) END,
            E'[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b-\u200d\u2060\ufeff]', '', 'g'),
        '<', E'\x03'), '>', E'\x04'), '/', E'\x05'), '-', E'\x06'),
        '@', E'\x07'), '.', E'\x08'), '&', E'\x0e'), '+', E'\x0f');

-- A title as it is compared: no accents, no capitals, no punctuation, words
-- separated by one space. unaccent() itself is only STABLE, because its rules
-- are a file; they change with a new version of the server at most.
CREATE FUNCTION search_fold(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(
    lower(unaccent('unaccent'::regdictionary, translate(normalize($1, NFKC), E'''\u2019\u02bc\u00ad\u200b', ''))),
    '[^[:alnum:]]+', ' ', 'g'));

-- What can be found: one row for each published entry. Nobody writes here but
-- search_refresh().
CREATE TABLE entry_search (
    entry_id            uuid     PRIMARY KEY,
    kind                text     NOT NULL,
    access              text     NOT NULL,
    -- How many parts the current path has; 99 without a path. Less is better known.
    depth               smallint NOT NULL,
    title_folded        text     NOT NULL,
    -- The words of the title alone.
    title_document      tsvector NOT NULL,
    -- What everyone may match: all of a PUBLIC entry; title, summary and path of
    -- a MEMBERS entry; nothing of a STAFF entry.
    -- Weights: A title, B summary and names, C body, D path.
    public_document     tsvector,
    -- All of an entry that is not PUBLIC.
    restricted_document tsvector,
    -- The words everyone may read, as they are spelled.
    public_words        text[]   NOT NULL
)
-- What a match is chosen by stays in the row, and what it is ranked by goes out
-- of it: 50,000 matches are looked at in 25 MB of rows, not in 110.
WITH (toast_tuple_target = 512);

ALTER TABLE entry_search
    ALTER title_folded SET STORAGE MAIN,
    ALTER title_document SET STORAGE MAIN,
    ALTER public_document SET STORAGE EXTERNAL,
    ALTER restricted_document SET STORAGE EXTERNAL,
    ALTER public_words SET STORAGE EXTERNAL;

CREATE INDEX entry_search_public_document ON entry_search USING gin (public_document);
CREATE INDEX entry_search_restricted_document ON entry_search USING gin (restricted_document);
CREATE INDEX entry_search_title_folded ON entry_search (title_folded);

-- How a title goes on from each of its words: what completes a prefix.
CREATE TABLE search_completions (
    entry_id uuid     NOT NULL,
    position integer  NOT NULL,
    words    text     NOT NULL COLLATE "C",
    depth    smallint NOT NULL,
    access   text     NOT NULL,

    CONSTRAINT search_completions_pkey PRIMARY KEY (entry_id, position)
);

CREATE INDEX search_completions_words ON search_completions (words) INCLUDE (entry_id, position, depth, access);
-- The best known again, so that a prefix of one letter finds them among very many.
CREATE INDEX search_completions_words_well_known ON search_completions (words) INCLUDE (entry_id, position, depth, access)
    WHERE depth <= 2;

-- Every word that everyone may read, with the number of entries it stands in.
CREATE TABLE search_terms (
    term    text    NOT NULL COLLATE "C",
    -- What the word is searched as.
    lexeme  text    NOT NULL COLLATE "C",
    entries integer NOT NULL,

    CONSTRAINT search_terms_pkey PRIMARY KEY (term)
)
-- Counting changes no indexed column: with room on the page it touches no index.
WITH (fillfactor = 70);

CREATE INDEX search_terms_lexeme ON search_terms (lexeme);
CREATE INDEX search_terms_trigrams ON search_terms USING gin (term gin_trgm_ops);

-- A setting of an extension is known once its library is loaded.
SELECT similarity('', '');

-- Terms that are spelled somewhat like a word, the likest first. Two swapped
-- letters leave a short word hardly a trigram, so the caller names the words
-- that swaps make of it.
CREATE FUNCTION search_near_terms(word text, swapped text[]) RETURNS TABLE (term text, entries integer)
LANGUAGE sql STABLE
SET pg_trgm.similarity_threshold = 0.2
AS $$
    SELECT t.term, t.entries FROM search_terms t WHERE t.term = ANY (swapped)
    UNION
    (SELECT t.term, t.entries
     FROM search_terms t
     WHERE t.term % word
     ORDER BY similarity(t.term, word) DESC, t.entries DESC, t.term
     LIMIT 100)
$$;

-- Which entries the transaction has changed. Triggers write it, and its own
-- trigger empties it before the transaction commits; so what a transaction sees
-- in it is its own, and nothing in it ever needs to survive a crash.
CREATE UNLOGGED TABLE search_pending (
    entry_id uuid,
    wakes    boolean NOT NULL
);

-- Brings everything above up to date with the entries. What a transaction
-- changed is refreshed once, when it commits. The lock puts refreshes one after
-- another: each reads what the one before has committed.
CREATE FUNCTION search_refresh(ids uuid[]) RETURNS void
LANGUAGE plpgsql
SET jit = off
SET work_mem = '64MB'
AS $$
DECLARE
    batch uuid[];
    gone text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('search_refresh'));

    FOR batch IN
        SELECT array_agg(i.id)
        FROM (SELECT d.id, (row_number() OVER (ORDER BY d.id) - 1) / 20000 AS part
              FROM (SELECT DISTINCT unnest(ids) AS id) d) i
        GROUP BY i.part
    LOOP
        -- Each step is materialized, so that it is done for these entries alone
        -- and once, whatever the planner makes of the tables' sizes.
        WITH source AS MATERIALIZED (
            SELECT e.id,
                   e.kind,
                   e.access,
                   e.title,
                   e.summary,
                   (SELECT r.path FROM routes r WHERE r.entry_id = e.id AND r.kind = 'CURRENT') AS path,
                   concat_ws(E'\n',
                       (SELECT concat_ws(E'\n', u.name, u.short_name, array_to_string(u.aliases, E'\n'),
                               (SELECT string_agg(l.value, E'\n' ORDER BY l.key) FROM jsonb_each_text(u.local_names) l))
                        FROM units u
                        WHERE u.id = e.id),
                       (SELECT concat_ws(E'\n', c.person, c.headline) FROM case_studies c WHERE c.entry_id = e.id)
                   ) AS names,
                   (SELECT string_agg(b.plain, E'\n' ORDER BY b.position) FROM blocks b WHERE b.entry_id = e.id) AS body
            FROM unnest(batch) AS i (id)
            JOIN entries e ON e.id = i.id
            WHERE e.status = 'PUBLISHED'
        ), texts AS MATERIALIZED (
            -- A tsvector holds a megabyte: the cuts keep far below it.
            SELECT s.*,
                   search_text(left(s.title, 1000)) AS title_text,
                   search_text(left(s.summary, 10000)) AS summary_text,
                   search_text(left(s.names, 10000)) AS names_text,
                   search_text(left(coalesce(s.body, ''), 100000)) AS body_text
            FROM source s
        ), vectors AS MATERIALIZED (
            SELECT t.*,
                   setweight(to_tsvector('collegium_english', t.title_text), 'A') AS title_vector,
                   setweight(to_tsvector('collegium_english', t.summary_text), 'B') AS summary_vector,
                   setweight(to_tsvector('collegium_english', t.names_text), 'B') AS names_vector,
                   setweight(to_tsvector('collegium_english', t.body_text), 'C') AS body_vector,
                   setweight(to_tsvector('collegium_english', search_text(coalesce(t.path, ''))), 'D') AS path_vector
            FROM texts t
        ), fresh AS MATERIALIZED (
            SELECT v.id AS entry_id,
                   v.kind,
                   v.access,
                   CASE
                       WHEN v.path IS NULL THEN 99
                       WHEN v.path = '/' THEN 0
                       ELSE least(length(v.path) - length(replace(v.path, '/', '')), 98)
                   END AS depth,
                   -- A row of a btree index holds 2,700 bytes.
                   left(search_fold(left(v.title, 1000)), 500) AS title_folded,
                   v.title_vector AS title_document,
                   CASE v.access
                       WHEN 'PUBLIC' THEN v.title_vector || v.summary_vector || v.names_vector || v.body_vector || v.path_vector
                       WHEN 'MEMBERS' THEN v.title_vector || v.summary_vector || v.path_vector
                   END AS public_document,
                   CASE WHEN v.access <> 'PUBLIC' THEN
                       v.title_vector || v.summary_vector || v.names_vector || v.body_vector || v.path_vector
                   END AS restricted_document,
                   tsvector_to_array(to_tsvector('collegium_words',
                       CASE v.access
                           WHEN 'PUBLIC' THEN concat_ws(E'\n', v.title_text, v.summary_text, v.names_text, v.body_text)
                           WHEN 'MEMBERS' THEN concat_ws(E'\n', v.title_text, v.summary_text)
                           ELSE ''
                       END)) AS public_words
            FROM vectors v
        ), stale AS MATERIALIZED (
            SELECT s.entry_id,
                   s.public_words
            FROM entry_search s
            WHERE s.entry_id = ANY (batch)
        ), removed AS (
            DELETE FROM entry_search s
            USING stale o
            WHERE s.entry_id = o.entry_id
              AND NOT EXISTS (SELECT FROM fresh f WHERE f.entry_id = o.entry_id)
        ), stored AS (
            INSERT INTO entry_search AS s (entry_id, kind, access, depth, title_folded, title_document,
                public_document, restricted_document, public_words)
            SELECT f.entry_id, f.kind, f.access, f.depth, f.title_folded, f.title_document,
                f.public_document, f.restricted_document, f.public_words
            FROM fresh f
            ON CONFLICT (entry_id) DO UPDATE SET
                kind = excluded.kind,
                access = excluded.access,
                depth = excluded.depth,
                title_folded = excluded.title_folded,
                title_document = excluded.title_document,
                public_document = excluded.public_document,
                restricted_document = excluded.restricted_document,
                public_words = excluded.public_words
            WHERE (s.*) IS DISTINCT FROM (excluded.*)
        ), change AS (
            SELECT w.word,
                   sum(w.n) AS entries
            FROM (
                SELECT f.word, 1 AS n FROM fresh CROSS JOIN LATERAL unnest(fresh.public_words) AS f (word)
                UNION ALL
                SELECT o.word, -1 FROM stale CROSS JOIN LATERAL unnest(stale.public_words) AS o (word)
            ) w
            WHERE length(w.word) BETWEEN 3 AND 40
            GROUP BY w.word
            HAVING sum(w.n) <> 0
        ), counted AS (
            INSERT INTO search_terms AS t (term, lexeme, entries)
            SELECT c.word,
                   coalesce((ts_lexize('english_stem', c.word))[1], c.word),
                   c.entries
            FROM change c
            ON CONFLICT (term) DO UPDATE SET entries = t.entries + excluded.entries
            RETURNING t.term, t.entries
        )
        SELECT array_agg(c.term) INTO gone FROM counted c WHERE c.entries = 0;

        DELETE FROM search_terms WHERE term = ANY (gone);

        WITH wanted AS MATERIALIZED (
            SELECT s.entry_id,
                   w.position::integer AS position,
                   left(array_to_string((string_to_array(s.title_folded, ' '))[w.position:], ' '), 100) AS words,
                   s.depth,
                   s.access
            FROM entry_search s
            CROSS JOIN LATERAL generate_series(1, least(cardinality(string_to_array(s.title_folded, ' ')), 30))
                AS w (position)
            WHERE s.entry_id = ANY (batch)
        ), removed AS (
            DELETE FROM search_completions c
            WHERE c.entry_id = ANY (batch)
              AND NOT EXISTS (SELECT FROM wanted w WHERE (w.entry_id, w.position) = (c.entry_id, c.position))
        )
        INSERT INTO search_completions AS c (entry_id, position, words, depth, access)
        SELECT w.entry_id, w.position, w.words, w.depth, w.access
        FROM wanted w
        ON CONFLICT (entry_id, position) DO UPDATE SET
            words = excluded.words,
            depth = excluded.depth,
            access = excluded.access
        WHERE (c.words, c.depth, c.access) IS DISTINCT FROM (excluded.words, excluded.depth, excluded.access);
    END LOOP;
END
$$;

CREATE FUNCTION search_refresh_pending() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    ids uuid[];
BEGIN
    WITH taken AS (DELETE FROM search_pending RETURNING entry_id)
    SELECT array_agg(DISTINCT t.entry_id) INTO ids FROM taken t WHERE t.entry_id IS NOT NULL;
    PERFORM search_refresh(ids);
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER search_pending_refresh
    AFTER INSERT ON search_pending
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.wakes)
    EXECUTE FUNCTION search_refresh_pending();

-- Notes the entries whose words a statement changed. Arguments: the column that
-- names the entry, then the other columns that matter.
CREATE FUNCTION search_note_changes() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    columns text := (SELECT string_agg(quote_ident(a.name), ', ' ORDER BY a.position)
                     FROM unnest(TG_ARGV) WITH ORDINALITY AS a (name, position));
    changed text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT %1$s FROM new_rows'
        WHEN 'DELETE' THEN 'SELECT %1$s FROM old_rows'
        ELSE '(SELECT %1$s FROM old_rows EXCEPT SELECT %1$s FROM new_rows) '
             'UNION ALL (SELECT %1$s FROM new_rows EXCEPT SELECT %1$s FROM old_rows)'
    END;
BEGIN
    -- The first note of a transaction wakes the refresh at its end.
    EXECUTE format(
        'WITH changed (entry_id) AS MATERIALIZED ('
            'SELECT DISTINCT c.%2$I FROM (' || changed || ') AS c WHERE c.%2$I IS NOT NULL) '
        'INSERT INTO search_pending (entry_id, wakes) '
        'SELECT entry_id, false FROM changed '
        'UNION ALL '
        'SELECT NULL, true WHERE EXISTS (SELECT FROM changed) AND NOT EXISTS (SELECT FROM search_pending)',
        columns, TG_ARGV[0]);
    RETURN NULL;
END
$$;

-- A table was emptied at once: everything is refreshed.
CREATE FUNCTION search_note_truncation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_pending (entry_id, wakes)
    SELECT s.entry_id, false FROM entry_search s
    UNION ALL
    SELECT NULL, true WHERE NOT EXISTS (SELECT FROM search_pending);
    RETURN NULL;
END
$$;

CREATE TRIGGER entries_note_insert_for_search AFTER INSERT ON entries
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('id', 'kind', 'title', 'summary', 'status', 'access');
CREATE TRIGGER entries_note_update_for_search AFTER UPDATE ON entries
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('id', 'kind', 'title', 'summary', 'status', 'access');
CREATE TRIGGER entries_note_delete_for_search AFTER DELETE ON entries
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('id', 'kind', 'title', 'summary', 'status', 'access');
CREATE TRIGGER entries_note_truncate_for_search AFTER TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION search_note_truncation();

CREATE TRIGGER routes_note_insert_for_search AFTER INSERT ON routes
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'kind', 'path');
CREATE TRIGGER routes_note_update_for_search AFTER UPDATE ON routes
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'kind', 'path');
CREATE TRIGGER routes_note_delete_for_search AFTER DELETE ON routes
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'kind', 'path');
CREATE TRIGGER routes_note_truncate_for_search AFTER TRUNCATE ON routes
    FOR EACH STATEMENT EXECUTE FUNCTION search_note_truncation();

CREATE TRIGGER blocks_note_insert_for_search AFTER INSERT ON blocks
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'position', 'plain');
CREATE TRIGGER blocks_note_update_for_search AFTER UPDATE ON blocks
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'position', 'plain');
CREATE TRIGGER blocks_note_delete_for_search AFTER DELETE ON blocks
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'position', 'plain');
CREATE TRIGGER blocks_note_truncate_for_search AFTER TRUNCATE ON blocks
    FOR EACH STATEMENT EXECUTE FUNCTION search_note_truncation();

CREATE TRIGGER units_note_insert_for_search AFTER INSERT ON units
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('id', 'name', 'short_name', 'aliases', 'local_names');
CREATE TRIGGER units_note_update_for_search AFTER UPDATE ON units
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('id', 'name', 'short_name', 'aliases', 'local_names');
CREATE TRIGGER units_note_delete_for_search AFTER DELETE ON units
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('id', 'name', 'short_name', 'aliases', 'local_names');
CREATE TRIGGER units_note_truncate_for_search AFTER TRUNCATE ON units
    FOR EACH STATEMENT EXECUTE FUNCTION search_note_truncation();

CREATE TRIGGER case_studies_note_insert_for_search AFTER INSERT ON case_studies
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'person', 'headline');
CREATE TRIGGER case_studies_note_update_for_search AFTER UPDATE ON case_studies
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'person', 'headline');
CREATE TRIGGER case_studies_note_delete_for_search AFTER DELETE ON case_studies
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION search_note_changes('entry_id', 'person', 'headline');
CREATE TRIGGER case_studies_note_truncate_for_search AFTER TRUNCATE ON case_studies
    FOR EACH STATEMENT EXECUTE FUNCTION search_note_truncation();

SELECT search_refresh(array_agg(id)) FROM entries;
