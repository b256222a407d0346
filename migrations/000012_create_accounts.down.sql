SET lock_timeout = '5s';

DROP TABLE membership_applications;
DROP TABLE sign_in_failures;
DROP TABLE account_links;
DROP TABLE sessions;
DROP TABLE account_roles;
DROP TABLE accounts;
DROP FUNCTION accounts_count_epoch();
DROP SCHEMA river CASCADE;
