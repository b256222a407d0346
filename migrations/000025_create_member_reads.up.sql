SET lock_timeout = '5s';

-- Who read what a member does not show to everyone. It holds no value of the fields, and
-- of the reader only as what they read. Rows are kept for a year.
CREATE TABLE member_reads (
    id             uuid        NOT NULL,
    member_id      uuid        NOT NULL,
    read_at        timestamptz NOT NULL,
    reader         text        NOT NULL,
    -- The application of a partner, if it was one; it outlives the application.
    application_id uuid,
    fields         text[]      NOT NULL,
    -- How often within the second or so that was written at once.
    times          integer     NOT NULL,

    CONSTRAINT member_reads_pkey PRIMARY KEY (id),
    CONSTRAINT member_reads_member_fkey FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE,
    CONSTRAINT member_reads_reader_known CHECK (reader IN
        ('MEMBER', 'SECTION_OFFICER', 'EDITOR', 'MEMBERSHIP_OFFICER', 'ADMINISTRATOR', 'APPLICATION', 'OTHER')),
    CONSTRAINT member_reads_fields_some CHECK (cardinality(fields) > 0),
    CONSTRAINT member_reads_times_positive CHECK (times > 0)
);

CREATE INDEX member_reads_member_id ON member_reads (member_id, read_at DESC, id DESC);
-- For removing the oldest.
CREATE INDEX member_reads_read_at ON member_reads USING brin (read_at);

-- Members read their own; the log is written by the service.
ALTER TABLE member_reads ENABLE ROW LEVEL SECURITY;
CREATE POLICY member_reads_own ON member_reads FOR SELECT TO collegium_graph
    USING (member_id = (SELECT acting_member()));
CREATE POLICY member_reads_insert ON member_reads FOR INSERT TO collegium_graph
    WITH CHECK (true);
