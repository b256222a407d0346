SET lock_timeout = '5s';

-- Nobody belongs to a section twice at once. What was written so is one membership:
-- from the first day of all to the last.
DO $do$
DECLARE
    whole record;
BEGIN
    FOR whole IN
        SELECT
            i.member_id,
            i.section_id,
            min(i.starts_on) AS starts_on,
            CASE WHEN bool_and(i.ends_on IS NOT NULL) THEN max(i.ends_on) END AS ends_on
        FROM (
            SELECT
                o.member_id,
                o.section_id,
                o.starts_on,
                o.ends_on,
                count(*) FILTER (WHERE o.until_now IS NULL OR o.until_now < o.starts_on)
                    OVER (PARTITION BY o.member_id, o.section_id ORDER BY o.starts_on) AS island
            FROM (
                SELECT
                    sm.member_id,
                    sm.section_id,
                    sm.starts_on,
                    sm.ends_on,
                    max(COALESCE(sm.ends_on, 'infinity')) OVER (
                        PARTITION BY sm.member_id, sm.section_id ORDER BY sm.starts_on
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ) AS until_now
                FROM section_memberships sm
            ) o
        ) i
        GROUP BY i.member_id, i.section_id, i.island
        HAVING count(*) > 1
    LOOP
        DELETE FROM section_memberships sm
        WHERE sm.member_id = whole.member_id
            AND sm.section_id = whole.section_id
            AND sm.starts_on > whole.starts_on
            AND (whole.ends_on IS NULL OR sm.starts_on <= whole.ends_on);
        UPDATE section_memberships sm
        SET ends_on = whole.ends_on
        WHERE sm.member_id = whole.member_id AND sm.section_id = whole.section_id AND sm.starts_on = whole.starts_on;
    END LOOP;
END
$do$;

-- For a constraint over what is equal and what overlaps.
CREATE EXTENSION IF NOT EXISTS btree_gist;

ALTER TABLE section_memberships ADD CONSTRAINT section_memberships_overlap_none
    EXCLUDE USING gist (member_id WITH =, section_id WITH =, daterange(starts_on, ends_on, '[]') WITH &&);
DROP INDEX section_memberships_one_open;
