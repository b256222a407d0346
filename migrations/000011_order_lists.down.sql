SET lock_timeout = '5s';

DROP INDEX entries_documents_title;

DROP INDEX members_grade_sort_name;

CREATE INDEX members_joined_on ON members (joined_on, id);
DROP INDEX members_newest_first;

CREATE INDEX section_memberships_section_id ON section_memberships (section_id, starts_on, ends_on) INCLUDE (member_id);
DROP INDEX section_memberships_section_sort_name;

DROP TRIGGER section_memberships_copy_sort_name ON section_memberships;
DROP FUNCTION section_memberships_copy_sort_name();

ALTER TABLE section_memberships
    DROP CONSTRAINT section_memberships_member_fkey,
    DROP COLUMN sort_name,
    DROP CONSTRAINT section_memberships_pkey,
    ADD CONSTRAINT section_memberships_pkey PRIMARY KEY (member_id, section_id, starts_on),
    ADD CONSTRAINT section_memberships_member_id_fkey FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE;

ALTER TABLE members DROP CONSTRAINT members_id_sort_name_unique;
