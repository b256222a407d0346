SET lock_timeout = '5s';

DROP TABLE application_key_uses;
DROP TABLE application_keys;
DROP TABLE partner_applications;
DROP FUNCTION application_keys_keep_rules();
DROP FUNCTION partner_applications_count_epoch();
