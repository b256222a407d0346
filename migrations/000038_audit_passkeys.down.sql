SET lock_timeout = '5s';

DROP TRIGGER passkeys_audit_insert ON passkeys;
DROP TRIGGER passkeys_audit_update ON passkeys;
DROP TRIGGER passkeys_audit_delete ON passkeys;
DROP TRIGGER passkeys_audit_truncate ON passkeys;

ALTER TABLE passkeys ADD COLUMN last_used_at timestamptz;
UPDATE passkeys p
SET credential = p.credential || u.state, last_used_at = u.last_used_at
FROM passkey_uses u
WHERE u.passkey_id = p.id;
DROP TABLE passkey_uses;
