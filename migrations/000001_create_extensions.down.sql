SET lock_timeout = '5s';

DROP FUNCTION touch_revision();
DROP EXTENSION pg_trgm;
DROP EXTENSION unaccent;
