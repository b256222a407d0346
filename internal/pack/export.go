package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
)

// Export writes the content of a database as a pack into the folder dir, which
// is made if there is none, and returns how many files the pack has. A folder
// that is not empty must hold a pack; its files are replaced, besides a README
// and what begins with a dot.
//
// The same content gives the same bytes. Nothing in dir changes before the new
// files have been read again and found to say what the database says.
func Export(ctx context.Context, pool *pgxpool.Pool, dir string) (files int, err error) {
	defer errs.Wrap(&err, "pack.Export(%s)", dir)
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only reads
	have, err := load(ctx, tx)
	if err != nil {
		return 0, err
	}
	// Files take longer than a transaction should wait.
	if err := tx.Rollback(ctx); err != nil {
		return 0, err
	}
	if have.organisation.Name == "" {
		return 0, fmt.Errorf("%w: the database holds no content; import a pack first", errs.Conflict)
	}
	have.number()
	contents := have.files()

	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	old, err := packFiles(dir)
	if err != nil {
		return 0, err
	}
	fresh, err := os.MkdirTemp(dir, ".export-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // a rest does no harm
	for name, text := range contents {
		if err := writeFile(filepath.Join(fresh, filepath.FromSlash(name)), text); err != nil {
			return 0, err
		}
	}
	if err := readsBack(os.DirFS(fresh), have.Pack); err != nil {
		return 0, err
	}
	for name := range contents {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return 0, err
		}
		if err := os.Rename(filepath.Join(fresh, filepath.FromSlash(name)), to); err != nil {
			return 0, err
		}
	}
	for _, name := range old {
		if _, stays := contents[name]; !stays {
			if err := removeFile(dir, name); err != nil {
				return 0, err
			}
		}
	}
	return len(contents), nil
}

func writeFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// removeFile removes a file of a pack and the folders that become empty.
func removeFile(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
		return err
	}
	for name = path.Dir(name); name != "."; name = path.Dir(name) {
		if os.Remove(filepath.Join(dir, filepath.FromSlash(name))) != nil {
			return nil // not empty
		}
	}
	return nil
}

// packFiles returns the files of the pack in a folder, none if the folder is
// empty. Anything that is no pack is an error, so that no export overwrites it.
func packFiles(dir string) ([]string, error) {
	var names []string
	var strange string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
		case !isPackFile(name):
			strange = name
			return fs.SkipAll
		case name != readme:
			names = append(names, name)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case strange != "":
		return nil, fmt.Errorf("%w: %s holds %s, which is no file of a content pack; export into an empty folder or over a pack", errs.Conflict, dir, strange)
	case len(names) > 0 && !slices.Contains(names, "pack.yaml"):
		return nil, fmt.Errorf("%w: %s is not empty and has no pack.yaml; export into an empty folder or over a pack", errs.Conflict, dir)
	}
	return names, nil
}

// readsBack makes sure that the files in a folder say what a pack says.
func readsBack(fsys fs.FS, p *Pack) error {
	again, err := Read(fsys)
	if invalid := (*InvalidError)(nil); errors.As(err, &invalid) {
		return fmt.Errorf("the database holds what a content pack does not allow; these lines would be wrong:\n%w", err)
	} else if err != nil {
		return err
	}
	changes := diff(p.things(), again.things())
	if len(changes) == 0 {
		return nil
	}
	r := &Report{Changes: changes[:min(len(changes), 20)]}
	return fmt.Errorf("the database holds what a content pack cannot say; an import would change it:\n%s", r.changes())
}

// files returns the files of a pack, by name. It leaves the pack as it is.
func (p *Pack) files() map[string]string {
	all := map[string]string{}
	add := func(name string, v any) {
		if text := yamlOf(v); text != "" {
			all[name] = text
		}
	}
	add("pack.yaml", &manifest{Format: format, Name: p.organisation.Name})
	add("organisation.yaml", &p.organisation)
	p.menuFiles(add)

	from := map[Key][]Path{}
	redirects := &redirectsFile{Gone: p.gone}
	for _, r := range p.redirects {
		if r.entry != "" {
			from[r.entry] = append(from[r.entry], r.From)
		} else {
			redirects.Redirects = append(redirects.Redirects, r)
		}
	}
	add("redirects.yaml", redirects)

	for _, x := range p.pages {
		c := *x
		if c.Key == Key(pageKey(string(c.Path))) {
			c.Key = ""
		}
		c.Path, c.RedirectFrom = "", from[x.Key]
		all[pageFile(x.Path)] = withFrontMatter(&c, bodyOf(c.blocks))
	}
	for _, x := range p.caseStudies {
		c := *x
		if c.Key == caseStudyKey(c.slug) {
			c.Key = ""
		}
		if c.Path == Path("/case-studies/"+c.slug) {
			c.Path = ""
		}
		if c.Title == c.Headline {
			c.Title = ""
		}
		text := string(c.Summary)
		c.Summary, c.RedirectFrom = "", from[x.Key]
		all["case-studies/"+c.slug+".md"] = withFrontMatter(&c, text)
	}
	documents := &documentsFile{}
	for _, x := range p.documents {
		c := *x
		c.RedirectFrom = from[x.Key]
		documents.Documents = append(documents.Documents, &c)
	}
	add("documents.yaml", documents)

	units := &unitsFile{}
	for _, u := range p.units {
		if u.kind == "REGION" {
			units.Regions = append(units.Regions, u)
		} else {
			units.Sections = append(units.Sections, u)
		}
	}
	add("units.yaml", units)
	add("people.yaml", &peopleFile{People: p.people})
	add("committees.yaml", &committeesFile{Committees: withoutDefaults(p.committees)})
	add("career.yaml", &careerFile{Levels: p.levels})
	return all
}

// withFrontMatter returns a Markdown file.
func withFrontMatter(facts any, text string) string {
	s := "---\n" + yamlOf(facts) + "---\n"
	if text != "" {
		s += "\n" + text + "\n"
	}
	return s
}

// withoutDefaults returns committees without the keys that they have anyway.
func withoutDefaults(committees []*committee) []*committee {
	var list []*committee
	for _, c := range committees {
		committee := *c
		if c.Key == committeeKey(c.Slug) {
			committee.Key = ""
		}
		committee.Posts = nil
		for _, p := range c.Posts {
			post := *p
			if p.Key == postKey(c, p) {
				post.Key = ""
			}
			post.Terms = nil
			for _, t := range p.Terms {
				term := *t
				if t.Key == termKey(p.Key, t) {
					term.Key = ""
				}
				post.Terms = append(post.Terms, &term)
			}
			committee.Posts = append(committee.Posts, &post)
		}
		list = append(list, &committee)
	}
	return list
}

// menuFiles writes menus, with keys and canonical placements where they are not
// what they would be anyway.
func (p *Pack) menuFiles(add func(name string, v any)) {
	placements := map[Key][]*menuItem{}
	for _, m := range p.menus {
		walkItems(m, func(i, _ *menuItem) {
			if i.entry != "" {
				placements[i.entry] = append(placements[i.entry], i)
			}
		})
	}
	marks := map[*menuItem]bool{}
	for _, items := range placements {
		byDefault := shallowest(items)
		own := slices.IndexFunc(items, func(i *menuItem) bool { return i.isCanonical })
		switch {
		case own < 0:
			marks[byDefault] = false
		case items[own] != byDefault:
			marks[items[own]] = true
		}
	}
	var written func(items []*menuItem, above string) []*menuItem
	written = func(items []*menuItem, above string) []*menuItem {
		var list []*menuItem
		siblings := map[string]bool{}
		for _, i := range items {
			item := *i
			word, unique := defaultWord(i.Label, siblings)
			if unique && i.Key == Key(above+"/"+word) {
				item.Key = ""
			}
			if mark, ok := marks[i]; ok {
				item.Canonical = &mark
			}
			item.Children = written(i.Children, below(above, word, unique, i))
			list = append(list, &item)
		}
		return list
	}
	for _, m := range p.menus {
		add("menus/"+m.handle+".yaml", &menu{Title: m.Title, Position: m.Position, Items: written(m.Items, m.handle)})
	}
}
