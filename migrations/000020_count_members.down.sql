SET lock_timeout = '5s';

DROP POLICY membership_suspensions_counted ON membership_suspensions;
DROP POLICY membership_periods_counted ON membership_periods;
DROP INDEX section_memberships_days;
DROP INDEX members_id_region;
DROP INDEX membership_periods_followed;
