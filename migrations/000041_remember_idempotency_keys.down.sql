SET lock_timeout = '5s';

ALTER TABLE membership_events
    ADD COLUMN account_id      uuid REFERENCES accounts (id) ON DELETE SET NULL,
    ADD COLUMN idempotency_key text,
    ADD COLUMN input_sha256    bytea,
    ADD CONSTRAINT membership_events_input_is_sha256 CHECK ((idempotency_key IS NULL) = (input_sha256 IS NULL) AND octet_length(input_sha256) = 32);
CREATE UNIQUE INDEX membership_events_key_once ON membership_events (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

DROP TABLE idempotency_keys;
