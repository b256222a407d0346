SET lock_timeout = '5s';

-- Who is willing to be found as a therapist. Whether somebody is found is stored
-- nowhere: it follows, on each day, from what is recorded elsewhere.
CREATE TABLE therapist_listings (
    member_id     uuid        NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    willing_since timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT therapist_listings_pkey PRIMARY KEY (member_id)
);

CREATE TRIGGER therapist_listings_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON therapist_listings
    FOR EACH STATEMENT EXECUTE FUNCTION note_change();
ALTER TABLE therapist_listings ENABLE ALWAYS TRIGGER therapist_listings_note_change;

SELECT audit_watch('therapist_listings');

ALTER TABLE therapist_listings ENABLE ROW LEVEL SECURITY;
CREATE POLICY therapist_listings_own ON therapist_listings TO collegium_graph
    USING (member_id = (SELECT acting_member()));
CREATE POLICY therapist_listings_register ON therapist_listings FOR SELECT TO collegium_graph
    USING ((SELECT acting_may('READ_REGISTER')));

-- These look at rows that the one who asks may not read, and tell of them no more
-- than who is found, and to those whose business it is why not.
DO $do$
BEGIN
    -- What keeps each of the members from being found today; nothing if it is empty.
    EXECUTE format($sql$
        CREATE FUNCTION therapist_reasons(members_of uuid[])
        RETURNS TABLE (member_id uuid, reasons text[])
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT m.id, array_remove(ARRAY[
                CASE WHEN NOT EXISTS (SELECT FROM therapist_listings l WHERE l.member_id = m.id) THEN 'NOT_WILLING' END,
                CASE WHEN s.status IS NULL OR s.status NOT IN ('CURRENT', 'GRACE') THEN 'NO_MEMBER' WHEN NOT s.practises THEN 'NOT_PRACTISING' END,
                CASE WHEN NOT EXISTS (
                    SELECT FROM registrations r
                    WHERE r.member_id = m.id AND r.verified_on <= CURRENT_DATE AND r.valid_until >= CURRENT_DATE) THEN 'NOT_REGISTERED' END,
                CASE WHEN NOT EXISTS (
                    SELECT FROM section_memberships sm
                    WHERE sm.member_id = m.id AND sm.starts_on <= CURRENT_DATE AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)) THEN 'IN_NO_SECTION' END,
                CASE WHEN NOT EXISTS (
                    SELECT FROM indemnity_insurances i
                    WHERE i.member_id = m.id AND i.valid_from <= CURRENT_DATE AND i.valid_until >= CURRENT_DATE) THEN 'NOT_INSURED' END,
                CASE WHEN m.listing_audience <> 'PUBLIC' THEN 'NAME_NOT_PUBLIC' END,
                CASE WHEN NOT EXISTS (
                    SELECT FROM member_details d
                    WHERE d.member_id = m.id AND d.field = 'PRACTICE' AND d.audience = 'PUBLIC' AND d.latitude IS NOT NULL) THEN 'NO_PUBLIC_PRACTICE' END
            ], NULL)
            FROM members m
            LEFT JOIN membership_statuses(CURRENT_DATE) s ON s.member_id = m.id
            WHERE m.id = ANY(members_of)
        $$
    $sql$, current_schema());
    -- The same, of oneself or for who may read the register.
    EXECUTE format($sql$
        CREATE FUNCTION therapist_listings_of(members_of uuid[])
        RETURNS TABLE (member_id uuid, reasons text[])
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT r.member_id, r.reasons
            FROM therapist_reasons(members_of) r
            WHERE r.member_id = acting_member() OR acting_may('READ_REGISTER')
        $$
    $sql$, current_schema());
    -- Who is found today between two latitudes and two longitudes, in a section if one
    -- is given: of those who show everyone that they are in it.
    EXECUTE format($sql$
        CREATE FUNCTION therapists_between(south float8, north float8, west float8, east float8, of_section text)
        RETURNS TABLE (member_id uuid, latitude float8, longitude float8)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT d.member_id, d.latitude::float8, d.longitude::float8
            FROM therapist_reasons(ARRAY(
                SELECT d.member_id
                FROM member_details d
                JOIN therapist_listings l ON l.member_id = d.member_id
                WHERE d.field = 'PRACTICE' AND d.audience = 'PUBLIC'
                    AND d.latitude BETWEEN south::numeric AND north::numeric AND d.longitude BETWEEN west::numeric AND east::numeric
                    AND (of_section IS NULL OR d.member_id IN (
                        SELECT sm.member_id
                        FROM units u
                        JOIN section_memberships sm ON sm.section_id = u.id
                        JOIN members m ON m.id = sm.member_id
                        WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = of_section AND m.sections_audience = 'PUBLIC'
                            AND sm.starts_on <= CURRENT_DATE AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)))
            )) r
            JOIN member_details d ON d.member_id = r.member_id AND d.field = 'PRACTICE'
            WHERE cardinality(r.reasons) = 0
        $$
    $sql$, current_schema());
END
$do$;

REVOKE EXECUTE ON FUNCTION therapist_reasons(uuid[]) FROM PUBLIC;
