SET lock_timeout = '5s';

-- The photos of members, as they are served. Who sees one stands with the field PHOTO
-- of member_details, and the id is in its value.
CREATE TABLE member_photos (
    member_id   uuid        NOT NULL,
    -- Random, and another one with each photo: it is the address.
    id          uuid        NOT NULL,
    jpeg        bytea       NOT NULL,
    sha256      bytea       NOT NULL GENERATED ALWAYS AS (sha256(jpeg)) STORED,
    width       integer     NOT NULL,
    height      integer     NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT member_photos_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_photos_id_key UNIQUE (id),
    CONSTRAINT member_photos_member_fkey FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE,
    CONSTRAINT member_photos_size CHECK (width BETWEEN 1 AND 512 AND height BETWEEN 1 AND 512)
);
-- A JPEG does not get smaller.
ALTER TABLE member_photos ALTER COLUMN jpeg SET STORAGE EXTERNAL;

CREATE TRIGGER member_photos_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON member_photos
    FOR EACH STATEMENT EXECUTE FUNCTION note_change();
ALTER TABLE member_photos ENABLE ALWAYS TRIGGER member_photos_note_change;

SELECT audit_watch('member_photos');

-- A photo is there for whom the row of its field is there: the policy of member_details
-- holds in this one too.
ALTER TABLE member_photos ENABLE ROW LEVEL SECURITY;
CREATE POLICY member_photos_shown ON member_photos FOR SELECT TO collegium_graph
    USING (
        member_id = (SELECT acting_member())
        OR EXISTS (SELECT FROM member_details d WHERE d.member_id = member_photos.member_id AND d.field = 'PHOTO'));
CREATE POLICY member_photos_insert ON member_photos FOR INSERT TO collegium_graph
    WITH CHECK (member_id = (SELECT acting_member()));
CREATE POLICY member_photos_update ON member_photos FOR UPDATE TO collegium_graph
    USING (member_id = (SELECT acting_member()));
CREATE POLICY member_photos_delete ON member_photos FOR DELETE TO collegium_graph
    USING (member_id = (SELECT acting_member()));
