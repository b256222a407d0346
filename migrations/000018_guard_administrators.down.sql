SET lock_timeout = '5s';

DROP TRIGGER accounts_keep_administrator ON accounts;
DROP TRIGGER account_roles_keep_administrator ON account_roles;
DROP FUNCTION accounts_keep_administrator();
