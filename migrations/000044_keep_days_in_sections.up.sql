SET lock_timeout = '5s';

-- Somebody can belong to a section for one day: who joined it on the last day before all
-- are moved to another, or on the last day of the membership.
ALTER TABLE section_memberships
    DROP CONSTRAINT section_memberships_ends_after_start,
    ADD CONSTRAINT section_memberships_end_not_before_start CHECK (ends_on >= starts_on);
