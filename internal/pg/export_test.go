package pg

// For tests with migrations of their own.
var (
	MigrateUpFiles     = migrateUp
	MigrateDownFiles   = migrateDown
	MigrateForceFiles  = migrateForce
	MigrateStatusFiles = migrateStatus
)
