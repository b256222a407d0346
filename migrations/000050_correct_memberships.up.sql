SET lock_timeout = '5s';

-- An end that was a mistake can be withdrawn.
ALTER TABLE membership_events
    -- Of an end: the periods that it cut short or made void, as they were before it, the
    -- earliest first.
    ADD COLUMN voided jsonb,
    DROP CONSTRAINT membership_events_kind_known,
    ADD CONSTRAINT membership_events_kind_known CHECK (kind IN ('JOINED', 'RENEWED', 'GRADE_CHANGED',
        'SUSPENDED', 'REINSTATED', 'RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED', 'ENDING_WITHDRAWN')),
    ADD CONSTRAINT membership_events_voided_by_end CHECK (voided IS NULL OR
        kind IN ('RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED') AND jsonb_typeof(voided) = 'array');

-- Who looks a number up can find that the registration has ended.
ALTER TABLE registrations
    DROP CONSTRAINT registrations_valid_until_after_verified,
    ADD CONSTRAINT registrations_valid_until_near_verified CHECK (valid_until >= verified_on - interval '5 years');
