SET lock_timeout = '5s';

DELETE FROM section_memberships WHERE ends_on = starts_on;
ALTER TABLE section_memberships
    DROP CONSTRAINT section_memberships_end_not_before_start,
    ADD CONSTRAINT section_memberships_ends_after_start CHECK (ends_on > starts_on);
