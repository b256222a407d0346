SET lock_timeout = '5s';

-- The members of a section, in the order of lists. Without the name beside the
-- membership a page reads all members by name until enough of them belong to the
-- section; for a small section that is everyone.
ALTER TABLE section_memberships ADD COLUMN sort_name text;

UPDATE section_memberships sm SET sort_name = m.sort_name FROM members m WHERE m.id = sm.member_id;

-- The key keeps the copy equal to the name, whoever writes and in whatever order.
-- What else stands in the indexes is all that is asked of the rows when the sections
-- of many members are read.
ALTER TABLE members ADD CONSTRAINT members_id_sort_name_unique UNIQUE (id, sort_name)
    INCLUDE (listing_audience, sections_audience);

ALTER TABLE section_memberships
    ALTER COLUMN sort_name SET NOT NULL,
    DROP CONSTRAINT section_memberships_pkey,
    ADD CONSTRAINT section_memberships_pkey PRIMARY KEY (member_id, section_id, starts_on) INCLUDE (ends_on),
    DROP CONSTRAINT section_memberships_member_id_fkey,
    ADD CONSTRAINT section_memberships_member_fkey FOREIGN KEY (member_id, sort_name)
        REFERENCES members (id, sort_name) ON UPDATE CASCADE ON DELETE CASCADE;

-- Who writes memberships need not know of the copy. Without a member of the id the
-- key refuses the row.
CREATE FUNCTION section_memberships_copy_sort_name() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.sort_name := COALESCE((SELECT m.sort_name FROM members m WHERE m.id = NEW.member_id), '');
    RETURN NEW;
END
$$;

CREATE TRIGGER section_memberships_copy_sort_name BEFORE INSERT OR UPDATE OF member_id ON section_memberships
    FOR EACH ROW EXECUTE FUNCTION section_memberships_copy_sort_name();

-- Counts read it too.
CREATE INDEX section_memberships_section_sort_name
    ON section_memberships (section_id, sort_name COLLATE "und-x-icu", member_id) INCLUDE (starts_on, ends_on);
DROP INDEX section_memberships_section_id;

-- The newest members first, of those who show since when they are one: the days
-- are counted down, so that they ascend with the names and the ids.
CREATE INDEX members_newest_first
    ON members (joined_on_audience, (DATE '2000-01-01' - joined_on), sort_name COLLATE "und-x-icu", id);
DROP INDEX members_joined_on;

-- The members of one grade, by name.
CREATE INDEX members_grade_sort_name ON members (grade, sort_name COLLATE "und-x-icu", id);

-- The documents, by title.
CREATE INDEX entries_documents_title ON entries (title COLLATE "und-x-icu", id) WHERE kind = 'DOCUMENT';
