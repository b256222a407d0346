SET lock_timeout = '5s';

DROP TRIGGER members_correct_periods ON members;
DROP TRIGGER members_open_periods ON members;
DROP SEQUENCE member_numbers;
DROP TABLE indemnity_insurances;
DROP TABLE registrations;
DROP FUNCTION registrations_unverify();
DROP FUNCTION membership_statuses(date);
DROP TABLE membership_events;
DROP TABLE membership_suspensions;
DROP FUNCTION membership_suspensions_overlap_none();
DROP TABLE membership_periods;
DROP FUNCTION membership_periods_end_all();
DROP FUNCTION membership_periods_show();
DROP FUNCTION membership_periods_chain();
DROP FUNCTION members_correct_periods();
DROP FUNCTION members_open_periods();
DROP TABLE membership_rules;
