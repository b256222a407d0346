SET lock_timeout = '5s';

-- A member, with the part of the profile that others may see. Each field has an
-- audience of its own, which the member sets; nothing is public by default.
CREATE TABLE members (
    id                 uuid        PRIMARY KEY,
    key                text        NOT NULL,
    display_name       text        NOT NULL,
    -- What lists of people are sorted by: family name first.
    sort_name          text        NOT NULL,
    pronouns           text,
    headline           text,
    bio                text,
    grade              text        NOT NULL,
    region_id          uuid        REFERENCES units (id),
    joined_on          date        NOT NULL,
    -- Who may find the member in the directory at all, and see the display name.
    listing_audience   text        NOT NULL DEFAULT 'NOBODY',
    pronouns_audience  text        NOT NULL DEFAULT 'NOBODY',
    headline_audience  text        NOT NULL DEFAULT 'NOBODY',
    bio_audience       text        NOT NULL DEFAULT 'NOBODY',
    grade_audience     text        NOT NULL DEFAULT 'NOBODY',
    region_audience    text        NOT NULL DEFAULT 'NOBODY',
    joined_on_audience text        NOT NULL DEFAULT 'NOBODY',
    sections_audience  text        NOT NULL DEFAULT 'NOBODY',
    revision           integer     NOT NULL DEFAULT 1,
    updated_at         timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT members_key_unique UNIQUE (key),
    CONSTRAINT members_display_name_present CHECK (display_name <> ''),
    -- Cursors of lists hold the sort name, and all who may see the member can read
    -- them: it has no word that the display name leaves out. A comma or full stop at
    -- an end makes an empty word. The collation is named so that letters are the
    -- same in every database, whatever its own is.
    CONSTRAINT members_sort_name_shows_no_more CHECK (
        regexp_split_to_array(lower(sort_name COLLATE "und-x-icu"), '[^[:alnum:]]+')
        <@ array_append(regexp_split_to_array(lower(display_name COLLATE "und-x-icu"), '[^[:alnum:]]+'), '')),
    CONSTRAINT members_joined_on_finite CHECK (isfinite(joined_on)),
    CONSTRAINT members_grade_known CHECK (grade IN
        ('PROFESSIONAL', 'STUDENT', 'ASSOCIATE', 'SELF_EMPLOYED', 'OVERSEAS', 'CAREER_BREAK', 'RETIRED')),
    CONSTRAINT members_audiences_known CHECK (
        ARRAY[listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience,
              region_audience, joined_on_audience, sections_audience]
        <@ ARRAY['PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY'])
);

CREATE INDEX members_sort_name ON members (sort_name COLLATE "und-x-icu", id);
CREATE INDEX members_region_sort_name ON members (region_id, sort_name COLLATE "und-x-icu", id);
CREATE INDEX members_joined_on ON members (joined_on, id);
-- For the number of members of a region as of a day.
CREATE INDEX members_region_id_joined_on ON members (region_id, joined_on);
-- For the words of a directory filter, which may stand anywhere.
CREATE INDEX members_display_name_trigrams ON members USING gin (display_name gin_trgm_ops);
CREATE INDEX members_headline_trigrams ON members USING gin (headline gin_trgm_ops);

CREATE TRIGGER members_touch_revision BEFORE UPDATE ON members
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch_revision();

-- Who belongs to which section, from which day to which day, both inclusive.
CREATE TABLE section_memberships (
    member_id  uuid NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    section_id uuid NOT NULL REFERENCES units (id),
    starts_on  date NOT NULL,
    ends_on    date,

    CONSTRAINT section_memberships_pkey PRIMARY KEY (member_id, section_id, starts_on),
    CONSTRAINT section_memberships_ends_after_start CHECK (ends_on > starts_on),
    CONSTRAINT section_memberships_days_finite CHECK (isfinite(starts_on) AND isfinite(ends_on) IS NOT FALSE)
);

CREATE UNIQUE INDEX section_memberships_one_open ON section_memberships (member_id, section_id) WHERE ends_on IS NULL;
CREATE INDEX section_memberships_section_id ON section_memberships (section_id, starts_on, ends_on) INCLUDE (member_id);

CREATE TABLE committees (
    id      uuid PRIMARY KEY,
    key     text NOT NULL,
    slug    text NOT NULL,
    name    text NOT NULL,
    -- The section or region whose committee it is; none: the body's own.
    unit_id uuid REFERENCES units (id),

    CONSTRAINT committees_key_unique UNIQUE (key),
    CONSTRAINT committees_slug_unique UNIQUE (slug),
    CONSTRAINT committees_one_per_unit UNIQUE (unit_id),
    CONSTRAINT committees_slug_form CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$')
);

CREATE TABLE posts (
    id           uuid    PRIMARY KEY,
    key          text    NOT NULL,
    committee_id uuid    NOT NULL REFERENCES committees (id) ON DELETE CASCADE,
    title        text    NOT NULL,
    seats        integer NOT NULL DEFAULT 1,
    position     integer NOT NULL,

    CONSTRAINT posts_key_unique UNIQUE (key),
    CONSTRAINT posts_seats_positive CHECK (seats >= 1),
    CONSTRAINT posts_position_unique UNIQUE (committee_id, position) DEFERRABLE INITIALLY DEFERRED
);

-- Who holds a post, from which day to which day, both inclusive.
CREATE TABLE terms (
    id        uuid PRIMARY KEY,
    key       text NOT NULL,
    post_id   uuid NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    member_id uuid NOT NULL REFERENCES members (id),
    starts_on date NOT NULL,
    ends_on   date,

    CONSTRAINT terms_key_unique UNIQUE (key),
    CONSTRAINT terms_ends_after_start CHECK (ends_on > starts_on),
    CONSTRAINT terms_days_finite CHECK (isfinite(starts_on) AND isfinite(ends_on) IS NOT FALSE)
);

CREATE INDEX terms_post_id ON terms (post_id, starts_on);
CREATE INDEX terms_member_id ON terms (member_id, starts_on);
