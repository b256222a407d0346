SET lock_timeout = '5s';

-- Passkeys (Web Authentication): what proves who somebody is without a password.
CREATE TABLE passkeys (
    id            uuid        PRIMARY KEY,
    account_id    uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    credential_id bytea       NOT NULL,
    -- The public key, and what the authenticator said of itself.
    credential    jsonb       NOT NULL,
    -- What the person calls it.
    name          text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,

    CONSTRAINT passkeys_credential_unique UNIQUE (credential_id),
    CONSTRAINT passkeys_name_form CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 100)
);

CREATE INDEX passkeys_account_id ON passkeys (account_id);

-- What an authenticator was asked to sign. It is answered once, within five minutes.
CREATE TABLE passkey_challenges (
    token_sha256 bytea       PRIMARY KEY,
    -- Who registers a passkey; none: somebody signs in.
    account_id   uuid        REFERENCES accounts (id) ON DELETE CASCADE,
    challenge    jsonb       NOT NULL,
    expires_at   timestamptz NOT NULL,

    CONSTRAINT passkey_challenges_token_is_sha256 CHECK (octet_length(token_sha256) = 32)
);

CREATE INDEX passkey_challenges_account_id ON passkey_challenges (account_id);
CREATE INDEX passkey_challenges_expires_at ON passkey_challenges (expires_at);

-- Whom another service knows an account as (OpenID Connect).
CREATE TABLE external_identities (
    issuer     text        NOT NULL,
    subject    text        NOT NULL,
    account_id uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (issuer, subject),
    CONSTRAINT external_identities_subject_form CHECK (length(subject) BETWEEN 1 AND 255),
    -- At each service an account is one person.
    CONSTRAINT external_identities_account_unique UNIQUE (account_id, issuer)
);

-- Sign-ins at another service that have begun. The browser that began one has its
-- token; it ends once, within ten minutes.
CREATE TABLE external_attempts (
    token_sha256 bytea       PRIMARY KEY,
    state        text        NOT NULL,
    nonce        text        NOT NULL,
    verifier     text        NOT NULL,
    return_to    text        NOT NULL,
    expires_at   timestamptz NOT NULL,

    CONSTRAINT external_attempts_token_is_sha256 CHECK (octet_length(token_sha256) = 32)
);

CREATE INDEX external_attempts_expires_at ON external_attempts (expires_at);

ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY;
CREATE POLICY passkeys_own ON passkeys TO collegium_graph
    USING (account_id = (SELECT acting_account()));
ALTER TABLE passkey_challenges ENABLE ROW LEVEL SECURITY;
ALTER TABLE external_identities ENABLE ROW LEVEL SECURITY;
CREATE POLICY external_identities_own ON external_identities TO collegium_graph
    USING (account_id = (SELECT acting_account()));
ALTER TABLE external_attempts ENABLE ROW LEVEL SECURITY;

SELECT audit_watch('external_identities');
