SET lock_timeout = '5s';

DROP TRIGGER consent_texts_note_change ON consent_texts;
