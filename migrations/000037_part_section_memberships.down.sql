SET lock_timeout = '5s';

CREATE UNIQUE INDEX section_memberships_one_open ON section_memberships (member_id, section_id) WHERE ends_on IS NULL;
ALTER TABLE section_memberships DROP CONSTRAINT section_memberships_overlap_none;
DROP EXTENSION btree_gist;
