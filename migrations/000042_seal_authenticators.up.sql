SET lock_timeout = '5s';

-- The secret of an authenticator, sealed by a key that is not in the database: which key,
-- a nonce, and AES-256-GCM of 20 bytes for this account. The program seals the secrets
-- that stand here in clear once it has a key.
ALTER TABLE account_totp
    ALTER COLUMN secret DROP NOT NULL,
    ADD COLUMN sealed bytea,
    ADD CONSTRAINT account_totp_one_secret CHECK (num_nonnulls(secret, sealed) = 1),
    ADD CONSTRAINT account_totp_sealed_form CHECK (octet_length(sealed) = 52);
