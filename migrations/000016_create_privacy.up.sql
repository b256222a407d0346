SET lock_timeout = '5s';

-- Second to the rules in code: through the graph nobody writes to the audit by hand,
-- and only who may reads it.
REVOKE INSERT, UPDATE, DELETE ON audit_entries, audit_chain, audit_pending, audit_people FROM collegium_graph;
ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_entries_read ON audit_entries FOR SELECT TO collegium_graph USING ((SELECT acting_may('READ_AUDIT')));
ALTER TABLE audit_people ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_people_read ON audit_people FOR SELECT TO collegium_graph USING ((SELECT acting_may('READ_AUDIT')));

-- What members can consent to, in the words of each version. A text that people
-- decided on stays as it is: another text is another version.
CREATE TABLE consent_texts (
    purpose      text        NOT NULL,
    version      integer     NOT NULL,
    title        text        NOT NULL,
    text         text        NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT consent_texts_pkey PRIMARY KEY (purpose, version),
    CONSTRAINT consent_texts_purpose_form CHECK (purpose ~ '^[A-Z][A-Z0-9_]{0,63}$'),
    CONSTRAINT consent_texts_version_from_one CHECK (version >= 1),
    CONSTRAINT consent_texts_present CHECK (btrim(title) <> '' AND btrim(text) <> '')
);

-- What members decided, one row for each time. The newest of a purpose counts.
CREATE TABLE consents (
    id         uuid        PRIMARY KEY,
    member_id  uuid        NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    purpose    text        NOT NULL,
    version    integer     NOT NULL,
    given      boolean     NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT consents_text_known FOREIGN KEY (purpose, version) REFERENCES consent_texts (purpose, version)
);

CREATE INDEX consents_member_id ON consents (member_id, purpose, decided_at DESC);
CREATE INDEX consents_purpose ON consents (purpose, version);

ALTER TABLE consents ENABLE ROW LEVEL SECURITY;
CREATE POLICY consents_read ON consents FOR SELECT TO collegium_graph
    USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('READ_REGISTER')));
CREATE POLICY consents_own ON consents FOR INSERT TO collegium_graph WITH CHECK (member_id = (SELECT acting_member()));

CREATE FUNCTION consents_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was decided stays as it was: write a new row of %', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER consents_refuse BEFORE UPDATE ON consents FOR EACH STATEMENT EXECUTE FUNCTION consents_refuse();
CREATE TRIGGER consent_texts_refuse BEFORE UPDATE ON consent_texts FOR EACH STATEMENT EXECUTE FUNCTION consents_refuse();

INSERT INTO consent_texts (purpose, version, title, text) VALUES
    ('NEWSLETTER', 1, 'News by e-mail', 'You agree that we send you our newsletter by e-mail. You can withdraw this at any time; we then send no more of them.'),
    ('RESEARCH', 1, 'Invitations to research', 'You agree that we pass on to you invitations to take part in research. Researchers do not learn your address. You can withdraw this at any time.'),
    ('PUBLICITY', 1, 'Pictures from events', 'You agree that we publish pictures from our events in which you can be recognised. You can withdraw this at any time; we then take down those that we published ourselves.');

-- How long something is waited for or kept. Without an end: for good.
CREATE TABLE retention_rules (
    rule   text     PRIMARY KEY,
    lasts  interval,
    reason text     NOT NULL,

    CONSTRAINT retention_rules_lasts_not_negative CHECK (lasts >= interval '0')
);

INSERT INTO retention_rules (rule, lasts, reason) VALUES
    ('ERASURE_WAIT', '14 days', 'An erasure waits this long, so that it can be taken back.'),
    ('MEMBERSHIP_EXISTED', '7 years', 'That a membership existed, from when to when, without a name: fees are accounts, which the law has kept.'),
    ('POSTS_HELD', NULL, 'That a post was held, from when to when, without a name: the history of the body.'),
    ('AUDIT', NULL, 'That something was written, without values and under a pseudonym that stands for nobody.');

-- A request to erase somebody, and once it is done the certificate: then it names
-- nobody. Who holds its id, which can't be guessed, can read it.
CREATE TABLE erasures (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    member_id    uuid        REFERENCES members (id),
    account_id   uuid        REFERENCES accounts (id),
    by_staff     boolean     NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL,
    cancelled_at timestamptz,
    executed_at  timestamptz,

    CONSTRAINT erasures_one_end CHECK (cancelled_at IS NULL OR executed_at IS NULL),
    CONSTRAINT erasures_of_somebody CHECK (executed_at IS NOT NULL OR cancelled_at IS NOT NULL OR COALESCE(member_id, account_id) IS NOT NULL),
    CONSTRAINT erasures_names_nobody CHECK (executed_at IS NULL OR COALESCE(member_id, account_id) IS NULL)
);

CREATE UNIQUE INDEX erasures_one_of_member ON erasures (member_id) WHERE executed_at IS NULL AND cancelled_at IS NULL;
CREATE UNIQUE INDEX erasures_one_of_account ON erasures (account_id) WHERE executed_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX erasures_member_id ON erasures (member_id);
CREATE INDEX erasures_account_id ON erasures (account_id);
CREATE INDEX erasures_due_at ON erasures (due_at) WHERE executed_at IS NULL AND cancelled_at IS NULL;

ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;

-- What an erasure did with each table.
CREATE TABLE erasure_parts (
    erasure_id uuid    NOT NULL REFERENCES erasures (id) ON DELETE CASCADE,
    position   integer NOT NULL,
    table_name text    NOT NULL,
    row_count  bigint  NOT NULL,
    -- By which rule the rows were kept; none: they were not.
    rule       text    REFERENCES retention_rules (rule),
    kept_until date,

    CONSTRAINT erasure_parts_pkey PRIMARY KEY (erasure_id, position),
    CONSTRAINT erasure_parts_until_of_rule CHECK (rule IS NOT NULL OR kept_until IS NULL)
);

CREATE INDEX erasure_parts_rule ON erasure_parts (rule);
ALTER TABLE erasure_parts ENABLE ROW LEVEL SECURITY;

-- The nameless records that erased members left, under new ids: no answer from
-- before leads to them.
CREATE TABLE former_members (
    member_id  uuid PRIMARY KEY REFERENCES members (id) ON DELETE CASCADE,
    kept_until date
);

ALTER TABLE former_members ENABLE ROW LEVEL SECURITY;

SELECT audit_watch(t::regclass)
FROM unnest(ARRAY['consent_texts', 'consents', 'retention_rules', 'erasures', 'erasure_parts', 'former_members']) t;
