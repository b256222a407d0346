SET lock_timeout = '5s';

ALTER TABLE membership_events ALTER COLUMN account_id SET DEFAULT NULLIF(current_setting('collegium.account', true), '')::uuid;
