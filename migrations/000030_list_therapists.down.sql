SET lock_timeout = '5s';

DROP FUNCTION therapists_between(float8, float8, float8, float8, text);
DROP FUNCTION therapist_listings_of(uuid[]);
DROP FUNCTION therapist_reasons(uuid[]);
DROP TABLE therapist_listings;
