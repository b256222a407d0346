SET lock_timeout = '5s';

DROP TABLE case_studies;
DROP TABLE career_levels;
