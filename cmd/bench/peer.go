package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// postgraphile is a contestant of somebody else's: it takes part with --peers,
// and is fetched from the npm registry once.
const postgraphile = "postgraphile"

// peerFiles are what makes PostGraphile a contestant: which versions, the
// server, and the views that it serves.
//
//go:embed peers
var peerFiles embed.FS

// invite starts PostGraphile on the database of the others. An error says why it
// can't take part.
func invite(ctx context.Context, r role, say func(string, ...any)) (*process, error) {
	folder, err := fetchPostgraphile(ctx, say)
	if err != nil {
		return nil, err
	}
	views, err := peerFiles.ReadFile("peers/postgraphile/views.sql")
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, r.DSN)
	if err != nil {
		return nil, err
	}
	_, err = conn.PgConn().Exec(ctx, string(views)).ReadAll()
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return nil, fmt.Errorf("make its views: %w", err)
	}
	c := exec.CommandContext(ctx, filepath.Join(folder, "node_modules/.bin/node"), "server.mjs")
	c.Dir, c.Env = folder, append(os.Environ(), "NODE_ENV=production", "GRAPHILE_ENV=production")
	return launch(ctx, c, r)
}

// fetchPostgraphile returns the folder of the user's cache that holds PostGraphile
// and the Node.js that it asks for, in the versions of package.json. It is filled
// by npm if it isn't there; what they depend on is of the day on which that is.
func fetchPostgraphile(ctx context.Context, say func(string, ...any)) (string, error) {
	wanted, err := peerFiles.ReadFile("peers/postgraphile/package.json")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "collegium-bench", fmt.Sprintf("postgraphile-%.6x", sha256.Sum256(wanted)))
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		if err := install(ctx, wanted, folder, say); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	server, err := peerFiles.ReadFile("peers/postgraphile/server.mjs")
	if err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(folder, "server.mjs"), server, 0o644)
}

// install has npm fetch the packages of a package.json into a folder, which is
// there only once all of them are.
func install(ctx context.Context, wanted []byte, folder string, say func(string, ...any)) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(folder), "part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part) // it has another name if all went well
	if err := os.WriteFile(filepath.Join(part, "package.json"), wanted, 0o644); err != nil {
		return err
	}
	say("npm fetches PostGraphile into %s", folder)
	c := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
	c.Dir = part
	if out, err := c.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("npm install: %w: %s", err, first)
	}
	return os.Rename(part, folder)
}

// menuPeerQuery and the constants below are the questions as PostGraphile's graph
// has them. The depth of a menu item is not in it.
func menuPeerQuery(handle string, depth int) string {
	const fields = `label kind href isCanonical access`
	return `query Menu { menu: menuByHandle(handle: "` + handle + `") { title roots: items(condition: { parentId: null }, orderBy: POSITION_ASC) { ` + fields +
		strings.Repeat(` children(orderBy: POSITION_ASC) { `+fields, depth-1) + strings.Repeat(` }`, depth-1) + ` } } }`
}

const (
	sectionPeerQuery = `query Section($slug: String!) { specialistSection: sectionBySlug(slug: $slug) { name members(first: 20, orderBy: SORT_NAME_ASC) { nodes { displayName headline grade region { name } } } } }`

	regionsPeerQuery = `query Regions { regions: allRegionsList(orderBy: POSITION_ASC) { name members(first: 10, orderBy: SORT_NAME_ASC) { nodes { displayName sections(orderBy: POSITION_ASC) { name } } } } }`

	memberPeerQuery = `query Member($id: UUID!) { member: memberByRowId(rowId: $id) { displayName pronouns headline bio grade joinedOn } }`

	caseStudiesPeerQuery = `query CaseStudies { caseStudies: allCaseStudies(first: 8, orderBy: [LADDER_ASC, POSITION_ASC]) { nodes { person headline level member { displayName grade } region { name nation } } } }`
)

// samePeerData says with an error where the answer of a peer differs from
// collegium's in what both can say: the depth of a menu item is left out, and a
// list that may not be seen, which is null in collegium, is empty in a peer.
func samePeerData(ours, theirs []byte) error {
	var plain [2][]byte
	for i, text := range [][]byte{ours, theirs} {
		var answer map[string]any
		if err := json.Unmarshal(text, &answer); err != nil {
			return fmt.Errorf("%.200q is no answer: %w", text, err)
		}
		var err error
		if plain[i], err = json.Marshal(common(answer)); err != nil {
			return err
		}
	}
	return sameData(plain[0], plain[1])
}

// common returns a JSON value without what not both can say.
func common(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "depth")
		for name, value := range v {
			v[name] = common(value)
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i, value := range v {
			v[i] = common(value)
		}
	}
	return v
}
