SET lock_timeout = '5s';

INSERT INTO membership_applications (id, account_id, display_name, grade)
SELECT DISTINCT ON (l.account_id) gen_random_uuid(), l.account_id, l.display_name, l.grade
FROM account_links l
JOIN accounts a ON a.id = l.account_id
WHERE l.display_name IS NOT NULL AND a.email_verified_at IS NULL
ORDER BY l.account_id, l.expires_at DESC
ON CONFLICT (account_id) WHERE decision IS NULL DO NOTHING;

ALTER TABLE account_links
    DROP COLUMN display_name,
    DROP COLUMN grade;
