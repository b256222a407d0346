// Package migrations holds the numbered SQL files that build the schema.
//
// A migration is a pair, 000001_verb_noun.up.sql and .down.sql, one idea each, never edited after a release. Each file
// runs as one transaction and begins by setting lock_timeout, so that it fails soon instead of queueing behind a reader
// and blocking everyone else. Package pg runs them.
package migrations

import "embed"

// FS holds every migration of this version of the program.
//
//go:embed *.sql
var FS embed.FS
