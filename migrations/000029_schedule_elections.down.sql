SET lock_timeout = '5s';

DROP TRIGGER terms_fit_seats ON terms;
DROP FUNCTION terms_fit_seats();
DROP TABLE committee_elections;
DROP FUNCTION committee_elections_overlap_none();
