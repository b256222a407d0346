SET lock_timeout = '5s';

DROP TRIGGER external_identities_audit_insert ON external_identities;
DROP TRIGGER external_identities_audit_update ON external_identities;
DROP TRIGGER external_identities_audit_delete ON external_identities;
DROP TRIGGER external_identities_audit_truncate ON external_identities;

ALTER TABLE external_identities
    DROP CONSTRAINT external_identities_subject_unique,
    DROP COLUMN id,
    ADD PRIMARY KEY (issuer, subject);

SELECT audit_watch('external_identities');
