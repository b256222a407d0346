SET lock_timeout = '5s';

-- The widest audience that the office lets a member choose for a field. Without a row
-- the member chooses freely.
CREATE TABLE member_locks (
    member_id uuid        NOT NULL,
    field     text        NOT NULL,
    audience  text        NOT NULL,
    -- Told to the member.
    reason    text        NOT NULL,
    locked_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT member_locks_pkey PRIMARY KEY (member_id, field),
    CONSTRAINT member_locks_member_fkey FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE,
    CONSTRAINT member_locks_field_known CHECK (field IN
        ('LISTING', 'PRONOUNS', 'HEADLINE', 'BIO', 'GRADE', 'REGION', 'JOINED_ON', 'SECTIONS',
         'EMAIL', 'PHONE', 'WEBSITE', 'ADDRESS', 'PHOTO', 'LANGUAGES', 'SPECIALISMS', 'PRACTICE')),
    CONSTRAINT member_locks_audience_known CHECK (audience IN ('MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY')),
    CONSTRAINT member_locks_reason_present CHECK (reason <> '')
);

SELECT audit_watch('member_locks');

ALTER TABLE member_locks ENABLE ROW LEVEL SECURITY;
CREATE POLICY member_locks_own ON member_locks FOR SELECT TO collegium_graph
    USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('MANAGE_REGISTER')));
CREATE POLICY member_locks_office ON member_locks TO collegium_graph
    USING ((SELECT acting_may('MANAGE_REGISTER')));

-- How narrow an audience is: from 1, PUBLIC, to 6, NOBODY.
CREATE FUNCTION audience_rank(audience text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(ARRAY['PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY'], audience)
$$;

-- Whoever writes an audience that is wider than the lock writes that of the lock.
CREATE FUNCTION narrow_audience(member uuid, of_field text, wanted text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT COALESCE((
        SELECT l.audience
        FROM member_locks l
        WHERE l.member_id = member AND l.field = of_field AND audience_rank(l.audience) > audience_rank(wanted)
    ), wanted)
$$;

CREATE FUNCTION members_narrow_audiences() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM member_locks l WHERE l.member_id = NEW.id) THEN
        NEW.listing_audience := narrow_audience(NEW.id, 'LISTING', NEW.listing_audience);
        NEW.pronouns_audience := narrow_audience(NEW.id, 'PRONOUNS', NEW.pronouns_audience);
        NEW.headline_audience := narrow_audience(NEW.id, 'HEADLINE', NEW.headline_audience);
        NEW.bio_audience := narrow_audience(NEW.id, 'BIO', NEW.bio_audience);
        NEW.grade_audience := narrow_audience(NEW.id, 'GRADE', NEW.grade_audience);
        NEW.region_audience := narrow_audience(NEW.id, 'REGION', NEW.region_audience);
        NEW.joined_on_audience := narrow_audience(NEW.id, 'JOINED_ON', NEW.joined_on_audience);
        NEW.sections_audience := narrow_audience(NEW.id, 'SECTIONS', NEW.sections_audience);
    END IF;
    RETURN NEW;
END
$$;

-- Named so that it runs before the revision is counted.
CREATE TRIGGER members_narrow_audiences BEFORE UPDATE OF listing_audience, pronouns_audience, headline_audience, bio_audience,
    grade_audience, region_audience, joined_on_audience, sections_audience ON members
    FOR EACH ROW EXECUTE FUNCTION members_narrow_audiences();

CREATE FUNCTION member_details_narrow_audience() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM member_locks l WHERE l.member_id = NEW.member_id AND l.field = NEW.field) THEN
        NEW.audience := narrow_audience(NEW.member_id, NEW.field, NEW.audience);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER member_details_narrow_audience BEFORE INSERT OR UPDATE OF audience ON member_details
    FOR EACH ROW EXECUTE FUNCTION member_details_narrow_audience();
