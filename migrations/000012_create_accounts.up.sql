SET lock_timeout = '5s';

-- The queue of jobs keeps its tables here, and migrates them itself.
CREATE SCHEMA river;

-- Who can sign in. A member can have an account, and so can somebody of the staff
-- who is no member.
CREATE TABLE accounts (
    id                uuid        PRIMARY KEY,
    email             text        NOT NULL,
    -- What makes two addresses the same: case does not.
    email_folded      text        NOT NULL GENERATED ALWAYS AS (lower(email COLLATE "und-x-icu")) STORED,
    email_verified_at timestamptz,
    -- Argon2id in PHC form; none: the person signs in by other means only.
    password_hash     text,
    member_id         uuid        REFERENCES members (id),
    suspended_at      timestamptz,
    -- Sessions, keys and mailed links hold the epoch in which they were made and end
    -- with it. It counts up when the password changes, when the account is suspended
    -- and when everything is signed out.
    epoch             integer     NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT accounts_email_unique UNIQUE (email_folded),
    CONSTRAINT accounts_email_form CHECK (length(email) <= 254 AND email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'),
    CONSTRAINT accounts_member_unique UNIQUE (member_id),
    CONSTRAINT accounts_password_hash_form CHECK (password_hash LIKE '$argon2id$%')
);

CREATE FUNCTION accounts_count_epoch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := greatest(NEW.epoch, OLD.epoch + 1);
    RETURN NEW;
END
$$;

-- Whoever changes these, by whatever program, ends what was made before.
CREATE TRIGGER accounts_count_epoch BEFORE UPDATE ON accounts
    FOR EACH ROW
    WHEN (OLD.password_hash IS DISTINCT FROM NEW.password_hash
        OR OLD.email IS DISTINCT FROM NEW.email
        OR OLD.suspended_at IS DISTINCT FROM NEW.suspended_at)
    EXECUTE FUNCTION accounts_count_epoch();

-- What an account may do beyond what every member may. A section officer is not
-- among them: that follows from a term on a committee.
CREATE TABLE account_roles (
    account_id uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    role       text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (account_id, role),
    CONSTRAINT account_roles_role_known CHECK (role IN ('EDITOR', 'MEMBERSHIP_OFFICER', 'ADMINISTRATOR'))
);

-- A session is known by the SHA-256 of its token; the token itself is only with
-- whoever signed in.
CREATE TABLE sessions (
    id           uuid        PRIMARY KEY,
    token_sha256 bytea       NOT NULL,
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    epoch        integer     NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,

    CONSTRAINT sessions_token_unique UNIQUE (token_sha256),
    CONSTRAINT sessions_token_is_sha256 CHECK (octet_length(token_sha256) = 32),
    CONSTRAINT sessions_expires_after_created CHECK (expires_at > created_at)
);

CREATE INDEX sessions_account_id ON sessions (account_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Links that were mailed. Whoever follows one has the mailbox: it verifies the
-- address and sets a password. It works once.
CREATE TABLE account_links (
    token_sha256 bytea       PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    epoch        integer     NOT NULL,
    expires_at   timestamptz NOT NULL,

    CONSTRAINT account_links_token_is_sha256 CHECK (octet_length(token_sha256) = 32)
);

CREATE INDEX account_links_account_id ON account_links (account_id);
CREATE INDEX account_links_expires_at ON account_links (expires_at);

-- How often something was tried in vain: at an address that may have an account or
-- not, or from a network. The key is a hash, so that the table tells nobody who
-- tried what.
CREATE TABLE sign_in_failures (
    key        bytea       PRIMARY KEY,
    failures   integer     NOT NULL,
    expires_at timestamptz NOT NULL,

    CONSTRAINT sign_in_failures_key_is_sha256 CHECK (octet_length(key) = 32)
);

CREATE INDEX sign_in_failures_expires_at ON sign_in_failures (expires_at);

-- What somebody who wants to become a member tells of themselves. Staff decide.
CREATE TABLE membership_applications (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    display_name text        NOT NULL,
    grade        text        NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT now(),
    decision     text,
    decided_at   timestamptz,
    decided_by   uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    -- What the applicant is told, if declined.
    reason       text,

    CONSTRAINT membership_applications_display_name_present CHECK (btrim(display_name) <> '' AND length(display_name) <= 200),
    CONSTRAINT membership_applications_grade_known CHECK (grade IN
        ('PROFESSIONAL', 'STUDENT', 'ASSOCIATE', 'SELF_EMPLOYED', 'OVERSEAS', 'CAREER_BREAK', 'RETIRED')),
    CONSTRAINT membership_applications_decision_known CHECK (decision IN ('ACCEPTED', 'DECLINED', 'WITHDRAWN')),
    CONSTRAINT membership_applications_decided_once CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CONSTRAINT membership_applications_declined_with_reason CHECK (decision IS DISTINCT FROM 'DECLINED' OR reason <> '')
);

CREATE UNIQUE INDEX membership_applications_one_open ON membership_applications (account_id) WHERE decision IS NULL;
CREATE INDEX membership_applications_open ON membership_applications (submitted_at, id) WHERE decision IS NULL;
CREATE INDEX membership_applications_account_id ON membership_applications (account_id);
