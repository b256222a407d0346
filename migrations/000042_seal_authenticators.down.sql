SET lock_timeout = '5s';

-- Without the column those accounts would have no second factor, and nobody would be told.
DO $do$
BEGIN
    IF EXISTS (SELECT FROM account_totp WHERE sealed IS NOT NULL) THEN
        RAISE EXCEPTION 'there are sealed secrets of authenticators, which SQL can''t open; have their owners turn the authenticator off, or delete the rows of account_totp';
    END IF;
END
$do$;

ALTER TABLE account_totp
    DROP COLUMN sealed,
    ALTER COLUMN secret SET NOT NULL;
