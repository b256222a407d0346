SET lock_timeout = '5s';

-- The first statement of a connection, which may have written nothing, is what this
-- function is planned for. One that writes many rows was then compared row by row.
ALTER FUNCTION membership_stretches_follow() SET enable_nestloop = off;
