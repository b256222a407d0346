package privacy

import "strings"

// Table is a table with data about people: which rows are whose, what of them is
// given to the person, and what becomes of them when the person is erased. A test
// wants every table that leads to members or accounts to be among Tables, or to be
// in that test with a reason.
type Table struct {
	// Name is that of the table, with its schema if it isn't ours, and its name in the
	// export.
	Name string
	// About says, in the export, what the rows are.
	About string
	// Whose is the condition under which the row t is about the person: of @member and
	// @account, which are NULL if the person has none.
	Whose string
	// Hidden are columns that are not given away: secrets, and who else had a hand in
	// it. If Only isn't empty, no others are.
	Hidden, Only []string
	// With are texts that the export adds to each row, by name: expressions over t, for what a
	// column says by an ID alone.
	With map[string]string
	Fate Fate
}

// Fate is what an erasure does with the rows of a table. Statements run in the order
// of Tables and of SQL; the rows that the last one touches are counted. @former is the
// id of the nameless record that a member leaves.
type Fate struct {
	SQL []string
	// Rule is that of retention_rules by which the rows are kept, "" if they are not.
	Rule string
}

// erased removes the rows.
var erased = Fate{}

// unlinked keeps rows that are of others too, without the person.
func unlinked(column string) Fate {
	return Fate{SQL: []string{`UPDATE ` + target + ` SET ` + column + ` = NULL WHERE ` + whose}}
}

// kept keeps rows by a rule, after the statements took away what says whose they were.
func kept(rule string, sql ...string) Fate { return Fate{SQL: sql, Rule: rule} }

// In the statements of a fate these stand for the table as t, and for Whose.
const (
	target = "{table}"
	whose  = "{whose}"
)

// The usual answers to whose a row is.
const (
	byMember  = `t.member_id = @member`
	byAccount = `t.account_id = @account`
)

// Tables are all tables with data about people, in the order in which they are erased:
// what hangs on a row comes before it. One line says all about most of them.
var Tables = []Table{
	{Name: "therapist_listings", About: "that you are willing to be found as a therapist", Whose: byMember, Fate: erased},
	{Name: "sessions", About: "where you are signed in", Whose: byAccount, Hidden: []string{"token_sha256"}, Fate: erased},
	{Name: "account_links", About: "links that were mailed to you and still work", Whose: byAccount, Hidden: []string{"token_sha256"}, Fate: erased},
	{Name: "account_totp", About: "your authenticator", Whose: byAccount, Hidden: []string{"secret", "sealed", "last_step"}, Fate: erased},
	{Name: "account_recovery_codes", About: "your recovery codes that were not used", Whose: byAccount, Hidden: []string{"code_sha256"}, Fate: erased},
	{Name: "passkey_uses", About: "when your passkeys were last used", Whose: byAccount, Hidden: []string{"state"}, Fate: erased},
	{Name: "passkeys", About: "your passkeys", Whose: byAccount, Hidden: []string{"credential_id", "credential"}, Fate: erased},
	{Name: "passkey_challenges", About: "what your authenticator was asked in the last minutes", Whose: byAccount, Hidden: []string{"token_sha256", "challenge"}, Fate: erased},
	{Name: "external_identities", About: "whom other services know you as", Whose: byAccount, Fate: erased},
	{Name: "account_roles", About: "your roles", Whose: byAccount, Fate: erased},
	{
		Name: "idempotency_keys", About: "the writes of the last days that you asked for with a key, so that none happens twice",
		Whose: byAccount, Only: []string{"created_at", "expires_at"},
		// What others did with the record names it in their answers.
		Fate: Fate{SQL: []string{`DELETE FROM idempotency_keys t WHERE t.account_id IS DISTINCT FROM @account AND t.answer = to_jsonb(@member::uuid)`, `DELETE FROM {table} WHERE {whose}`}},
	},
	{
		Name: "sign_in_failures", About: "how often it was tried in vain to sign in, join or reset with your address, to prove your password while signed in, or another address was asked for",
		Whose: `t.key IN (
			SELECT sha256(convert_to(p.prefix || a.email_folded, 'UTF8'))
			FROM accounts a
			CROSS JOIN unnest(ARRAY['address:', 'address:join:', 'address:reset:']) AS p (prefix)
			WHERE a.id = @account
			UNION ALL
			-- Tried by who is signed in.
			SELECT sha256(convert_to(p.prefix || @account::uuid, 'UTF8'))
			FROM unnest(ARRAY['address:own:', 'network:own:', 'address:code:', 'network:code:', 'address:email:']) AS p (prefix))`,
		Hidden: []string{"key"}, Fate: erased,
	},
	{
		Name: "river.river_job", About: "mails to you that wait to be sent, or were sent in the last minutes",
		Whose: `EXISTS (
			SELECT FROM unnest(ARRAY[(SELECT a.email FROM accounts a WHERE a.id = @account), @account::uuid::text, @member::uuid::text]) AS n (name)
			WHERE position(lower(n.name) IN lower(concat_ws(' ', t.args, t.metadata, t.errors::text))) > 0)`,
		Only: []string{"kind", "args", "state", "created_at"}, Fate: erased,
	},
	{
		Name: "membership_applications", About: "your applications to become a member",
		Whose: byAccount, Hidden: []string{"decided_by"}, Fate: erased,
	},
	{Name: "consents", About: "what you agreed to and withdrew, with the version of the text", Whose: byMember, Fate: erased},
	{
		Name: "registrations", About: "your registration with the regulator", Whose: byMember,
		Hidden: []string{"verified_by"}, Fate: erased,
	},
	{Name: "indemnity_insurances", About: "your indemnity insurance", Whose: byMember, Fate: erased},
	// They follow from what comes below, and go with it for good.
	{Name: "membership_stretches", About: "the stretches of time as which statistics count you", Whose: byMember, Only: []string{"since"}, Fate: erased},
	{Name: "membership_suspensions", About: "when your membership was suspended, and why", Whose: byMember, Fate: erased},
	{
		Name: "membership_events", About: "what happened to your membership", Whose: byMember,
		// The record without a name says when in its periods.
		Fate: Fate{SQL: []string{`DELETE FROM membership_events t WHERE t.member_id = @former`, `DELETE FROM {table} WHERE {whose}`}},
	},
	{
		// Before the terms: a period that ended ends those that its member holds.
		Name: "membership_periods", About: "from when to when you were a member", Whose: byMember,
		Fate: kept("MEMBERSHIP_EXISTED",
			`DELETE FROM membership_periods t WHERE t.member_id = @former`,
			`INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how, recorded_on, governs_on)
			SELECT
				@former,
				t.grade,
				t.starts_on,
				CASE WHEN t.ends_on < CURRENT_DATE THEN t.ends_on ELSE CURRENT_DATE END,
				CASE WHEN t.ends_on < CURRENT_DATE THEN t.ended_how ELSE COALESCE(t.ended_how, 'RESIGNED') END,
				t.recorded_on,
				t.governs_on
			FROM membership_periods t
			WHERE `+byMember+` AND t.starts_on <= CURRENT_DATE
			ORDER BY t.starts_on`,
			`DELETE FROM membership_periods t WHERE `+byMember,
			`SELECT FROM membership_periods t WHERE t.member_id = @former`),
	},
	{Name: "section_memberships", About: "the sections you belong and belonged to", Whose: byMember, Hidden: []string{"sort_name"}, Fate: erased},
	{Name: "member_details", About: "your contact details, languages, specialisms, photo and practice, and who sees which", Whose: byMember, Fate: erased},
	{Name: "member_photos", About: "your photo: jpeg is the file, in hexadecimal digits after \\x", Whose: byMember, Fate: erased},
	{
		Name: "member_reads", About: "who read what of your profile is not for everyone: as what, when, and which fields", Whose: byMember, Fate: erased,
		With: map[string]string{"application": `(SELECT pa.name FROM partner_applications pa WHERE pa.id = t.application_id)`},
	},
	{Name: "member_locks", About: "the fields of your profile that the office keeps from wider audiences, and why", Whose: byMember, Fate: erased},
	{Name: "case_studies", About: "case studies about you", Whose: byMember, Fate: unlinked("member_id")},
	{
		Name: "terms", About: "the posts you hold and held", Whose: byMember,
		Fate: kept("POSTS_HELD",
			`DELETE FROM terms t WHERE `+byMember+` AND t.starts_on >= CURRENT_DATE`,
			`UPDATE terms t SET member_id = @former, key = 'former-' || t.id, ends_on = LEAST(COALESCE(t.ends_on, CURRENT_DATE), CURRENT_DATE)
			WHERE `+byMember),
	},
	{
		Name: "erasures", About: "your requests to be erased",
		Whose: `(t.member_id = @member OR t.account_id = @account)`,
		// The one that runs ends as the certificate; those that were taken back go.
		Fate: Fate{SQL: []string{`UPDATE erasures SET member_id = NULL, account_id = NULL, executed_at = now() WHERE id = @erasure`, `DELETE FROM erasures t WHERE t.id <> @erasure AND (t.member_id = @member OR t.account_id = @account)`}},
	},
	{
		Name: "accounts", About: "your account", Whose: `(t.id = @account OR t.member_id = @member)`,
		Hidden: []string{"password_hash", "email_folded"}, Fate: erased,
	},
	{Name: "members", About: "your record and profile, and who sees what of it", Whose: `t.id = @member`, Fate: erased},
	{
		Name: "former_members", About: "nothing: a record without a name is nobody's", Whose: `false`,
		Fate: kept("MEMBERSHIP_EXISTED", `SELECT FROM former_members t WHERE t.member_id = @former`),
	},
	{
		Name: "audit_entries", About: "what was written about you or by you: when and what, without values",
		Whose: `EXISTS (
			SELECT FROM audit_people p
			WHERE p.person_id IN (@member, @account) AND p.pseudonym IN (t.subject, t.actor))`,
		Only: []string{"written_at", "operation", "table_name", "columns", "program", "request_id"},
		Fate: kept("AUDIT", `SELECT FROM {table} WHERE {whose}`),
	},
	// The last: what came before is written in the audit too.
	{
		Name: "audit_people", About: "the pseudonyms under which you stand in the audit",
		Whose: `t.person_id IN (@member, @account)`, Fate: erased,
	},
}

// statements returns what an erasure does with the table.
func (t *Table) statements() []string {
	sql := t.Fate.SQL
	if len(sql) == 0 {
		sql = []string{`DELETE FROM ` + target + ` WHERE ` + whose}
	}
	filled := make([]string, len(sql))
	for i, s := range sql {
		filled[i] = strings.NewReplacer(target, t.Name+` t`, whose, t.Whose).Replace(s)
	}
	return filled
}
