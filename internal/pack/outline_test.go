package pack

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/errs"
)

// sketch writes a tree back as labels, each level indented by two spaces.
func sketch(items []*OutlineItem) string {
	var b strings.Builder
	var walk func(items []*OutlineItem, indent string)
	walk = func(items []*OutlineItem, indent string) {
		for _, i := range items {
			b.WriteString(indent + i.Label + "\n")
			walk(i.Children, indent+"  ")
		}
	}
	walk(items, "")
	return b.String()
}

func readOutlineFile(t *testing.T, name string) *Outline {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o, err := ReadOutline(f)
	if err != nil {
		t.Fatalf("ReadOutline(%s): %v", name, err)
	}
	return o
}

func TestReadOutlineFindsTheMenuInACapturedPage(t *testing.T) {
	t.Parallel()
	o := readOutlineFile(t, "testdata/outline/capture.txt")

	const want = `took 312 items in 4 levels, lines 7 to 318
passed over a list of 3 items, lines 3 to 5
passed over a list of 1 item, lines 329 to 329
passed over a list of 2 items, lines 331 to 332
passed over a list of 1 item, lines 334 to 334
passed over a list of 9 items, lines 338 to 346
passed over 10 lines of other text`
	if diff := cmp.Diff(want, o.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}

	perLevel := map[int]int{}
	labels := map[string]int{}
	parents, repeated, items := 0, 0, 0
	var walk func(level int, children []*OutlineItem) (descendants int)
	walk = func(level int, children []*OutlineItem) (descendants int) {
		for _, c := range children {
			items++
			perLevel[level]++
			labels[c.Label]++
			if len(c.Children) > 0 {
				parents++
			}
			descendants += 1 + walk(level+1, c.Children)
		}
		return descendants
	}
	type top struct {
		label                 string
		children, descendants int
	}
	var tops []top
	for _, r := range o.Roots {
		tops = append(tops, top{r.Label, len(r.Children), walk(2, r.Children)})
	}
	items += len(o.Roots)
	for _, r := range o.Roots {
		labels[r.Label]++
		if len(r.Children) > 0 {
			parents++
		}
	}
	for _, n := range labels {
		if n > 1 {
			repeated += n
		}
	}
	if diff := cmp.Diff([]top{
		{"About occupational therapy", 17, 26},
		{"About us", 22, 131},
		{"News and events", 13, 43},
		{"Promoting occupational therapy", 18, 25},
		{"Practice resources", 24, 79},
		{"Occupational therapy jobs", 0, 0},
		{"Contact us", 0, 0},
		{"Membership info", 0, 0},
	}, tops, cmp.AllowUnexported(top{})); diff != "" {
		t.Errorf("top entries: label, children, descendants (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]int{2: 94, 3: 141, 4: 69}, perLevel); diff != "" {
		t.Errorf("items per level (-want +got):\n%s", diff)
	}
	if items != 312 || parents != 47 || repeated != 54 {
		t.Errorf("got %d items, %d parents, %d items with a repeated label; want 312, 47, 54", items, parents, repeated)
	}

	for _, label := range []string{
		"Information for HEIs and accreditation", // ends in a no-break space
		"Self–Management",
		"The Placement Café",
		"Inspire future occupational therapists: #ChooseOT",
		"RCOT/BAOT Council",
		"Research and innovation are everybody’s business’ – your opportunity to create a culture of continuous improvement",
		"RCOTSS Work National Executive Committee response: can and should OTs in occupational health settings deliver vaccinations?",
	} {
		if labels[label] != 1 {
			t.Errorf("label %q: got it %d times, want once", label, labels[label])
		}
	}

	// A-Z stands below the sibling just before the other A-Z.
	publications := find(t, o.Roots, "Practice resources", "RCOT publications")
	if diff := cmp.Diff(`Latest publications
  A-Z
A-Z
  Our publications
  Practice guidelines
  Guidance and frameworks
  Standards and strategy
Copyright and permissions
`, sketch(publications.Children)); diff != "" {
		t.Errorf("RCOT publications (-want +got):\n%s", diff)
	}
}

func find(t *testing.T, items []*OutlineItem, labels ...string) *OutlineItem {
	t.Helper()
	for _, i := range items {
		if i.Label == labels[0] {
			if len(labels) == 1 {
				return i
			}
			return find(t, i.Children, labels[1:]...)
		}
	}
	t.Fatalf("no item %q", labels[0])
	return nil
}

func TestReadOutline(t *testing.T) {
	t.Parallel()
	const tree = "A\n  B\n    C\n  D\nE\n"
	for _, c := range []struct{ name, text, want, report string }{
		{"two spaces", "- A\n  - B\n    - C\n  - D\n- E\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"four spaces", "* A\n    * B\n        * C\n    * D\n* E", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"each top item its own width", "- A\n  - B\n    - C\n  - D\n- E\n    - F\n        - G\n", "A\n  B\n    C\n  D\nE\n  F\n    G\n", "took 7 items in 3 levels, lines 1 to 7"},
		{"tabs", "•\tA\n\t•\tB\n\t\t•\tC\n\t•\tD\n•\tE\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"a bullet for each level", "• A\n  ◦ B\n    ▪ C\n  + D\n‣ E\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"all indented", "    - A\n      - B\n        - C\n      - D\n    - E\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"no bullets, tabs", "A\n\tB\n\t\tC\n\tD\nE\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"no bullets, spaces, a heading", "# Menu\nA\n  B\n    C\n  D\nE\n", tree, "took 5 items in 3 levels, lines 2 to 6\npassed over 1 line of other text"},
		{"Windows", "\ufeff- A\r\n  - B\r\n    - C\r\n  - D\r\n- E\r\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"no-break spaces", "- A\u00a0\n\u00a0\u00a0-\u00a0B\n\u00a0\u00a0\u00a0\u00a0- C \u00a0\n  - D\n- E\u200b\n", tree, "took 5 items in 3 levels, lines 1 to 5"},
		{"blank lines and a heading in a file that is all outline", "# Main menu\n\n- A\n  - B\n\n    - C\n\n  - D\n\n\n- E\n", tree, "took 5 items in 3 levels, lines 3 to 11\npassed over 1 line of other text"},
		{"a label on two lines", "- A\n  - B\n    - C\n  - D that\n    goes on\n- E\n", "A\n  B\n    C\n  D that goes on\nE\n", "took 5 items in 3 levels, lines 1 to 6"},
		{"space inside a label stays", "- A  B\n  - C\u00a0D\n", "A  B\n  C\u00a0D\n", "took 2 items in 2 levels, lines 1 to 2"},
		{"what only looks like a bullet", "- -5 degrees\n  - **bold**\n", "-5 degrees\n  **bold**\n", "took 2 items in 2 levels, lines 1 to 2"},
		{"a flat list", "- A\n- B\n", "A\nB\n", "took 2 items in 1 level, lines 1 to 2"},
		{
			"nesting counts before length", "Some text.\n- A\n- B\n- C\n- D\n\n- E\n  - F\n- G\n\n- H\n", "E\n  F\nG\n",
			"took 3 items in 2 levels, lines 7 to 9\npassed over a list of 4 items, lines 2 to 5\npassed over a list of 1 item, lines 11 to 11\npassed over 1 line of other text",
		},
		{
			"the longest of nested lists", "- A\n  - B\n\nText.\n\n- C\n  - D\n- E\n", "C\n  D\nE\n",
			"took 3 items in 2 levels, lines 6 to 8\npassed over a list of 2 items, lines 1 to 2\npassed over 1 line of other text",
		},
		{
			"mistakes in other lists do not matter", "Text\n- A\n    - B\n  - C\n\n- D\n  - E\n  - F\n  - G\n", "D\n  E\n  F\n  G\n",
			"took 4 items in 2 levels, lines 6 to 9\npassed over a list of 3 items, lines 2 to 4\npassed over 1 line of other text",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, err := ReadOutline(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, sketch(o.Roots)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.report, o.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadOutlineRefuses(t *testing.T) {
	t.Parallel()
	deep := ""
	for i := range maxOutlineDepth + 1 {
		deep += strings.Repeat("  ", i) + "- x\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", `outline: holds no list; write one item a line, as "- About us", and indent the items below it`},
		{"prose", "Some text.\nMore.\n", `outline: holds no list; write one item a line, as "- About us", and indent the items below it`},
		{"a jump", "- A\n  - B\n      - C\n", "line 3: is 2 levels below line 2; indent it by one level more than the item it belongs to"},
		{"a jump with tabs", "- A\n\t\t- B\n", "line 2: is 2 levels below line 1; indent it by one level more than the item it belongs to"},
		{"no level", "- A\n    - B\n  - C\n", "line 3: is indented by 2, which is no level: under the top item in line 1 a level is 4 wide"},
		{"left of the first", "  - A\n    - B\n- C\n", "line 3: is indented less than the first item, in line 1; indent the top items alike"},
		{"tabs and spaces", "- A\n  - B\n\t- C\n", "line 3: mixes the indentation of the list: line 3 has a tab, line 2 has spaces; use the same in all"},
		{"tabs and spaces in a line", "- A\n\t - B\n", "line 2: mixes the indentation of the list: line 2 has a tab, line 2 has spaces; use the same in all"},
		{"no label", "- A\n  -\n", "line 2: has a bullet and no label; write the label behind the bullet"},
		{"a long label", "- A\n  - " + strings.Repeat("x", 1001) + "\n", "line 2: has a label of 1001 bytes; a label has at most 1000"},
		{"a control character", "- A\n  - B\x00C\n", `line 2: has a control character in "B\x00C"; remove it`},
		{"not UTF-8", "- A\n  - Caf\xe9\n", "line 2: is not UTF-8; save the text as UTF-8"},
		{"too deep", deep, "line 33: is on level 33; an outline has at most 32 levels"},
		{"too large", strings.Repeat("x", maxOutlineBytes+1), "outline: is larger than 4 MiB; pass the menu alone"},
		{"too many items", strings.Repeat("- x\n", maxOutlineItems+1), "line 100001: is item 100001; an outline has at most 100000"},
		{"too many lines", "a\n b\n" + strings.Repeat("x\n", maxOutlineItems), "line 100001: is item 100001; an outline has at most 100000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadOutline(strings.NewReader(c.text))
			if _, ok := errors.AsType[*errs.Invalid](err); !ok || err.Error() != c.want {
				t.Errorf("got %v\nwant bad input: %s", err, c.want)
			}
		})
	}
}

// FuzzReadOutline looks for a text that breaks the reader, or that it reads
// without keeping its own counts.
func FuzzReadOutline(f *testing.F) {
	f.Add("- A\n  - B\n    - C\n")
	f.Add("A\n\tB\n")
	f.Add("Text.\n\n• A\n  • B\n\n* C\n\u00a0 goes on")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ReadOutline(strings.NewReader(text))
		if err != nil {
			if _, ok := errors.AsType[*errs.Invalid](err); !ok {
				t.Fatalf("the error is not bad input: %v", err)
			}
			return
		}
		n := 0
		var walk func([]*OutlineItem)
		walk = func(items []*OutlineItem) {
			for _, i := range items {
				n++
				if i.Label == "" || strings.TrimSpace(i.Label) != i.Label || i.Line < o.FirstLine || i.Line > o.LastLine {
					t.Fatalf("item %q in line %d of lines %d to %d", i.Label, i.Line, o.FirstLine, o.LastLine)
				}
				walk(i.Children)
			}
		}
		walk(o.Roots)
		if n != o.Items || n == 0 {
			t.Fatalf("%d items are said to be %d", n, o.Items)
		}
	})
}
