SET lock_timeout = '5s';

-- When the posts of a committee are voted on, both days included.
CREATE TABLE committee_elections (
    id                uuid PRIMARY KEY,
    committee_id      uuid NOT NULL REFERENCES committees (id) ON DELETE CASCADE,
    nominations_until date,
    opens_on          date NOT NULL,
    closes_on         date NOT NULL,
    note              text,

    CONSTRAINT committee_elections_opens_once UNIQUE (committee_id, opens_on),
    CONSTRAINT committee_elections_days_finite CHECK (
        isfinite(opens_on) AND isfinite(closes_on) AND isfinite(nominations_until) IS NOT FALSE),
    CONSTRAINT committee_elections_closes_after_open CHECK (closes_on >= opens_on),
    CONSTRAINT committee_elections_nominations_before_open CHECK (nominations_until < opens_on),
    CONSTRAINT committee_elections_note_length CHECK (note <> '' AND length(note) <= 500)
);

CREATE FUNCTION committee_elections_overlap_none() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM committees c WHERE c.id = NEW.committee_id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM committee_elections el
        WHERE el.committee_id = NEW.committee_id
            AND el.id <> NEW.id
            AND el.opens_on <= NEW.closes_on
            AND el.closes_on >= NEW.opens_on
    ) THEN
        RAISE EXCEPTION 'elections of a committee overlap'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'committee_elections_overlap_none', TABLE = 'committee_elections';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER committee_elections_overlap_none AFTER INSERT OR UPDATE ON committee_elections
    FOR EACH ROW EXECUTE FUNCTION committee_elections_overlap_none();

-- On no day more people hold a post than it has seats, and nobody holds two of them.
-- It is asked when a transaction ends, so that a new holder can be written before the
-- end of the old one; whoever asks holds the post meanwhile.
CREATE FUNCTION terms_fit_seats() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    t     terms;
    seats integer;
BEGIN
    -- What became of it later in the transaction counts.
    SELECT * INTO t FROM terms x WHERE x.id = NEW.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT p.seats INTO seats FROM posts p WHERE p.id = t.post_id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM terms x
        WHERE x.post_id = t.post_id
            AND x.member_id = t.member_id
            AND x.id <> t.id
            AND (x.ends_on IS NULL OR x.ends_on >= t.starts_on)
            AND (t.ends_on IS NULL OR t.ends_on >= x.starts_on)
    ) THEN
        RAISE EXCEPTION 'a member holds two seats of a post'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'terms_one_seat_each', TABLE = 'terms';
    END IF;
    -- The most hold it on the first day of some term.
    IF EXISTS (
        SELECT FROM terms d
        WHERE d.post_id = t.post_id
            AND greatest(d.starts_on, t.starts_on) <= COALESCE(d.ends_on, 'infinity')
            AND greatest(d.starts_on, t.starts_on) <= COALESCE(t.ends_on, 'infinity')
            AND seats < (
                SELECT count(*) FROM terms x
                WHERE x.post_id = t.post_id
                    AND x.starts_on <= greatest(d.starts_on, t.starts_on)
                    AND (x.ends_on IS NULL OR x.ends_on >= greatest(d.starts_on, t.starts_on))
            )
    ) THEN
        RAISE EXCEPTION 'more members than seats hold a post'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'terms_fit_seats', TABLE = 'terms';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER terms_fit_seats AFTER INSERT OR UPDATE ON terms
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION terms_fit_seats();

CREATE TRIGGER committee_elections_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON committee_elections
    FOR EACH STATEMENT EXECUTE FUNCTION note_change();
ALTER TABLE committee_elections ENABLE ALWAYS TRIGGER committee_elections_note_change;
SELECT audit_watch('committee_elections');
