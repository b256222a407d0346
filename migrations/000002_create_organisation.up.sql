SET lock_timeout = '5s';

-- The body itself: one row.
CREATE TABLE organisation (
    singleton                  boolean PRIMARY KEY DEFAULT true,
    name                       text    NOT NULL,
    short_name                 text    NOT NULL,
    charity_number             text,
    -- Scotland's number as the body prints it, and as the register writes it.
    scottish_charity_printed   text,
    scottish_charity_number    text,
    company_number             text,
    vat_number                 text,
    address_lines              text[]  NOT NULL DEFAULT '{}',
    postcode                   text,
    telephone                  text,
    email                      text,
    join_call_to_action        text,
    copyright_year             integer,

    CONSTRAINT organisation_one_row CHECK (singleton),
    CONSTRAINT organisation_scottish_charity_number_form CHECK (scottish_charity_number ~ '^SC[0-9]{6}$')
);
