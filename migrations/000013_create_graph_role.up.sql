SET lock_timeout = '5s';

-- The graph asks and writes as this role, whoever owns the tables: policies on rows
-- hold for it. It can't sign in by itself.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'collegium_graph') THEN
        CREATE ROLE collegium_graph NOLOGIN NOINHERIT;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of this server was migrated at the same time
    WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'the role collegium_graph is missing, and ' || quote_ident(current_user) || ' may not create it; as an administrator run: '
                || 'CREATE ROLE collegium_graph NOLOGIN NOINHERIT; GRANT collegium_graph TO ' || quote_ident(current_user);
END
$do$;

-- Whoever migrates may act as it. Having made it is not enough since PostgreSQL 16.
DO $do$
BEGIN
    SET LOCAL ROLE collegium_graph;
    RESET ROLE;
EXCEPTION WHEN insufficient_privilege THEN
    BEGIN
        EXECUTE format('GRANT collegium_graph TO %I', current_user);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'the role collegium_graph is not granted to ' || quote_ident(current_user) || '; as an administrator run: '
                || 'GRANT collegium_graph TO ' || quote_ident(current_user);
    END;
END
$do$;

DO $do$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I, river TO collegium_graph', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO collegium_graph', current_schema());
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO collegium_graph', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I, river GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO collegium_graph', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I, river GRANT USAGE ON SEQUENCES TO collegium_graph', current_schema());
END
$do$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA river TO collegium_graph;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA river TO collegium_graph;

-- For whom a statement runs, as its transaction was told. Nobody was told: anonymous.
CREATE FUNCTION acting_account() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE RETURN nullif(current_setting('collegium.account', true), '')::uuid;

CREATE FUNCTION acting_member() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE RETURN nullif(current_setting('collegium.member', true), '')::uuid;

CREATE FUNCTION acting_may(permission text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN permission = ANY(string_to_array(COALESCE(current_setting('collegium.permissions', true), ''), ','));

-- Who can sign in, and how: the service itself reads and writes these, and the graph
-- what of it is the viewer's own.
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY accounts_own ON accounts TO collegium_graph
    USING (id = (SELECT acting_account()) OR (SELECT acting_may('MANAGE_ACCOUNTS')) OR (SELECT acting_may('MANAGE_REGISTER')));

ALTER TABLE account_roles ENABLE ROW LEVEL SECURITY;
CREATE POLICY account_roles_own ON account_roles TO collegium_graph
    USING (account_id = (SELECT acting_account()) OR (SELECT acting_may('MANAGE_ACCOUNTS')));

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY sessions_own ON sessions TO collegium_graph
    USING (account_id = (SELECT acting_account()));

ALTER TABLE membership_applications ENABLE ROW LEVEL SECURITY;
CREATE POLICY membership_applications_own ON membership_applications TO collegium_graph
    USING (account_id = (SELECT acting_account()) OR (SELECT acting_may('MANAGE_REGISTER')));

-- Nobody asks the graph for these.
ALTER TABLE account_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_failures ENABLE ROW LEVEL SECURITY;
