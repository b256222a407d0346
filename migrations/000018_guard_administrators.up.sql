SET lock_timeout = '5s';

-- Somebody can always manage accounts: the last administrator who is not suspended
-- stays one, whatever program writes.
CREATE FUNCTION accounts_keep_administrator() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounts' THEN
        IF NOT EXISTS (SELECT FROM account_roles r WHERE r.account_id = NEW.id AND r.role = 'ADMINISTRATOR') THEN
            RETURN NULL;
        END IF;
    END IF;
    -- Two who take the role from each other wait for each other here.
    PERFORM pg_advisory_xact_lock(hashtext('accounts_keep_administrator'));
    IF NOT EXISTS (
        SELECT
        FROM account_roles r
        JOIN accounts a ON a.id = r.account_id
        WHERE r.role = 'ADMINISTRATOR' AND a.suspended_at IS NULL
    ) THEN
        RAISE EXCEPTION 'the last administrator stays one' USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_one_administrator';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER account_roles_keep_administrator AFTER DELETE OR UPDATE ON account_roles
    FOR EACH ROW WHEN (OLD.role = 'ADMINISTRATOR')
    EXECUTE FUNCTION accounts_keep_administrator();

CREATE TRIGGER accounts_keep_administrator AFTER UPDATE OF suspended_at ON accounts
    FOR EACH ROW WHEN (OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL)
    EXECUTE FUNCTION accounts_keep_administrator();
