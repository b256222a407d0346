SET lock_timeout = '5s';

-- The audit names a row by its primary key, and whom another service knows somebody
-- as is personal: it is no key.
DROP TRIGGER external_identities_audit_insert ON external_identities;
DROP TRIGGER external_identities_audit_update ON external_identities;
DROP TRIGGER external_identities_audit_delete ON external_identities;
DROP TRIGGER external_identities_audit_truncate ON external_identities;

ALTER TABLE external_identities
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid(),
    DROP CONSTRAINT external_identities_pkey,
    ADD PRIMARY KEY (id),
    ADD CONSTRAINT external_identities_subject_unique UNIQUE (issuer, subject);

SELECT audit_watch('external_identities');
