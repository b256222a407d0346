package graph_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/slug"
)

// The counts and the traps of the captured site, asked of the served graph.

func mainMenu(t *testing.T) []any {
	t.Helper()
	h := graphOn(t, demoDB(t))
	return list(data(t, h, `{ menu(handle: "main") { items {
		id parentId label depth position descendantCount isCanonical href kind
		ancestors { label } children { label } alsoAt { label depth href ancestors { label } }
		target { __typename ... on Page { id path } ... on SpecialistSection { page { id } } ... on Region { page { id } } }
	} } }`, nil), "menu", "items")
}

func num(v any, path ...any) int {
	n, _ := at(v, path...).(float64)
	return int(n)
}

func TestMenusHave329Items(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	got := map[string]int{}
	total := 0
	for _, m := range list(data(t, h, `{ menus { handle itemCount items { label } } }`, nil), "menus") {
		handle, _ := at(m, "handle").(string)
		got[handle] = num(m, "itemCount")
		total += len(list(m, "items"))
	}
	if diff := cmp.Diff(map[string]int{"main": 312, "utility": 3, "footer": 9, "social": 5}, got); diff != "" {
		t.Errorf("items of each menu (-want +got)\n%s", diff)
	}
	if total != 329 {
		t.Errorf("%d items in all menus, want 329", total)
	}
}

func TestShapeOfTheMainMenu(t *testing.T) {
	t.Parallel()
	items := mainMenu(t)
	depths := map[int]int{}
	parents := 0
	type top struct {
		Label                        string
		Children, Descendants, Depth int
	}
	var tops []top
	for _, it := range items {
		d := num(it, "depth")
		depths[d]++
		if len(list(it, "children")) > 0 {
			parents++
		}
		if d == 1 {
			tops = append(tops, top{at(it, "label").(string), len(list(it, "children")), num(it, "descendantCount"), 1})
		}
		last := &tops[len(tops)-1]
		last.Depth = max(last.Depth, d)
	}
	if diff := cmp.Diff(map[int]int{1: 8, 2: 94, 3: 141, 4: 69}, depths); diff != "" {
		t.Errorf("items at each depth (-want +got)\n%s", diff)
	}
	if parents != 47 || len(items)-parents != 265 {
		t.Errorf("%d parents and %d leaves, want 47 and 265", parents, len(items)-parents)
	}
	want := []top{
		{"About occupational therapy", 17, 26, 3},
		{"About us", 22, 131, 4},
		{"News and events", 13, 43, 3},
		{"Promoting occupational therapy", 18, 25, 3},
		{"Practice resources", 24, 79, 4},
		{"Occupational therapy jobs", 0, 0, 1},
		{"Contact us", 0, 0, 1},
		{"Membership info", 0, 0, 1},
	}
	if diff := cmp.Diff(want, tops); diff != "" {
		t.Errorf("top entries (-want +got)\n%s", diff)
	}
}

// TestNestedIsFlat reads the same items nested and flat.
func TestNestedIsFlat(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	m := data(t, h, `
		query { menu(handle: "main") { itemCount items { id parentId depth } roots { ...I children { ...I children { ...I children { ...I children { ...I } } } } } } }
		fragment I on MenuItem { id parentId depth }`, nil)["menu"]
	var walk func(l []any) []any
	walk = func(l []any) []any {
		var out []any
		for _, it := range l {
			out = append(out, map[string]any{"id": at(it, "id"), "parentId": at(it, "parentId"), "depth": at(it, "depth")})
			out = append(out, walk(list(it, "children"))...)
		}
		return out
	}
	if diff := cmp.Diff(list(m, "items"), walk(list(m, "roots"))); diff != "" {
		t.Errorf("flat and nested differ (-flat +nested)\n%s", diff)
	}
}

// TestALabelIsNoKey counts what repeats.
func TestALabelIsNoKey(t *testing.T) {
	t.Parallel()
	byLabel, paths, slugs := map[string]int{}, map[string]bool{}, map[string]bool{}
	items := mainMenu(t)
	for _, it := range items {
		label := at(it, "label").(string)
		byLabel[label]++
		path := ""
		for _, a := range append(texts(list(it, "ancestors"), "label"), label) {
			path += "/" + slug.Slug(a)
		}
		paths[path] = true
		slugs[slug.Slug(label)] = true
	}
	labels, repeated := 0, 0
	for _, n := range byLabel {
		if n > 1 {
			labels++
			repeated += n
		}
	}
	if labels != 14 || repeated != 54 {
		t.Errorf("%d labels repeat, on %d items; want 14 on 54", labels, repeated)
	}
	if len(paths) != 312 || len(slugs) != 271 {
		t.Errorf("%d slug paths and %d slugs, want 312 and 271", len(paths), len(slugs))
	}
}

// TestNamesakesAndAliases tells pages that share a name from one page placed twice.
func TestNamesakesAndAliases(t *testing.T) {
	t.Parallel()
	items := mainMenu(t)
	targets := map[string][]string{}
	for _, it := range items {
		id, _ := at(it, "target", "id").(string)
		if id == "" {
			id, _ = at(it, "target", "page", "id").(string)
		}
		label := at(it, "label").(string)
		targets[label] = append(targets[label], id)
	}
	namesakes := map[string]int{
		"Member resources": 10, "Contacts and committee": 10, "Conference and events": 9, "Clinical forums": 5, "FAQs": 2,
		"Events": 2, "Copyright and permissions": 2, "Rehabilitation": 2, "A-Z": 2,
	}
	for label, n := range namesakes {
		ids := slices.Compact(slices.Sorted(slices.Values(targets[label])))
		if len(targets[label]) != n || len(ids) != n {
			t.Errorf("%s: %d items lead to %d pages, want %d to a page each", label, len(targets[label]), len(ids), n)
		}
	}
	for _, label := range []string{"Specialist Sections", "CPD @ RCOT", "Contact us", "Public contributors", "Assessments and Outcome Measures"} {
		ids := targets[label]
		if len(ids) != 2 || ids[0] != ids[1] {
			t.Errorf("%s: leads to %v, want one page twice", label, ids)
		}
	}
	canonical := 0
	for _, it := range items {
		others := list(it, "alsoAt")
		if at(it, "isCanonical") == true {
			canonical++
		} else if len(others) == 0 {
			t.Errorf("%v is not canonical and stands nowhere else", at(it, "label"))
		}
		for _, o := range others {
			if at(o, "href") != at(it, "href") {
				t.Errorf("%v leads to %v here and to %v there", at(it, "label"), at(it, "href"), at(o, "href"))
			}
		}
	}
	if canonical != 307 {
		t.Errorf("%d canonical placements, want 307: 312 items less five aliases", canonical)
	}
}

func TestAliasesAcrossMenus(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	for handle, want := range map[string]map[string]string{
		"footer":  {"Occupational therapy jobs": "/occupational-therapy-jobs", "Supplier directory": "/promoting-occupational-therapy/supplier-directory"},
		"utility": {"Join us": "/about-us/join-us"},
	} {
		got := map[string]string{}
		for _, it := range list(data(t, h, `query($h: String!) { menu(handle: $h) { items { label href alsoAt { href } } } }`, map[string]any{"h": handle}), "menu", "items") {
			if len(list(it, "alsoAt")) > 0 {
				got[at(it, "label").(string)] = at(it, "alsoAt", 0, "href").(string)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", handle, diff)
		}
	}
}

// TestThePageShownIsInNoMenu has one breadcrumb and no placement.
func TestThePageShownIsInNoMenu(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	for _, m := range list(data(t, h, `{ menus { handle items { label href } } }`, nil), "menus") {
		for _, it := range list(m, "items") {
			if at(it, "href") == "/advanced-practice" || at(it, "label") == "Advanced practice" {
				t.Errorf("the menu %v places it", at(m, "handle"))
			}
		}
	}
	got := data(t, h, `{ page(path: "/advanced-practice") { breadcrumbs { title } } navigationContext(path: "/advanced-practice") { current { label } trail { label } } }`, nil)
	if diff := cmp.Diff([]string{"Home", "Advanced practice"}, texts(list(got, "page", "breadcrumbs"), "title")); diff != "" {
		t.Errorf("breadcrumb (-want +got)\n%s", diff)
	}
	if at(got, "navigationContext", "current") != nil || len(list(got, "navigationContext", "trail")) != 0 {
		t.Errorf("it has a place in the menu: %v", got["navigationContext"])
	}
}

func TestLabelsAsTheyArePrinted(t *testing.T) {
	t.Parallel()
	items := mainMenu(t)
	labels := texts(items, "label")
	longest := 0
	for i, l := range labels {
		longest = max(longest, len([]rune(l)))
		if l != strings.TrimSpace(l) || strings.ContainsRune(l, '\u00a0') {
			t.Errorf("label %q has space around it", l)
		}
		if l == "A-Z" && num(items[i], "depth") == 4 && !slices.Equal(labels[i-1:i+2], []string{"Latest publications", "A-Z", "A-Z"}) {
			t.Errorf("the nested A-Z stands among %q", labels[i-1:i+2])
		}
	}
	if longest != 123 {
		t.Errorf("the longest label has %d characters, want 123", longest)
	}
	for label, href := range map[string]string{
		"Self–Management":                        "/practice-resources/occupational-therapy-topics/self-management",
		"The Placement Café":                     "/about-occupational-therapy/the-placement-cafe",
		"CPD @ RCOT":                             "/practice-resources/cpd-rcot",
		"BAOT/RCOT Annual General Meeting":       "/news-and-events/baot-rcot-annual-general-meeting",
		"Wall of stories #ChooseOT":              "/promoting-occupational-therapy/wall-of-stories-chooseot",
		"Information for HEIs and accreditation": "/about-occupational-therapy/information-for-heis-and-accreditation",
	} {
		i := slices.Index(labels, label)
		if i < 0 {
			t.Errorf("no item is labelled %q", label)
		} else if at(items[i], "href") != href {
			t.Errorf("%q leads to %v, want %s", label, at(items[i], "href"), href)
		}
	}
	if !slices.ContainsFunc(labels, func(l string) bool {
		return strings.HasPrefix(l, "Research and innovation are everybody’s business’ – your opportunity")
	}) {
		t.Error("the label with an unbalanced quote is not as printed")
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	got := map[string]int{}
	kinds := map[string]int{}
	orders := map[string]bool{}
	for _, s := range list(data(t, h, `{ specialistSections { shortName subPages { title subKind } } }`, nil), "specialistSections") {
		subs := list(s, "subPages")
		got[at(s, "shortName").(string)] = len(subs)
		for _, k := range texts(subs, "subKind") {
			kinds[k]++
		}
		orders[strings.Join(texts(subs, "subKind"), " ")] = true
	}
	want := map[string]int{
		"Children, Young People and Families": 4, "Housing": 5, "Independent Practice": 8, "Major Health Conditions": 8,
		"Mental Health": 6, "Neurological Practice": 4, "Older People": 4, "People with Learning Disabilities": 5,
		"Trauma and Musculoskeletal Health": 4, "Work": 5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sub-pages of each section (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"COMMITTEE": 10, "MEMBER_RESOURCES": 10, "EVENTS": 10, "FORUM": 8, "OTHER": 15}, kinds); diff != "" {
		t.Errorf("sub-pages of each kind (-want +got)\n%s", diff)
	}
	if len(orders) < 5 {
		t.Errorf("only %d different orders of sub-pages; their order is data", len(orders))
	}
}

// TestSubPagesStandAsInTheMenu compares where pages live with where they are placed.
func TestSubPagesStandAsInTheMenu(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	for _, it := range list(data(t, h, `{ menu(handle: "main") { items { label children { label } target { ... on SpecialistSection { subPages { title } } ... on Region { subPages { title } } } } } }`, nil), "menu", "items") {
		if subs := list(it, "target", "subPages"); subs != nil {
			if diff := cmp.Diff(texts(list(it, "children"), "label"), texts(subs, "title")); diff != "" {
				t.Errorf("%v (-menu +pages)\n%s", at(it, "label"), diff)
			}
		}
	}
}

func TestRegions(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	nations := map[string]int{}
	subs := map[string]int{}
	var names []string
	for _, r := range list(data(t, h, `{ regions { name shortName nation subPages { title } } }`, nil), "regions") {
		nations[at(r, "nation").(string)]++
		names = append(names, at(r, "name").(string))
		if n := len(list(r, "subPages")); n > 0 {
			subs[at(r, "name").(string)] = n
		}
	}
	if diff := cmp.Diff(map[string]int{"ENGLAND": 8, "SCOTLAND": 3, "NORTHERN_IRELAND": 1, "WALES": 1}, nations); diff != "" {
		t.Errorf("regions of each nation (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"South East Region": 1, "Wales (Cymru) Region": 5}, subs); diff != "" {
		t.Errorf("sub-pages (-want +got)\n%s", diff)
	}
	if slices.IsSorted(names) {
		t.Error("the regions are in alphabetical order; the body's order is another")
	}
	group := data(t, h, `{ page(path: "/about-us/regional-and-local-groups") { children { title } } }`, nil)
	if n := len(list(group, "page", "children")); n != 14 {
		t.Errorf("%d pages under the regional groups, want 14: 13 regions and one that is none", n)
	}
}

func TestCaseStudies(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	type study struct{ Size, Level, Label string }
	got := map[string]study{}
	printed := map[string]bool{}
	levels := map[string]bool{}
	sizes := map[string]int{}
	for _, c := range list(data(t, h, `{ caseStudies { nodes { person headline level levelLabel document { sizeLabel byteSize } } } }`, nil), "caseStudies", "nodes") {
		s := study{at(c, "document", "sizeLabel").(string), at(c, "level").(string), at(c, "levelLabel").(string)}
		got[at(c, "person").(string)] = s
		printed[s.Label] = true
		levels[s.Level] = true
		sizes[s.Size]++
		if at(c, "document", "byteSize") != nil {
			t.Errorf("%v: a size in bytes is told, and the file is not held", at(c, "person"))
		}
	}
	want := map[string]study{
		"Anna":            {"480.67KB", "EXPERIENCED", "Experienced level"},
		"Kaiya Henderson": {"509.43KB", "NEWLY_QUALIFIED", "Newly qualified level"},
		"Kerwin Jeremy":   {"502.47KB", "EXPERIENCED", "Experienced Level"},
		"Jon Tilley":      {"531.08KB", "OPERATIONAL_MANAGER", "Operational manager level"},
		"Laura Owers":     {"493.18KB", "ADVANCED", "Advanced Level"},
		"Anita Raj":       {"552.19KB", "OPERATIONAL_STRATEGIC", "Operational strategic level"},
		"Sacha Khakoo":    {"509.98KB", "CONSULTANT_PRINCIPAL", "Consultant principal level"},
		"Pauline":         {"509.98KB", "ADVANCED", "Advanced level"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("case studies (-want +got)\n%s", diff)
	}
	if len(printed) != 8 || len(levels) != 6 {
		t.Errorf("%d printed levels fold to %d, want 8 to 6", len(printed), len(levels))
	}
	if sizes["509.98KB"] != 2 {
		t.Error("two files have the same printed size, and only one is here")
	}
	for person, word := range map[string]string{"kaiya-henderson": "experienced", "anita-raj": "experienced"} {
		c := data(t, h, `query($s: String!) { caseStudy(slug: $s) { headline level } }`, map[string]any{"s": person})
		if !strings.Contains(at(c, "caseStudy", "headline").(string), word) || at(c, "caseStudy", "level") == "EXPERIENCED" {
			t.Errorf("%s: headline and filed level agree: %v", person, c)
		}
	}
}

// TestEveryPlacedPathIsRouted opens every address of every menu.
func TestEveryPlacedPathIsRouted(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	asked := 0
	for _, m := range list(data(t, h, `{ menus { items { href kind } } }`, nil), "menus") {
		for _, it := range list(m, "items") {
			if at(it, "kind") != "PAGE" {
				continue
			}
			asked++
			got := data(t, h, `query($p: String!) { route(path: $p) { __typename } }`, map[string]any{"p": at(it, "href")})
			if at(got, "route", "__typename") != "PageRoute" {
				t.Errorf("%v: %v", at(it, "href"), at(got, "route", "__typename"))
			}
		}
	}
	if asked != 312+1+9 {
		t.Errorf("%d pages are placed, want 322", asked)
	}
}

// TestEverySlugPathLeadsSomewhere opens the path that the labels of each item
// spell: the page lives there, or is one redirect away.
func TestEverySlugPathLeadsSomewhere(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	redirects := 0
	for _, it := range mainMenu(t) {
		path := ""
		for _, a := range append(texts(list(it, "ancestors"), "label"), at(it, "label").(string)) {
			path += "/" + slug.Slug(a)
		}
		got := at(data(t, h, `query($p: String!) { route(path: $p) { __typename ... on PageRoute { path } ... on RedirectRoute { location } } }`, map[string]any{"p": path}), "route")
		switch at(got, "__typename") {
		case "PageRoute":
			if path != at(it, "href") {
				t.Errorf("%s is a page, and its item leads to %v", path, at(it, "href"))
			}
		case "RedirectRoute":
			redirects++
			if at(got, "location") != at(it, "href") {
				t.Errorf("%s redirects to %v, and its item leads to %v", path, at(got, "location"), at(it, "href"))
			}
		default:
			t.Errorf("%s: %v", path, at(got, "__typename"))
		}
	}
	if redirects != 5 {
		t.Errorf("%d redirects, want 5: one for each alias", redirects)
	}
}
