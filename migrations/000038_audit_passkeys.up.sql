SET lock_timeout = '5s';

-- What an authenticator says of itself at each sign-in, and when that was. It is
-- apart from the passkey, whose writes are in the audit: nobody writes this by hand.
CREATE TABLE passkey_uses (
    passkey_id   uuid        PRIMARY KEY REFERENCES passkeys (id) ON DELETE CASCADE,
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- The parts of the credential that change: its flags and its counter.
    state        jsonb       NOT NULL,
    last_used_at timestamptz NOT NULL
);

CREATE INDEX passkey_uses_account_id ON passkey_uses (account_id);

ALTER TABLE passkey_uses ENABLE ROW LEVEL SECURITY;
CREATE POLICY passkey_uses_own ON passkey_uses TO collegium_graph
    USING (account_id = (SELECT acting_account()));

INSERT INTO passkey_uses (passkey_id, account_id, state, last_used_at)
SELECT
    p.id,
    p.account_id,
    jsonb_strip_nulls(jsonb_build_object('flags', p.credential -> 'flags', 'authenticator', p.credential -> 'authenticator')),
    p.last_used_at
FROM passkeys p
WHERE p.last_used_at IS NOT NULL;

ALTER TABLE passkeys DROP COLUMN last_used_at;

SELECT audit_watch('passkeys');
