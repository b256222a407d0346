SET lock_timeout = '5s';

CREATE INDEX membership_periods_followed ON membership_periods (next_on, governs_on)
    INCLUDE (member_id, grade, starts_on, ends_on, ended_how) WHERE next_on IS NOT NULL;
CREATE INDEX members_id_region ON members (id) INCLUDE (region_id);
CREATE INDEX section_memberships_days ON section_memberships (section_id, starts_on, ends_on) INCLUDE (member_id);

CREATE POLICY membership_periods_counted ON membership_periods FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));
CREATE POLICY membership_suspensions_counted ON membership_suspensions FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));
CREATE POLICY section_memberships_counted ON section_memberships FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_STATISTICS')));
CREATE VIEW members_counted AS
    SELECT m.id, m.region_id FROM members m WHERE (SELECT acting_may('READ_STATISTICS') OR NOT row_security_active('members'));
REVOKE ALL ON members_counted FROM collegium_graph;
GRANT SELECT ON members_counted TO collegium_graph;

DROP FUNCTION renewals_due(date, date, date, text, uuid, uuid);
DROP FUNCTION membership_stretches_follow() CASCADE;
DROP FUNCTION membership_stretches_keep(uuid[]);
DROP FUNCTION membership_turns(uuid[]);
DROP TABLE membership_stretches;
DROP TABLE section_sets;
DROP TABLE membership_strata;
