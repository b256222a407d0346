SET lock_timeout = '5s';

ALTER FUNCTION membership_stretches_follow() RESET enable_nestloop;
