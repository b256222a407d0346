SET lock_timeout = '5s';

-- What a grade of membership means, from one day to the day before another: rules
-- change, and what was true under the old ones stays so.
CREATE TABLE membership_rules (
    grade         text    NOT NULL,
    since         date    NOT NULL,
    -- The first day on which the rule no longer holds; none: it still does.
    until         date,
    -- For how many days after the last day paid for a member remains one.
    grace_days    integer NOT NULL,
    -- From how many days before the last day a member may renew.
    renewal_days  integer NOT NULL,
    -- How long a period is that is paid for.
    period_months integer NOT NULL,
    -- What a member of the grade is while a period runs.
    counts_as     text    NOT NULL DEFAULT 'CURRENT',
    -- Whether members of the grade practise, and so can be found as therapists.
    practises     boolean NOT NULL,

    CONSTRAINT membership_rules_pkey PRIMARY KEY (grade, since),
    CONSTRAINT membership_rules_grade_known CHECK (grade IN
        ('PROFESSIONAL', 'STUDENT', 'ASSOCIATE', 'SELF_EMPLOYED', 'OVERSEAS', 'CAREER_BREAK', 'RETIRED')),
    CONSTRAINT membership_rules_counts_as_known CHECK (counts_as IN ('CURRENT', 'RETIRED')),
    CONSTRAINT membership_rules_lengths_sensible CHECK (
        grace_days BETWEEN 0 AND 366 AND renewal_days BETWEEN 0 AND 366 AND period_months BETWEEN 1 AND 120),
    CONSTRAINT membership_rules_until_after_since CHECK (until > since),
    -- A rule ends where another begins. With the one below there is exactly one rule of
    -- a grade on each day.
    CONSTRAINT membership_rules_followed FOREIGN KEY (grade, until) REFERENCES membership_rules (grade, since)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT membership_rules_followed_once UNIQUE (grade, until) DEFERRABLE INITIALLY DEFERRED
);

CREATE UNIQUE INDEX membership_rules_one_open ON membership_rules (grade) WHERE until IS NULL;

-- The periods of a membership, one after another. What a member is on a day, follows
-- from the period that governs the day, the rules, and suspensions; it is stored
-- nowhere.
CREATE TABLE membership_periods (
    member_id    uuid NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    grade        text NOT NULL,
    starts_on    date NOT NULL,
    -- The last day paid for; none: the period has no end.
    ends_on      date,
    -- Why the membership ended with this period; none: the period was followed by
    -- another, or runs out.
    ended_how    text,
    recorded_on  date NOT NULL DEFAULT CURRENT_DATE,
    -- The period is what counts from governs_on to the day before next_on. That is from
    -- its first day, and for the first of a member from when it was known of; to the
    -- first day of the next one, or for ever. A trigger keeps both.
    governs_on   date NOT NULL,
    next_on      date,

    CONSTRAINT membership_periods_pkey PRIMARY KEY (member_id, starts_on),
    CONSTRAINT membership_periods_grade_known CHECK (grade IN
        ('PROFESSIONAL', 'STUDENT', 'ASSOCIATE', 'SELF_EMPLOYED', 'OVERSEAS', 'CAREER_BREAK', 'RETIRED')),
    CONSTRAINT membership_periods_ended_how_known CHECK (ended_how IN ('RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED')),
    CONSTRAINT membership_periods_ended_on_a_day CHECK (ended_how IS NULL OR ends_on IS NOT NULL),
    CONSTRAINT membership_periods_days_finite CHECK (isfinite(starts_on) AND isfinite(ends_on) IS NOT FALSE),
    CONSTRAINT membership_periods_end_not_before_start CHECK (ends_on >= starts_on),
    CONSTRAINT membership_periods_overlap_none CHECK (
        next_on IS NULL OR (ends_on IS NOT NULL AND ends_on < next_on AND starts_on < next_on))
);

-- A member has one last period, also when two are written at once.
CREATE UNIQUE INDEX membership_periods_one_last ON membership_periods (member_id)
    INCLUDE (grade, starts_on, ends_on, ended_how, governs_on) WHERE next_on IS NULL;
CREATE INDEX membership_periods_ends_on ON membership_periods (ends_on);

CREATE FUNCTION membership_periods_chain() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE membership_periods SET next_on = OLD.next_on
        WHERE member_id = OLD.member_id AND next_on = OLD.starts_on;
        IF NOT FOUND AND OLD.next_on IS NOT NULL THEN
            UPDATE membership_periods SET governs_on = least(starts_on, recorded_on)
            WHERE member_id = OLD.member_id AND starts_on = OLD.next_on;
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.member_id <> OLD.member_id THEN
            RAISE EXCEPTION 'a period stays with its member' USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_periods_member_stays';
        END IF;
        UPDATE membership_periods SET next_on = NEW.starts_on
        WHERE member_id = OLD.member_id AND next_on = OLD.starts_on;
        NEW.governs_on := CASE WHEN FOUND THEN NEW.starts_on ELSE least(NEW.starts_on, NEW.recorded_on) END;
        RETURN NEW;
    END IF;
    NEW.next_on := (SELECT min(p.starts_on) FROM membership_periods p WHERE p.member_id = NEW.member_id AND p.starts_on > NEW.starts_on);
    UPDATE membership_periods SET next_on = NEW.starts_on
    WHERE member_id = NEW.member_id AND starts_on < NEW.starts_on AND (next_on IS NULL OR next_on > NEW.starts_on);
    IF FOUND THEN
        NEW.governs_on := NEW.starts_on;
    ELSE
        NEW.governs_on := least(NEW.starts_on, NEW.recorded_on);
        IF NEW.next_on IS NOT NULL THEN
            UPDATE membership_periods SET governs_on = starts_on WHERE member_id = NEW.member_id AND starts_on = NEW.next_on;
        END IF;
    END IF;
    RETURN NEW;
END
$$;

-- The first periods of new members need nothing of it: there may be many at once.
CREATE TRIGGER membership_periods_chain BEFORE INSERT ON membership_periods
    FOR EACH ROW WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION membership_periods_chain();
CREATE TRIGGER membership_periods_move BEFORE UPDATE OF member_id, starts_on ON membership_periods
    FOR EACH ROW EXECUTE FUNCTION membership_periods_chain();
CREATE TRIGGER membership_periods_unchain AFTER DELETE ON membership_periods
    FOR EACH ROW EXECUTE FUNCTION membership_periods_chain();

-- From when to when somebody is suspended, both days included.
CREATE TABLE membership_suspensions (
    member_id uuid NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    starts_on date NOT NULL,
    ends_on   date,
    -- What the member is told.
    reason    text NOT NULL,

    CONSTRAINT membership_suspensions_pkey PRIMARY KEY (member_id, starts_on),
    CONSTRAINT membership_suspensions_days_finite CHECK (isfinite(starts_on) AND isfinite(ends_on) IS NOT FALSE),
    CONSTRAINT membership_suspensions_end_not_before_start CHECK (ends_on >= starts_on),
    CONSTRAINT membership_suspensions_reason_present CHECK (btrim(reason) <> '' AND length(reason) <= 1000)
);

CREATE FUNCTION membership_suspensions_overlap_none() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time for a member.
    PERFORM FROM members m WHERE m.id = NEW.member_id FOR NO KEY UPDATE;
    IF EXISTS (
        SELECT FROM membership_suspensions s
        WHERE s.member_id = NEW.member_id
            AND s.starts_on <> NEW.starts_on
            AND (s.ends_on IS NULL OR s.ends_on >= NEW.starts_on)
            AND (NEW.ends_on IS NULL OR NEW.ends_on >= s.starts_on)
    ) THEN
        RAISE EXCEPTION 'suspensions of a member overlap'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_suspensions_overlap_none', TABLE = 'membership_suspensions';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER membership_suspensions_overlap_none AFTER INSERT OR UPDATE ON membership_suspensions
    FOR EACH ROW EXECUTE FUNCTION membership_suspensions_overlap_none();

-- What happened to a membership, as it was recorded.
CREATE TABLE membership_events (
    id              bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    member_id       uuid        NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    kind            text        NOT NULL,
    -- From which day it counts.
    happened_on     date        NOT NULL,
    grade           text,
    -- The last day paid for, after it.
    ends_on         date,
    reason          text,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    -- Who did it.
    account_id      uuid        DEFAULT NULLIF(current_setting('collegium.account', true), '')::uuid
                                REFERENCES accounts (id) ON DELETE SET NULL,
    -- The key with which it was asked for, so that it happens once, and what was asked.
    idempotency_key text,
    input_sha256    bytea,

    CONSTRAINT membership_events_kind_known CHECK (kind IN ('JOINED', 'RENEWED', 'GRADE_CHANGED',
        'SUSPENDED', 'REINSTATED', 'RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED')),
    CONSTRAINT membership_events_input_is_sha256 CHECK ((idempotency_key IS NULL) = (input_sha256 IS NULL) AND octet_length(input_sha256) = 32)
);

CREATE INDEX membership_events_member_id ON membership_events (member_id, happened_on, id);
CREATE UNIQUE INDEX membership_events_key_once ON membership_events (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What members are on a day, each who is one, was one, or will be as far as was known
-- on that day. It is one SELECT, so a statement that asks it of some members reads no
-- more than those.
CREATE FUNCTION membership_statuses(day date)
RETURNS TABLE (
    member_id         uuid,
    status            text,
    grade             text,
    practises         boolean,
    starts_on         date,
    ends_on           date,
    grace_ends_on     date,
    renewable_from    date,
    suspended_on      date,
    suspension_reason text
)
LANGUAGE sql STABLE ROWS 100000 AS $$
    SELECT
        p.member_id,
        CASE
            WHEN p.starts_on > day THEN 'PENDING'
            WHEN p.ended_how IS NOT NULL AND p.ends_on < day THEN p.ended_how
            WHEN p.ends_on + r.grace_days < day THEN 'LAPSED'
            WHEN s.member_id IS NOT NULL THEN 'SUSPENDED'
            WHEN p.ends_on < day THEN 'GRACE'
            ELSE r.counts_as
        END,
        p.grade,
        r.practises,
        p.starts_on,
        p.ends_on,
        CASE WHEN p.ended_how IS NULL THEN p.ends_on + r.grace_days END,
        CASE WHEN p.ended_how IS NULL THEN p.ends_on - r.renewal_days END,
        s.starts_on,
        s.reason
    FROM membership_periods p
    JOIN membership_rules r ON r.grade = p.grade AND r.since <= day AND (r.until IS NULL OR r.until > day)
    LEFT JOIN membership_suspensions s
        ON s.member_id = p.member_id AND s.starts_on <= day AND (s.ends_on IS NULL OR s.ends_on >= day)
    WHERE p.governs_on <= day AND (p.next_on IS NULL OR p.next_on > day)
$$;

-- The directory shows of a member the grade and the day of joining that stand in the
-- table of members. They are those of the periods, whichever of the two is written.
CREATE FUNCTION members_open_periods() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO membership_periods (member_id, grade, starts_on, governs_on)
    SELECT m.id, m.grade, m.joined_on, least(m.joined_on, CURRENT_DATE) FROM inserted m;
    INSERT INTO membership_events (member_id, kind, happened_on, grade)
    SELECT m.id, 'JOINED', m.joined_on, m.grade FROM inserted m;
    RETURN NULL;
END
$$;

CREATE TRIGGER members_open_periods AFTER INSERT ON members
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION members_open_periods();

CREATE FUNCTION members_correct_periods() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE membership_periods p
    SET starts_on = NEW.joined_on
    WHERE p.member_id = NEW.id AND p.starts_on = OLD.joined_on AND p.starts_on <> NEW.joined_on;
    UPDATE membership_events e
    SET happened_on = NEW.joined_on
    WHERE e.member_id = NEW.id AND e.kind = 'JOINED' AND e.happened_on = OLD.joined_on AND e.happened_on <> NEW.joined_on;
    UPDATE membership_periods p
    SET grade = NEW.grade
    WHERE p.member_id = NEW.id
        AND p.grade <> NEW.grade
        AND (p.next_on IS NULL OR p.next_on > CURRENT_DATE)
        AND (p.starts_on <= CURRENT_DATE OR p.starts_on = NEW.joined_on);
    RETURN NULL;
END
$$;

CREATE TRIGGER members_correct_periods AFTER UPDATE OF grade, joined_on ON members
    FOR EACH ROW
    WHEN ((OLD.grade <> NEW.grade OR OLD.joined_on <> NEW.joined_on) AND pg_trigger_depth() = 0)
    EXECUTE FUNCTION members_correct_periods();

CREATE FUNCTION membership_periods_show() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    of_member uuid := COALESCE(NEW.member_id, OLD.member_id);
BEGIN
    UPDATE members m
    SET grade = p.grade, joined_on = f.starts_on
    FROM (
        SELECT p.grade FROM membership_periods p
        WHERE p.member_id = of_member AND (p.next_on IS NULL OR p.next_on > CURRENT_DATE)
        ORDER BY p.starts_on LIMIT 1
    ) p, (
        SELECT p.starts_on FROM membership_periods p WHERE p.member_id = of_member ORDER BY p.starts_on LIMIT 1
    ) f
    WHERE m.id = of_member AND (m.grade <> p.grade OR m.joined_on <> f.starts_on);
    RETURN NULL;
END
$$;

CREATE TRIGGER membership_periods_show AFTER INSERT OR DELETE OR UPDATE OF grade, starts_on ON membership_periods
    FOR EACH ROW WHEN (pg_trigger_depth() = 0)
    EXECUTE FUNCTION membership_periods_show();

-- Those who were members before there were periods.
INSERT INTO membership_periods (member_id, grade, starts_on, governs_on)
SELECT m.id, m.grade, m.joined_on, m.joined_on FROM members m;
INSERT INTO membership_events (member_id, kind, happened_on, grade)
SELECT m.id, 'JOINED', m.joined_on, m.grade FROM members m;

-- Whoever is no member any more holds no post and belongs to no section from then on.
CREATE FUNCTION membership_periods_end_all() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM section_memberships sm WHERE sm.member_id = NEW.member_id AND sm.starts_on >= NEW.ends_on;
    UPDATE section_memberships sm SET ends_on = NEW.ends_on
    WHERE sm.member_id = NEW.member_id AND (sm.ends_on IS NULL OR sm.ends_on > NEW.ends_on);
    DELETE FROM terms t WHERE t.member_id = NEW.member_id AND t.starts_on >= NEW.ends_on;
    UPDATE terms t SET ends_on = NEW.ends_on
    WHERE t.member_id = NEW.member_id AND (t.ends_on IS NULL OR t.ends_on > NEW.ends_on);
    RETURN NULL;
END
$$;

CREATE TRIGGER membership_periods_end_all AFTER INSERT OR UPDATE OF ended_how ON membership_periods
    FOR EACH ROW WHEN (NEW.ended_how IS NOT NULL)
    EXECUTE FUNCTION membership_periods_end_all();

-- With which regulator a member is registered. The member states the number, and
-- staff looks it up in the public register.
CREATE TABLE registrations (
    member_id   uuid        NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    body        text        NOT NULL,
    number      text        NOT NULL,
    stated_at   timestamptz NOT NULL DEFAULT now(),
    verified_on date,
    verified_by uuid        REFERENCES accounts (id) ON DELETE SET NULL,
    valid_until date,

    CONSTRAINT registrations_pkey PRIMARY KEY (member_id, body),
    CONSTRAINT registrations_body_known CHECK (body IN ('HCPC')),
    CONSTRAINT registrations_number_form CHECK (number ~ '^OT[0-9]{5,6}$'),
    CONSTRAINT registrations_verified_until CHECK ((verified_on IS NULL) = (valid_until IS NULL)),
    CONSTRAINT registrations_valid_until_after_verified CHECK (valid_until >= verified_on)
);

-- A number is of one person. What is only stated says nothing about others.
CREATE UNIQUE INDEX registrations_verified_once ON registrations (body, number) WHERE verified_on IS NOT NULL;

-- Another number has to be verified anew.
CREATE FUNCTION registrations_unverify() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.verified_on := NULL;
    NEW.verified_by := NULL;
    NEW.valid_until := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER registrations_unverify BEFORE UPDATE ON registrations
    FOR EACH ROW WHEN (OLD.number <> NEW.number)
    EXECUTE FUNCTION registrations_unverify();

-- The indemnity insurance of members, both days included.
CREATE TABLE indemnity_insurances (
    member_id     uuid        NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    insurer       text        NOT NULL,
    policy_number text        NOT NULL,
    valid_from    date        NOT NULL,
    valid_until   date        NOT NULL,
    stated_at     timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT indemnity_insurances_pkey PRIMARY KEY (member_id, valid_from),
    CONSTRAINT indemnity_insurances_texts_present CHECK (
        btrim(insurer) <> '' AND length(insurer) <= 200 AND btrim(policy_number) <> '' AND length(policy_number) <= 100),
    CONSTRAINT indemnity_insurances_days_finite CHECK (isfinite(valid_from) AND isfinite(valid_until)),
    CONSTRAINT indemnity_insurances_until_after_from CHECK (valid_until > valid_from)
);

CREATE SEQUENCE member_numbers START 100001;

-- What the public is told (who can be found, how many there are) rests on these.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['membership_rules', 'membership_periods', 'membership_suspensions', 'registrations', 'indemnity_insurances'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %1$I '
            'FOR EACH STATEMENT EXECUTE FUNCTION note_change()', t);
        EXECUTE format('ALTER TABLE %1$I ENABLE ALWAYS TRIGGER %1$s_note_change', t);
    END LOOP;
END
$$;

-- Whose memberships they are, and staff; the keys of partners only read.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['membership_periods', 'membership_suspensions', 'membership_events', 'registrations', 'indemnity_insurances'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY %1$s_own ON %1$I TO collegium_graph '
            'USING (member_id = (SELECT acting_member()) OR (SELECT acting_may(''MANAGE_REGISTER'')))', t);
        EXECUTE format('CREATE POLICY %1$s_register ON %1$I FOR SELECT TO collegium_graph '
            'USING ((SELECT acting_may(''READ_REGISTER'')))', t);
    END LOOP;
END
$$;

SELECT audit_watch(t::regclass)
FROM unnest(ARRAY[
    'membership_rules', 'membership_periods', 'membership_suspensions', 'membership_events', 'registrations', 'indemnity_insurances'
]) t;

INSERT INTO membership_rules (grade, since, grace_days, renewal_days, period_months, practises)
VALUES
    ('PROFESSIONAL', '0001-01-01', 30, 60, 12, true),
    ('STUDENT', '0001-01-01', 30, 60, 12, false),
    ('ASSOCIATE', '0001-01-01', 30, 60, 12, false),
    ('SELF_EMPLOYED', '0001-01-01', 30, 60, 12, true),
    ('OVERSEAS', '0001-01-01', 60, 60, 12, false),
    ('CAREER_BREAK', '0001-01-01', 60, 60, 12, false),
    ('RETIRED', '0001-01-01', 60, 60, 12, false);
