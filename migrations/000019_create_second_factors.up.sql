SET lock_timeout = '5s';

-- The secret from which an account's codes follow (RFC 6238). It must be read to
-- check a code, so it is stored as it is; policies keep it from the graph.
CREATE TABLE account_totp (
    account_id   uuid        PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    secret       text        NOT NULL,
    -- Codes are asked for from here on.
    confirmed_at timestamptz,
    -- The step of the last code that was taken: no code works twice.
    last_step    bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT account_totp_secret_form CHECK (secret ~ '^[A-Z2-7]{32}$')
);

-- Codes for who has lost the other ones. Each works once.
CREATE TABLE account_recovery_codes (
    code_sha256 bytea PRIMARY KEY,
    account_id  uuid  NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,

    CONSTRAINT account_recovery_codes_is_sha256 CHECK (octet_length(code_sha256) = 32)
);

CREATE INDEX account_recovery_codes_account_id ON account_recovery_codes (account_id);

-- Nobody but the service itself reads these; whether there is one, the account knows.
ALTER TABLE accounts ADD COLUMN has_totp boolean NOT NULL DEFAULT false;

CREATE FUNCTION account_totp_note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- What was signed in by one factor ends when there are two, and the other way round.
    UPDATE accounts a
    SET has_totp = TG_OP <> 'DELETE' AND NEW.confirmed_at IS NOT NULL,
        epoch = a.epoch + 1
    WHERE a.id = CASE TG_OP WHEN 'DELETE' THEN OLD.account_id ELSE NEW.account_id END
        AND a.has_totp <> (TG_OP <> 'DELETE' AND NEW.confirmed_at IS NOT NULL);
    RETURN NULL;
END
$$;

CREATE TRIGGER account_totp_note AFTER INSERT OR DELETE OR UPDATE OF confirmed_at ON account_totp
    FOR EACH ROW EXECUTE FUNCTION account_totp_note();

ALTER TABLE account_totp ENABLE ROW LEVEL SECURITY;
CREATE POLICY account_totp_own ON account_totp TO collegium_graph
    USING (account_id = (SELECT acting_account()));
ALTER TABLE account_recovery_codes ENABLE ROW LEVEL SECURITY;
CREATE POLICY account_recovery_codes_own ON account_recovery_codes TO collegium_graph
    USING (account_id = (SELECT acting_account()));
