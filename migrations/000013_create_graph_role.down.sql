SET lock_timeout = '5s';

ALTER TABLE sign_in_failures DISABLE ROW LEVEL SECURITY;
ALTER TABLE account_links DISABLE ROW LEVEL SECURITY;
DROP POLICY membership_applications_own ON membership_applications;
ALTER TABLE membership_applications DISABLE ROW LEVEL SECURITY;
DROP POLICY sessions_own ON sessions;
ALTER TABLE sessions DISABLE ROW LEVEL SECURITY;
DROP POLICY account_roles_own ON account_roles;
ALTER TABLE account_roles DISABLE ROW LEVEL SECURITY;
DROP POLICY accounts_own ON accounts;
ALTER TABLE accounts DISABLE ROW LEVEL SECURITY;

DROP FUNCTION acting_may(text);
DROP FUNCTION acting_member();
DROP FUNCTION acting_account();

-- Takes its rights in this database away; the role itself may serve another one.
DROP OWNED BY collegium_graph;
