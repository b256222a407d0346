SET lock_timeout = '5s';

-- Everyone may read them, and answers to everyone are kept.
CREATE TRIGGER consent_texts_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON consent_texts
    FOR EACH STATEMENT EXECUTE FUNCTION note_change();
ALTER TABLE consent_texts ENABLE ALWAYS TRIGGER consent_texts_note_change;
