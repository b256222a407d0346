SET lock_timeout = '5s';

DROP TABLE external_attempts;
DROP TABLE external_identities;
DROP TABLE passkey_challenges;
DROP TABLE passkeys;
