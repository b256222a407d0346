SET lock_timeout = '5s';

-- What accounts asked for with a key of their own choice, so that it happens once however
-- often it is asked for. Neither the key nor what was asked stands here, only a hash of
-- each; the answer is an ID, or numbers.
CREATE TABLE idempotency_keys (
    account_id   uuid        NOT NULL,
    key_sha256   bytea       NOT NULL,
    input_sha256 bytea       NOT NULL,
    -- None while the write is under way, which only its own transaction sees.
    answer       jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,

    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, key_sha256),
    CONSTRAINT idempotency_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_key_is_sha256 CHECK (octet_length(key_sha256) = 32),
    CONSTRAINT idempotency_keys_input_is_sha256 CHECK (octet_length(input_sha256) = 32),
    CONSTRAINT idempotency_keys_answer_short CHECK (octet_length(answer::text) <= 1000)
);

-- For removing what is over.
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY idempotency_keys_own ON idempotency_keys TO collegium_graph
    USING (account_id = (SELECT acting_account()));

-- Renewals had keys of their own.
DROP INDEX membership_events_key_once;
ALTER TABLE membership_events
    DROP COLUMN account_id,
    DROP COLUMN idempotency_key,
    DROP COLUMN input_sha256;
