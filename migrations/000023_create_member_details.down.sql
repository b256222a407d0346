SET lock_timeout = '5s';

DROP FUNCTION practices_between(float8, float8, float8, float8);
DROP FUNCTION members_with_term(text, text);
DROP TABLE member_details;
