package viewer

// Standing is a set of what somebody is to the body.
type Standing uint16

// What somebody can be. Everyone is Anyone.
const (
	Anyone Standing = 1 << iota
	SignedIn
	// HasRecord is who is on the register of members, also when the membership has
	// lapsed.
	HasRecord
	CurrentMember
	// SectionOfficer is who serves on the committee of a section or region today.
	SectionOfficer
	Editor
	MembershipOfficer
	Administrator
	// These are what the key of a partner's application is good for.
	KeyContent
	KeyDirectory
	KeyMembers
	KeyStatistics

	anyStaff = Editor | MembershipOfficer | Administrator
	register = MembershipOfficer | Administrator
)

// Permission is something that somebody may do. The graph names them the same.
type Permission string

// The permissions.
const (
	JoinAndSignIn      Permission = "JOIN_AND_SIGN_IN"
	ManageOwnAccount   Permission = "MANAGE_OWN_ACCOUNT"
	EditOwnProfile     Permission = "EDIT_OWN_PROFILE"
	KeepRecord         Permission = "KEEP_RECORD"
	ReadMembersContent Permission = "READ_MEMBERS_CONTENT"
	ReadStaffContent   Permission = "READ_STAFF_CONTENT"
	ReadDirectory      Permission = "READ_DIRECTORY"
	ReadRegister       Permission = "READ_REGISTER"
	ManageRegister     Permission = "MANAGE_REGISTER"
	ReadStatistics     Permission = "READ_STATISTICS"
	ManageAccounts     Permission = "MANAGE_ACCOUNTS"
	ReadAudit          Permission = "READ_AUDIT"
	ManageRules        Permission = "MANAGE_RULES"
	ReadCommittee      Permission = "READ_COMMITTEE"
)

// Rule says who has a permission.
type Rule struct {
	Permission Permission
	// Has holds everyone who has it: one of these is enough.
	Has Standing
	// ByUnit says that a key that is limited to a section or region has it too: whatever
	// is read by it is kept to the viewer's Unit. Without it such a key doesn't have it.
	ByUnit bool
	// InUnit says that such a key has it in its section or region, and nowhere else: what
	// is read there is kept to the Unit by SQL that looks at it, not by asking May.
	InUnit bool
	// OfUnits says that who has it has it in some sections or regions only: those on
	// whose committees they serve.
	OfUnits bool
}

// Rules is the one table of who may do what. The directive @requires of the schema,
// the conditions in SQL and the documentation follow from it.
var Rules = []Rule{
	{Permission: JoinAndSignIn, Has: Anyone},
	{Permission: ManageOwnAccount, Has: SignedIn},
	{Permission: EditOwnProfile, Has: HasRecord},
	{Permission: KeepRecord, Has: HasRecord | register},
	{Permission: ReadMembersContent, Has: CurrentMember | anyStaff | KeyContent},
	{Permission: ReadStaffContent, Has: anyStaff},
	{Permission: ReadDirectory, Has: CurrentMember | anyStaff | KeyDirectory | KeyMembers, InUnit: true},
	{Permission: ReadRegister, Has: register | KeyMembers},
	{Permission: ManageRegister, Has: register},
	{Permission: ReadStatistics, Has: register | KeyStatistics, ByUnit: true},
	{Permission: ManageAccounts, Has: Administrator},
	{Permission: ReadAudit, Has: Administrator},
	{Permission: ManageRules, Has: Administrator},
	{Permission: ReadCommittee, Has: SectionOfficer, OfUnits: true},
}

// Can returns what the viewer may do, in the order of the table, without what they
// may do in some sections or regions only.
func (v Viewer) Can() []Permission {
	can := []Permission{}
	for _, r := range Rules {
		if !r.OfUnits && v.has(r) {
			can = append(can, r.Permission)
		}
	}
	return can
}

// CanInUnits returns what the viewer may do in their sections and regions and not
// elsewhere: those on whose committees they serve, or that of their key.
func (v Viewer) CanInUnits() []Permission {
	can := []Permission{}
	limited := v.Unit != Viewer{}.Unit
	for _, r := range Rules {
		if (r.OfUnits && v.May(ReadDirectory) || r.ByUnit && limited) && v.has(r) || r.InUnit && limited && v.standing()&r.Has != 0 {
			can = append(can, r.Permission)
		}
	}
	return can
}

// May says whether the viewer has a permission.
func (v Viewer) May(p Permission) bool {
	for _, r := range Rules {
		if r.Permission == p {
			return v.has(r)
		}
	}
	return false
}

func (v Viewer) has(r Rule) bool {
	return v.standing()&r.Has != 0 && (r.ByUnit || r.Has&Anyone != 0 || v.Unit == Viewer{}.Unit)
}

func (v Viewer) standing() Standing { return v.Standing | Anyone }
