SET lock_timeout = '5s';

-- The ladder of practice levels, in order from 1.
CREATE TABLE career_levels (
    level    text    PRIMARY KEY,
    position integer NOT NULL,
    title    text    NOT NULL,

    CONSTRAINT career_levels_position_unique UNIQUE (position) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT career_levels_level_known CHECK (level IN
        ('NEWLY_QUALIFIED', 'EXPERIENCED', 'ADVANCED', 'OPERATIONAL_MANAGER', 'OPERATIONAL_STRATEGIC', 'CONSULTANT_PRINCIPAL'))
);

CREATE TABLE case_studies (
    entry_id    uuid PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
    person      text NOT NULL,
    headline    text NOT NULL,
    -- The level it is filed under, and the words in which that is printed.
    level       text NOT NULL REFERENCES career_levels (level),
    level_label text NOT NULL,
    setting     text,
    document_id uuid REFERENCES documents (entry_id),
    member_id   uuid REFERENCES members (id),
    section_id  uuid REFERENCES units (id),
    region_id   uuid REFERENCES units (id),
    -- The day the person agreed to publication, if recorded.
    consent_on  date
);

CREATE INDEX case_studies_level ON case_studies (level);
CREATE INDEX case_studies_member_id ON case_studies (member_id);
