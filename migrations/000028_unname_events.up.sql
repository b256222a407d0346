SET lock_timeout = '5s';

-- Who recorded what the audit says, also of what is written for an account that is
-- made in the same transaction. Here an account stands only beside its key.
ALTER TABLE membership_events ALTER COLUMN account_id DROP DEFAULT;
UPDATE membership_events SET account_id = NULL WHERE account_id IS NOT NULL AND idempotency_key IS NULL;
