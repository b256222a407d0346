SET lock_timeout = '5s';

DELETE FROM account_links WHERE email IS NOT NULL;
ALTER TABLE account_links DROP COLUMN email;
