SET lock_timeout = '5s';

DROP TABLE former_members;
DROP TABLE erasure_parts;
DROP TABLE erasures;
DROP TABLE retention_rules;
DROP TABLE consents;
DROP TABLE consent_texts;
DROP FUNCTION consents_refuse();
DROP POLICY audit_people_read ON audit_people;
ALTER TABLE audit_people DISABLE ROW LEVEL SECURITY;
DROP POLICY audit_entries_read ON audit_entries;
ALTER TABLE audit_entries DISABLE ROW LEVEL SECURITY;
GRANT INSERT, UPDATE, DELETE ON audit_entries, audit_chain, audit_pending, audit_people TO collegium_graph;
