SET lock_timeout = '5s';

-- What was read of what the body knows of a member, whatever they show of themselves.
ALTER TABLE member_reads ADD COLUMN register text[] NOT NULL DEFAULT '{}';
ALTER TABLE member_reads DROP CONSTRAINT member_reads_fields_some;
ALTER TABLE member_reads ADD CONSTRAINT member_reads_some CHECK (cardinality(fields) + cardinality(register) > 0);

DO $do$
BEGIN
    -- What an application of a partner is called, for the members whom it read: they see
    -- nothing else of applications, and others not even that.
    EXECUTE format($sql$
        CREATE FUNCTION name_of_reader(application uuid) RETURNS text
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, %1$I, pg_temp AS $$
            SELECT p.name
            FROM partner_applications p
            WHERE p.id = application
                AND EXISTS (SELECT FROM member_reads r WHERE r.member_id = acting_member() AND r.application_id = application)
        $$
    $sql$, current_schema());
END
$do$;
