SET lock_timeout = '5s';

DROP TRIGGER entries_note_insert_for_search ON entries;
DROP TRIGGER entries_note_update_for_search ON entries;
DROP TRIGGER entries_note_delete_for_search ON entries;
DROP TRIGGER entries_note_truncate_for_search ON entries;

DROP TRIGGER routes_note_insert_for_search ON routes;
DROP TRIGGER routes_note_update_for_search ON routes;
DROP TRIGGER routes_note_delete_for_search ON routes;
DROP TRIGGER routes_note_truncate_for_search ON routes;

DROP TRIGGER blocks_note_insert_for_search ON blocks;
DROP TRIGGER blocks_note_update_for_search ON blocks;
DROP TRIGGER blocks_note_delete_for_search ON blocks;
DROP TRIGGER blocks_note_truncate_for_search ON blocks;

DROP TRIGGER units_note_insert_for_search ON units;
DROP TRIGGER units_note_update_for_search ON units;
DROP TRIGGER units_note_delete_for_search ON units;
DROP TRIGGER units_note_truncate_for_search ON units;

DROP TRIGGER case_studies_note_insert_for_search ON case_studies;
DROP TRIGGER case_studies_note_update_for_search ON case_studies;
DROP TRIGGER case_studies_note_delete_for_search ON case_studies;
DROP TRIGGER case_studies_note_truncate_for_search ON case_studies;

DROP FUNCTION search_note_truncation();
DROP FUNCTION search_note_changes();
DROP TABLE search_pending;
DROP FUNCTION search_refresh_pending();
DROP FUNCTION search_refresh(uuid[]);
DROP FUNCTION search_near_terms(text, text[]);
DROP TABLE search_terms;
DROP TABLE search_completions;
DROP TABLE entry_search;
DROP FUNCTION search_fold(text);
DROP FUNCTION search_text(text);
DROP TEXT SEARCH CONFIGURATION collegium_words;
DROP TEXT SEARCH DICTIONARY collegium_spelling;
DROP TEXT SEARCH CONFIGURATION collegium_english;
