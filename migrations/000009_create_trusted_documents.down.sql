SET lock_timeout = '5s';

DROP TABLE trusted_document_clients;
DROP TABLE trusted_documents;
DROP FUNCTION trusted_documents_count_up();
DROP TABLE trusted_documents_revision;
