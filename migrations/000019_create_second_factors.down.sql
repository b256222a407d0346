SET lock_timeout = '5s';

DROP TABLE account_recovery_codes;
DROP TABLE account_totp;
DROP FUNCTION account_totp_note();
ALTER TABLE accounts DROP COLUMN has_totp;
