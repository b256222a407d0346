SET lock_timeout = '5s';

DROP TABLE terms;
DROP TABLE posts;
DROP TABLE committees;
DROP TABLE section_memberships;
DROP TABLE members;
