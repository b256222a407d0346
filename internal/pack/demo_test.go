package pack

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/slug"
)

var readDemo = sync.OnceValues(func() (*Pack, error) { return Read(Demo()) })

func demoPack(t *testing.T) *Pack {
	t.Helper()
	p, err := readDemo()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// placement is an item of a menu with where it stands.
type placement struct {
	*menuItem
	handle string
	// spelled is the path that the labels spell, labels those from the top down.
	spelled string
	labels  []string
	parent  *placement
}

func (p *Pack) placements() []*placement {
	var all []*placement
	for _, m := range p.menus {
		var walk func(parent *placement, items []*menuItem)
		walk = func(parent *placement, items []*menuItem) {
			for _, i := range items {
				at := &placement{menuItem: i, handle: m.handle, parent: parent, spelled: "/" + slug.Slug(string(i.Label)), labels: []string{string(i.Label)}}
				if parent != nil {
					at.spelled = parent.spelled + at.spelled
					at.labels = append(slices.Clone(parent.labels), at.labels...)
				}
				all = append(all, at)
				walk(at, i.Children)
			}
		}
		walk(nil, m.Items)
	}
	return all
}

func (p *Pack) pageAt(t *testing.T, at string) *page {
	t.Helper()
	i := slices.IndexFunc(p.pages, func(pg *page) bool { return string(pg.Path) == at })
	if i < 0 {
		t.Fatalf("no page at %s", at)
	}
	return p.pages[i]
}

// under returns the pages that live under a path, in order.
func (p *Pack) under(at string) []*page {
	var pages []*page
	for _, pg := range p.pages {
		if string(pg.Path) != "/" && path.Dir(string(pg.Path)) == at {
			pages = append(pages, pg)
		}
	}
	slices.SortStableFunc(pages, func(a, b *page) int { return a.Position - b.Position })
	return pages
}

func TestDemoHasNoWarnings(t *testing.T) {
	t.Parallel()
	if w := demoPack(t).Warnings(); len(w) > 0 {
		t.Errorf("warnings: %v", w)
	}
}

func TestDemoMenus(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	var convert func(items []*menuItem) []*OutlineItem
	convert = func(items []*menuItem) []*OutlineItem {
		var out []*OutlineItem
		for _, i := range items {
			out = append(out, &OutlineItem{Label: string(i.Label), Children: convert(i.Children)})
		}
		return out
	}
	got := map[string]string{}
	var handles []string
	for _, m := range p.menus {
		handles = append(handles, m.handle)
		got[m.handle] = sketch(convert(m.Items))
	}
	if diff := cmp.Diff([]string{"main", "utility", "footer", "social"}, handles); diff != "" {
		t.Errorf("menus (-want +got):\n%s", diff)
	}
	for handle, want := range map[string]string{
		"main":    sketch(readOutlineFile(t, "testdata/outline/capture.txt").Roots),
		"utility": "Log in\nJoin us\nSearch\n",
		"footer": "Occupational therapy jobs\nSupplier directory\nThe Education Hub\nWebsite terms and conditions\nPrivacy Policy\nRCOT and GDPR\n" +
			"Compliments and complaints\nAdvertising Terms and Conditions\nPress and media information\n",
		"social": "Facebook\nTwitter\nInstagram\nYouTube\nLinkedIn\n",
	} {
		if diff := cmp.Diff(want, got[handle]); diff != "" {
			t.Errorf("labels of %s (-want +got):\n%s", handle, diff)
		}
	}

	items, kinds, depths, labels := map[string]int{}, map[string]int{}, map[int]int{}, map[string]int{}
	paths, slugs := map[string]bool{}, map[string]bool{}
	longest := 0
	all := p.placements()
	for _, i := range all {
		items[i.handle]++
		kinds[i.kind()]++
		if i.handle != "main" {
			continue
		}
		depths[len(i.labels)]++
		labels[string(i.Label)]++
		paths[i.spelled] = true
		slugs[path.Base(i.spelled)] = true
		longest = max(longest, len([]rune(string(i.Label))))
	}
	repeated, repeats := 0, 0
	for _, n := range labels {
		if n > 1 {
			repeated++
			repeats += n
		}
	}
	if len(all) != 329 {
		t.Errorf("got %d items, want 329", len(all))
	}
	for _, c := range []struct {
		name      string
		want, got any
	}{
		{"items by menu", map[string]int{"main": 312, "utility": 3, "footer": 9, "social": 5}, items},
		{"items by kind", map[string]int{"PAGE": 322, "ACTION": 2, "EXTERNAL": 5}, kinds},
		{"items by depth", map[int]int{1: 8, 2: 94, 3: 141, 4: 69}, depths},
		{"labels that repeat, and their items", [2]int{14, 54}, [2]int{repeated, repeats}},
		{"slug paths, bare slugs", [2]int{312, 271}, [2]int{len(paths), len(slugs)}},
		{"the longest label", 123, longest},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestDemoAliases looks at what is placed twice: one page, at the path of the
// placement that counts, and found at the path of the other.
func TestDemoAliases(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	redirects := map[string]string{}
	for _, r := range p.redirects {
		redirects[string(r.From)] = string(r.To)
	}
	got := map[string][]string{}
	for _, i := range p.placements() {
		if i.Page == "" {
			continue
		}
		at := i.handle + i.spelled
		if i.isCanonical {
			at += " own"
			if i.spelled != string(i.Page) {
				t.Errorf("%s counts as its page's own placement, but the page lives at %s", at, i.Page)
			}
		} else if to := redirects[i.spelled]; i.spelled != string(i.Page) && to != string(i.Page) {
			t.Errorf("%s redirects to %q, want %s", i.spelled, to, i.Page)
		}
		got[string(i.Page)] = append(got[string(i.Page)], at)
	}
	twice := map[string][]string{}
	for at, places := range got {
		if len(places) > 1 {
			twice[at] = places
		}
	}
	want := map[string][]string{
		"/about-us/specialist-sections": {"main/about-us/specialist-sections own", "main/practice-resources/student-and-apprentices/specialist-sections"},
		"/practice-resources/cpd-rcot":  {"main/practice-resources/cpd-rcot own", "main/practice-resources/student-and-apprentices/cpd-rcot"},
		"/contact-us":                   {"main/about-us/contact-us", "main/contact-us own"},
		"/about-us/equity-diversity-and-belonging/public-contributors": {"main/about-us/how-we-are-run/rcot-and-public-benefit/public-contributors", "main/about-us/equity-diversity-and-belonging/public-contributors own"},
		"/practice-resources/assessments-and-outcome-measures":         {"main/practice-resources/occupational-therapy-topics/assessments-and-outcome-measures", "main/practice-resources/assessments-and-outcome-measures own"},
		"/occupational-therapy-jobs":                                   {"main/occupational-therapy-jobs own", "footer/occupational-therapy-jobs"},
		"/promoting-occupational-therapy/supplier-directory":           {"main/promoting-occupational-therapy/supplier-directory own", "footer/supplier-directory"},

		"/about-us/join-us": {"main/about-us/join-us own", "utility/join-us"},
	}
	if diff := cmp.Diff(want, twice); diff != "" {
		t.Errorf("what is placed twice (-want +got):\n%s", diff)
	}
	if len(redirects) != 7 {
		t.Errorf("got %d redirects, want 7: one for each placement whose path is not the page's", len(redirects))
	}
	// 312 items of the main menu less 5 aliases, 7 pages of the footer alone, the
	// home page, and the page that no menu has.
	if len(p.pages) != 307+7+1+1 {
		t.Errorf("got %d pages, want 316", len(p.pages))
	}
}

// TestDemoNamesakes looks at labels that repeat and mean a page each.
func TestDemoNamesakes(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	pages := map[string]map[Path]bool{}
	for _, i := range p.placements() {
		if i.handle == "main" {
			if pages[string(i.Label)] == nil {
				pages[string(i.Label)] = map[Path]bool{}
			}
			pages[string(i.Label)][i.Page] = true
		}
	}
	got := map[string]int{}
	for label, ps := range pages {
		if len(ps) > 1 {
			got[label] = len(ps)
		}
	}
	want := map[string]int{
		"Member resources": 10, "Contacts and committee": 10, "Conference and events": 9, "Clinical forums": 5, "FAQs": 2, "Events": 2,
		"Copyright and permissions": 2, "Rehabilitation": 2, "A-Z": 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels with more than one page (-want +got):\n%s", diff)
	}
}

func TestDemoPages(t *testing.T) {
	t.Parallel()
	p := demoPack(t)
	places := map[Path]*placement{}
	for _, i := range p.placements() {
		if i.isCanonical {
			places[i.Page] = i
		}
	}
	for _, pg := range p.pages {
		at, ok := places[pg.Path]
		unplaced := pg.Path == "/" || pg.Path == "/advanced-practice"
		switch {
		case ok == unplaced:
			t.Errorf("%s: in a menu: %t, want %t", pg.Path, ok, !unplaced)
		case ok && pg.Title != at.Label:
			t.Errorf("%s: the title is %q, the label %q", pg.Path, pg.Title, at.Label)
		}
		if len(pg.blocks) > 0 != (pg.Path == "/advanced-practice") {
			t.Errorf("%s: has %d blocks; only the page that was captured has any", pg.Path, len(pg.blocks))
		}
	}
	// Pages live beside each other in the order of the menu.
	var walk func(parent string, items []*menuItem)
	walk = func(parent string, items []*menuItem) {
		var want, got []string
		for _, i := range items {
			if path.Dir(string(i.Page)) == parent {
				want = append(want, string(i.Page))
			}
			if len(i.Children) > 0 {
				walk(string(i.Page), i.Children)
			}
		}
		for _, pg := range p.under(parent) {
			got = append(got, string(pg.Path))
		}
		if parent == "/" {
			got = got[:min(len(got), 8)]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages under %s (-menu +pages):\n%s", parent, diff)
		}
	}
	walk("/", p.menus[0].Items)

	var kinds []string
	for _, b := range p.pageAt(t, "/advanced-practice").blocks {
		kinds = append(kinds, fmt.Sprint(b.kind))
	}
	want := strings.Fields("RICH_TEXT HEADING RICH_TEXT HEADING RICH_TEXT CASE_STUDY_LIST HEADING RICH_TEXT WEBINAR HEADING RICH_TEXT HEADING RICH_TEXT")
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("blocks of Advanced practice (-want +got):\n%s", diff)
	}
}

func seedDemo(ctx context.Context, pool *pgxpool.Pool) error {
	p, err := readDemo()
	if err != nil {
		return err
	}
	_, err = Import(ctx, pool, p, ImportOptions{})
	return err
}

// TestDemoInTheDatabase imports the demo, then the same again in three ways:
// as a pack, as the menu of a captured page, and with members around it.
func TestDemoInTheDatabase(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewWith(t, "demo", seedDemo)
	if n := queryOne[int](t, pool, `SELECT count(*) FROM menu_items`); n != 329 {
		t.Errorf("got %d menu items, want 329", n)
	}
	before := contents(t, pool)

	r, err := ImportMenu(t.Context(), pool, "main", readOutlineFile(t, "testdata/outline/capture.txt"), MenuOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Changed() {
		t.Errorf("import of the captured menu: %s", r)
	}
	g, err := GenerateMembers(t.Context(), pool, 2_000, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Added != 2_000 {
		t.Errorf("members: %s", g)
	}
	again, err := Import(t.Context(), pool, demoPack(t), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Changed() {
		t.Errorf("second import of the demo changes: %+v", again.Changes)
	}
	if diff := cmp.Diff(before, contents(t, pool)); diff != "" {
		t.Errorf("content after all that (-before +after):\n%s", diff)
	}
	if n := queryOne[int](t, pool, `SELECT count(*) FROM members`); n != 2_065 {
		t.Errorf("got %d members, want the pack's 65 and 2000", n)
	}
}

// TestDemoMenuEdited brings an edited outline into the demo: what stays keeps
// its page, also where that page lives elsewhere.
func TestDemoMenuEdited(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewWith(t, "demo", seedDemo)
	importMenu(t, pool, "main", "- About us\n  - Specialist Sections\n  - Contact us\n- Shop\n- Student and apprentices\n- Supplier directory\n")
	want := []string{
		"About us > /about-us own",
		"  Specialist Sections > /about-us/specialist-sections own",
		"  Contact us > /contact-us",
		"Shop > /shop own",
		"Student and apprentices > /student-and-apprentices own",
		"Supplier directory > /promoting-occupational-therapy/supplier-directory own",
	}
	if diff := cmp.Diff(want, menuLines(t, pool, "main")); diff != "" {
		t.Errorf("menu (-want +got):\n%s", diff)
	}
	if got := queryOne[string](t, pool, `
		SELECT p.path
		FROM entries e
		JOIN routes r ON r.entry_id = e.id AND r.path = '/shop'
		JOIN routes p ON p.entry_id = e.parent_id AND p.kind = 'CURRENT'`); got != "/" {
		t.Errorf("the new page lives under %s, want the home page", got)
	}
}
