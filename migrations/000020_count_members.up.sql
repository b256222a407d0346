SET lock_timeout = '5s';

-- For counting the members of a day, of whom there are many: the periods that count
-- on it are read from this index and that of the last periods, and from no row.
CREATE INDEX membership_periods_followed ON membership_periods (next_on, governs_on)
    INCLUDE (member_id, grade, starts_on, ends_on, ended_how) WHERE next_on IS NOT NULL;

-- The regions of all members.
CREATE INDEX members_id_region ON members (id) INCLUDE (region_id);

-- The sections of all members on a day, in the order of sections.
CREATE INDEX section_memberships_days ON section_memberships (section_id, starts_on, ends_on) INCLUDE (member_id);

-- Who may read statistics counts everyone's periods, and is told numbers.
CREATE POLICY membership_periods_counted ON membership_periods FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));
CREATE POLICY membership_suspensions_counted ON membership_suspensions FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));
