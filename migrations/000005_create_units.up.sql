SET lock_timeout = '5s';

-- Specialist sections and regions: the detail of an entry of the same kind.
CREATE TABLE units (
    id             uuid   PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
    kind           text   NOT NULL,
    slug           text   NOT NULL,
    -- Other slugs under which the unit is found too.
    aliases        text[] NOT NULL DEFAULT '{}',
    name           text   NOT NULL,
    short_name     text   NOT NULL,
    position       integer NOT NULL,
    nation         text,
    -- Names in other languages, by BCP 47 tag.
    local_names    jsonb  NOT NULL DEFAULT '{}',
    established_on date,
    dissolved_on   date,
    successor_id   uuid REFERENCES units (id),

    CONSTRAINT units_kind_known CHECK (kind IN ('SPECIALIST_SECTION', 'REGION')),
    CONSTRAINT units_kind_slug_unique UNIQUE (kind, slug),
    CONSTRAINT units_kind_position_unique UNIQUE (kind, position) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT units_slug_form CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT units_nation_known CHECK (nation IN ('ENGLAND', 'SCOTLAND', 'WALES', 'NORTHERN_IRELAND')),
    CONSTRAINT units_nation_fits_kind CHECK ((kind = 'REGION') = (nation IS NOT NULL)),
    CONSTRAINT units_dissolved_after_established CHECK (dissolved_on > established_on),
    CONSTRAINT units_successor_of_dissolved CHECK (successor_id IS NULL OR dissolved_on IS NOT NULL),
    CONSTRAINT units_not_own_successor CHECK (successor_id <> id)
);

CREATE INDEX units_aliases ON units USING gin (aliases);
CREATE INDEX units_successor_id ON units (successor_id);
