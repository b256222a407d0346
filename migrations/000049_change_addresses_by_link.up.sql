SET lock_timeout = '5s';

-- The address that the account has from then on, once the link is followed, which was
-- mailed there; none: the link is for a password.
ALTER TABLE account_links
    ADD COLUMN email text,
    ADD CONSTRAINT account_links_email_form CHECK (length(email) <= 254 AND email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'),
    ADD CONSTRAINT account_links_for_one_thing CHECK (email IS NULL OR display_name IS NULL);
