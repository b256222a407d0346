SET lock_timeout = '5s';

-- What somebody applies for who has no account yet stands with the link that is mailed,
-- and becomes an application when the link is followed: whoever else joins with the same
-- address has a link of their own.
ALTER TABLE account_links
    ADD COLUMN display_name text,
    ADD COLUMN grade        text,
    ADD CONSTRAINT account_links_application_whole CHECK ((display_name IS NULL) = (grade IS NULL)),
    ADD CONSTRAINT account_links_display_name_present CHECK (btrim(display_name) <> '' AND length(display_name) <= 200),
    ADD CONSTRAINT account_links_grade_known CHECK (grade IN
        ('PROFESSIONAL', 'STUDENT', 'ASSOCIATE', 'SELF_EMPLOYED', 'OVERSEAS', 'CAREER_BREAK', 'RETIRED'));

UPDATE account_links l
SET display_name = ap.display_name, grade = ap.grade
FROM membership_applications ap
JOIN accounts a ON a.id = ap.account_id
WHERE ap.account_id = l.account_id AND ap.decision IS NULL AND a.email_verified_at IS NULL;

DELETE FROM membership_applications ap
USING accounts a
WHERE a.id = ap.account_id AND ap.decision IS NULL AND a.email_verified_at IS NULL;
