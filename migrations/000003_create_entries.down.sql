SET lock_timeout = '5s';

DROP TABLE block_entries;
DROP TABLE blocks;
DROP TABLE document_alternatives;
DROP TABLE documents;
DROP TABLE pages;
DROP TABLE routes;
DROP TABLE entries;
DROP FUNCTION entries_check_no_cycle();
DROP FUNCTION entries_lock_tree();
