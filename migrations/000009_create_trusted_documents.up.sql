SET lock_timeout = '5s';

-- The operations of known clients, written when a client is built. A request
-- names one by its id.
CREATE TABLE trusted_documents (
    id       text PRIMARY KEY,
    body     text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT trusted_documents_id_well_formed CHECK (id ~ '^[A-Za-z0-9._~:+/=-]{1,255}$'),
    CONSTRAINT trusted_documents_body_bounded CHECK (octet_length(body) BETWEEN 1 AND 262144)
);

-- Which clients ask a document. One that no client asks any more is deleted.
CREATE TABLE trusted_document_clients (
    client      text NOT NULL,
    document_id text NOT NULL REFERENCES trusted_documents (id) ON DELETE CASCADE,
    added_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client, document_id),
    CONSTRAINT trusted_document_clients_client_well_formed CHECK (client ~ '^[A-Za-z0-9._-]{1,100}$')
);

CREATE INDEX trusted_document_clients_document_id ON trusted_document_clients (document_id);

-- One row that every change of the documents counts up, so that a process learns
-- of a change by reading one number. The row is locked until the change commits:
-- whoever reads a revision sees all changes up to it.
CREATE TABLE trusted_documents_revision (
    one      boolean PRIMARY KEY DEFAULT true,
    revision bigint NOT NULL,
    CONSTRAINT trusted_documents_revision_is_one_row CHECK (one)
);

INSERT INTO trusted_documents_revision (revision) VALUES (1);

CREATE FUNCTION trusted_documents_count_up() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE trusted_documents_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER trusted_documents_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON trusted_documents
    FOR EACH STATEMENT EXECUTE FUNCTION trusted_documents_count_up();
