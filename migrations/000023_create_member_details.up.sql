SET lock_timeout = '5s';

-- What else a profile says: a row for each field that a member has filled in, or has
-- chosen an audience for. So a policy for rows guards each field by itself.
CREATE TABLE member_details (
    member_id  uuid        NOT NULL,
    field      text        NOT NULL,
    audience   text        NOT NULL DEFAULT 'NOBODY',
    -- The address, number or text; of PRACTICE the town, and of PHOTO its name below /media.
    value      text,
    -- Of LANGUAGES and SPECIALISMS.
    terms      text[],
    -- Of PRACTICE. The type rounds to hundredths of a degree, about a kilometre: no
    -- distance that is computed from it tells more than the field shows.
    postcode   text,
    latitude   numeric(4, 2),
    longitude  numeric(5, 2),
    updated_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT member_details_pkey PRIMARY KEY (member_id, field),
    CONSTRAINT member_details_member_fkey FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE,
    CONSTRAINT member_details_field_known CHECK (field IN
        ('EMAIL', 'PHONE', 'WEBSITE', 'ADDRESS', 'PHOTO', 'LANGUAGES', 'SPECIALISMS', 'PRACTICE')),
    CONSTRAINT member_details_audience_known CHECK (audience IN
        ('PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY')),
    CONSTRAINT member_details_value_present CHECK (value <> ''),
    CONSTRAINT member_details_terms_where_lists CHECK (
        CASE WHEN field IN ('LANGUAGES', 'SPECIALISMS') THEN value IS NULL AND cardinality(terms) > 0 IS NOT FALSE ELSE terms IS NULL END),
    CONSTRAINT member_details_place_where_practice CHECK (
        field = 'PRACTICE' OR (postcode IS NULL AND latitude IS NULL AND longitude IS NULL)),
    CONSTRAINT member_details_place_on_earth CHECK (
        (latitude IS NULL) = (longitude IS NULL) AND abs(latitude) <= 90 IS NOT FALSE AND abs(longitude) <= 180 IS NOT FALSE)
);

-- For the filters of the directory.
CREATE INDEX member_details_languages ON member_details USING gin (terms) WHERE field = 'LANGUAGES';
CREATE INDEX member_details_specialisms ON member_details USING gin (terms) WHERE field = 'SPECIALISMS';
CREATE INDEX member_details_place ON member_details (latitude, longitude) INCLUDE (member_id, audience) WHERE field = 'PRACTICE';

CREATE TRIGGER member_details_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON member_details
    FOR EACH STATEMENT EXECUTE FUNCTION note_change();
ALTER TABLE member_details ENABLE ALWAYS TRIGGER member_details_note_change;

SELECT audit_watch('member_details');

-- The second line behind the statements of the graph: a row is there for whom the
-- member shows it to.
ALTER TABLE member_details ENABLE ROW LEVEL SECURITY;
CREATE POLICY member_details_shown ON member_details FOR SELECT TO collegium_graph
    USING (
        audience = 'PUBLIC'
        OR member_id = (SELECT acting_member())
        OR (audience <> 'NOBODY' AND (SELECT acting_may('READ_REGISTER')))
        OR (audience = 'MEMBERS' AND (SELECT acting_may('READ_DIRECTORY')))
        OR (audience = 'SECTION' AND (SELECT acting_may('READ_DIRECTORY')) AND EXISTS (
            SELECT
            FROM section_memberships theirs
            JOIN section_memberships mine ON mine.section_id = theirs.section_id
            WHERE theirs.member_id = member_details.member_id
                AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE)
                AND mine.member_id = (SELECT acting_member())
                AND mine.starts_on <= CURRENT_DATE AND (mine.ends_on IS NULL OR mine.ends_on >= CURRENT_DATE)))
        OR (audience IN ('SECTION', 'COMMITTEE') AND (SELECT acting_may('READ_DIRECTORY')) AND EXISTS (
            SELECT
            FROM terms served
            JOIN posts post ON post.id = served.post_id
            JOIN committees serving ON serving.id = post.committee_id
            WHERE served.member_id = (SELECT acting_member())
                AND served.starts_on <= CURRENT_DATE AND (served.ends_on IS NULL OR served.ends_on >= CURRENT_DATE)
                AND (EXISTS (SELECT FROM members m WHERE m.id = member_details.member_id AND m.region_id = serving.unit_id) OR EXISTS (
                    SELECT
                    FROM section_memberships theirs
                    WHERE theirs.member_id = member_details.member_id AND theirs.section_id = serving.unit_id
                        AND theirs.starts_on <= CURRENT_DATE AND (theirs.ends_on IS NULL OR theirs.ends_on >= CURRENT_DATE))))));
CREATE POLICY member_details_insert ON member_details FOR INSERT TO collegium_graph
    WITH CHECK (member_id = (SELECT acting_member()) OR (SELECT acting_may('MANAGE_REGISTER')));
CREATE POLICY member_details_update ON member_details FOR UPDATE TO collegium_graph
    USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('MANAGE_REGISTER')));
CREATE POLICY member_details_delete ON member_details FOR DELETE TO collegium_graph
    USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('MANAGE_REGISTER')));

-- Under a policy no index is used whose operator could tell of rows by an error. These
-- two look there as the owner, and tell with each row its audience, by which the
-- statement that asks them leaves out what is not shown.
DO $do$
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION members_with_term(of_field text, term text)
        RETURNS TABLE (member_id uuid, audience text)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT d.member_id, d.audience FROM member_details d WHERE of_field = 'LANGUAGES' AND d.field = 'LANGUAGES' AND d.terms @> ARRAY[term]
            UNION ALL
            SELECT d.member_id, d.audience FROM member_details d WHERE of_field = 'SPECIALISMS' AND d.field = 'SPECIALISMS' AND d.terms @> ARRAY[term]
        $$
    $sql$, current_schema());
    EXECUTE format($sql$
        CREATE FUNCTION practices_between(south float8, north float8, west float8, east float8)
        RETURNS TABLE (member_id uuid, audience text, latitude float8, longitude float8)
        LANGUAGE sql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT d.member_id, d.audience, d.latitude::float8, d.longitude::float8
            FROM member_details d
            WHERE d.field = 'PRACTICE' AND d.latitude BETWEEN south::numeric AND north::numeric AND d.longitude BETWEEN west::numeric AND east::numeric
        $$
    $sql$, current_schema());
END
$do$;
