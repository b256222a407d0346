SET lock_timeout = '5s';

DROP FUNCTION audit_watch(regclass);
DROP FUNCTION audit_note() CASCADE;
DROP FUNCTION audit_row_key(text, text[], jsonb);
DROP FUNCTION audit_key(text[], jsonb);
DROP FUNCTION audit_person(text, jsonb);
DROP FUNCTION audit_pseudonym(uuid);
DROP FUNCTION audit_seal(integer);
DROP FUNCTION audit_text(audit_entries);
DROP TABLE audit_chain;
DROP TABLE audit_pending;
DROP TABLE audit_entries;
DROP FUNCTION audit_refuse();
DROP TABLE audit_people;
