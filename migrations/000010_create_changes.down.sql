SET lock_timeout = '5s';

DROP FUNCTION note_change() CASCADE;
DROP FUNCTION prune_changes(interval);
DROP TABLE changes_horizon;
DROP TABLE changes;
