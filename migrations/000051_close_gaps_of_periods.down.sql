SET lock_timeout = '5s';

ALTER TRIGGER membership_periods_close_gap ON membership_periods RENAME TO membership_periods_unchain;

CREATE OR REPLACE FUNCTION membership_periods_chain() RETURNS trigger
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
    -- Who writes many at once has told those before already.
    IF EXISTS (SELECT FROM membership_periods p WHERE p.member_id = NEW.member_id AND p.next_on = NEW.starts_on) THEN
        NEW.governs_on := NEW.starts_on;
        RETURN NEW;
    END IF;
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
