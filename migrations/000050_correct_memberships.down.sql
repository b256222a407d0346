SET lock_timeout = '5s';

UPDATE registrations SET verified_on = valid_until WHERE valid_until < verified_on;
ALTER TABLE registrations
    DROP CONSTRAINT registrations_valid_until_near_verified,
    ADD CONSTRAINT registrations_valid_until_after_verified CHECK (valid_until >= verified_on);

DELETE FROM membership_events WHERE kind = 'ENDING_WITHDRAWN';
ALTER TABLE membership_events
    DROP CONSTRAINT membership_events_voided_by_end,
    DROP COLUMN voided,
    DROP CONSTRAINT membership_events_kind_known,
    ADD CONSTRAINT membership_events_kind_known CHECK (kind IN ('JOINED', 'RENEWED', 'GRADE_CHANGED',
        'SUSPENDED', 'REINSTATED', 'RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED'));
