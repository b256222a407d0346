SET lock_timeout = '5s';

-- Programs of partners that ask the graph with a key of their own.
CREATE TABLE partner_applications (
    id            uuid        PRIMARY KEY,
    name          text        NOT NULL,
    -- What makes two names the same: case does not.
    name_folded   text        NOT NULL GENERATED ALWAYS AS (lower(name COLLATE "und-x-icu")) STORED,
    -- Whom to write to about it.
    contact_email text        NOT NULL,
    suspended_at  timestamptz,
    -- Keys hold the epoch in which they were made and end with it. It counts up when
    -- the application is suspended.
    epoch         integer     NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    created_by    uuid        REFERENCES accounts (id) ON DELETE SET NULL,

    CONSTRAINT partner_applications_name_unique UNIQUE (name_folded),
    CONSTRAINT partner_applications_name_form CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT partner_applications_contact_email_form
        CHECK (length(contact_email) <= 254 AND contact_email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$')
);

CREATE INDEX partner_applications_created_by ON partner_applications (created_by);

CREATE FUNCTION partner_applications_count_epoch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := greatest(NEW.epoch, OLD.epoch + 1);
    RETURN NEW;
END
$$;

CREATE TRIGGER partner_applications_count_epoch BEFORE UPDATE ON partner_applications
    FOR EACH ROW
    WHEN (OLD.suspended_at IS DISTINCT FROM NEW.suspended_at)
    EXECUTE FUNCTION partner_applications_count_epoch();

-- A key is known by the SHA-256 of its secret; the secret itself was shown once.
CREATE TABLE application_keys (
    id             uuid        PRIMARY KEY,
    application_id uuid        NOT NULL REFERENCES partner_applications (id) ON DELETE CASCADE,
    -- How the secret begins, so that people can tell keys apart.
    prefix         text        NOT NULL,
    secret_sha256  bytea       NOT NULL,
    scopes         text[]      NOT NULL,
    -- The section or region to which it is limited.
    unit_id        uuid        REFERENCES units (id),
    -- Whether only trusted documents are answered.
    trusted_only   boolean     NOT NULL DEFAULT false,
    epoch          integer     NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    created_by     uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,

    CONSTRAINT application_keys_secret_unique UNIQUE (secret_sha256),
    CONSTRAINT application_keys_secret_is_sha256 CHECK (octet_length(secret_sha256) = 32),
    CONSTRAINT application_keys_prefix_form CHECK (prefix ~ '^clg_[A-Za-z0-9_-]{6}$'),
    CONSTRAINT application_keys_scopes_known CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY['CONTENT_READ', 'DIRECTORY_READ', 'MEMBERS_READ', 'STATISTICS_READ']),
    -- Content is not divided by section or region.
    CONSTRAINT application_keys_limit_fits CHECK (unit_id IS NULL OR NOT scopes && ARRAY['CONTENT_READ']),
    CONSTRAINT application_keys_lifetime CHECK (expires_at > created_at AND expires_at <= created_at + interval '2 years')
);

CREATE INDEX application_keys_application_id ON application_keys (application_id, created_at);
CREATE INDEX application_keys_unit_id ON application_keys (unit_id);
CREATE INDEX application_keys_created_by ON application_keys (created_by);

-- An application has two valid keys at most: the one in use, and the one that
-- replaces it. One that was revoked stays so.
CREATE FUNCTION application_keys_keep_rules() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN
        RAISE EXCEPTION 'the key was revoked' USING ERRCODE = 'check_violation', CONSTRAINT = 'application_keys_revoked_for_good';
    END IF;
    -- Two at once wait for each other here.
    PERFORM FROM partner_applications a WHERE a.id = NEW.application_id FOR NO KEY UPDATE;
    IF (
        SELECT count(*)
        FROM application_keys k
        JOIN partner_applications a ON a.id = k.application_id AND a.epoch = k.epoch
        WHERE k.application_id = NEW.application_id AND k.revoked_at IS NULL AND k.expires_at > now()
    ) > 2 THEN
        RAISE EXCEPTION 'the application has two valid keys' USING ERRCODE = 'check_violation', CONSTRAINT = 'application_keys_two_valid';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER application_keys_keep_rules AFTER INSERT OR UPDATE OF application_id, epoch, expires_at, revoked_at ON application_keys
    FOR EACH ROW EXECUTE FUNCTION application_keys_keep_rules();

-- When a key was last used, to the minute.
CREATE TABLE application_key_uses (
    key_id  uuid        PRIMARY KEY REFERENCES application_keys (id) ON DELETE CASCADE,
    used_at timestamptz NOT NULL
);

ALTER TABLE partner_applications ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_applications_managed ON partner_applications TO collegium_graph
    USING ((SELECT acting_may('MANAGE_ACCOUNTS')));

ALTER TABLE application_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY application_keys_managed ON application_keys TO collegium_graph
    USING ((SELECT acting_may('MANAGE_ACCOUNTS')));

ALTER TABLE application_key_uses ENABLE ROW LEVEL SECURITY;
CREATE POLICY application_key_uses_managed ON application_key_uses TO collegium_graph
    USING ((SELECT acting_may('MANAGE_ACCOUNTS')));

SELECT audit_watch('partner_applications');
SELECT audit_watch('application_keys');
