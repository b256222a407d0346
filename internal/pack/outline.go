package pack

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/errs"
)

// The bounds of an outline.
const (
	maxOutlineBytes = 4 << 20
	maxOutlineItems = 100_000
	maxOutlineDepth = 32
	maxLabelBytes   = 1_000
)

// Outline is a menu as a person writes it down: labels, indented below each
// other.
type Outline struct {
	// Roots are the items at the top, each with those below it.
	Roots []*OutlineItem
	// Items is how many items there are at all depths; Depth how many levels.
	Items, Depth int
	// FirstLine and LastLine say from where to where the menu was read, from 1.
	FirstLine, LastLine int
	// Passed are the other lists of the text, which were not taken.
	Passed []OutlinePassage
	// OtherLines is how many lines were neither blank nor in a list.
	OtherLines int
}

// OutlineItem is one label with the items below it.
type OutlineItem struct {
	// Label is as written, without the space around it (of any kind, no-break
	// space included). Space inside it stays as it is.
	Label string
	// Line is where it was read, from 1.
	Line     int
	Children []*OutlineItem
}

// OutlinePassage is a list that was passed over.
type OutlinePassage struct {
	FirstLine, LastLine int
	Items               int
}

// String says what was taken and what was passed over, in a few lines for
// people.
func (o *Outline) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "took %s in %s, lines %d to %d", countOf(o.Items, "item"), countOf(o.Depth, "level"), o.FirstLine, o.LastLine)
	for _, p := range o.Passed {
		fmt.Fprintf(&b, "\npassed over a list of %s, lines %d to %d", countOf(p.Items, "item"), p.FirstLine, p.LastLine)
	}
	if o.OtherLines > 0 {
		fmt.Fprintf(&b, "\npassed over %s of other text", countOf(o.OtherLines, "line"))
	}
	return b.String()
}

// countOf returns "1 item" or "312 items".
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ReadOutline reads a menu from an indented outline, or from any text that has
// one in it, as the captured page of a site.
//
// An item is a bullet (one of • ◦ ▪ ‣ - * +), white space and a label. A line
// without a bullet that is indented at least as far as the label above goes on
// with it. A text of nothing but bullets and blank lines, after headings ("# …")
// if any, is one outline. Otherwise each run of bullets without a blank line is
// a list, and the menu is the longest list with more than one level; if none
// has, the longest list. A text without any bullet is an outline of its lines
// if some of them are indented.
//
// Each top item may have its own width of indentation, which then holds for all
// items below it. Tabs count a level each; a list is indented with tabs or with
// spaces.
//
// An error is bad input (errs.Invalid) whose field names the line. A text has
// at most 4 MiB, 100,000 items and 32 levels.
func ReadOutline(r io.Reader) (*Outline, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxOutlineBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the outline: %w", err)
	}
	if len(raw) > maxOutlineBytes {
		return nil, errs.Invalidf("outline", "is larger than %d MiB; pass the menu alone", maxOutlineBytes>>20)
	}
	if !utf8.Valid(raw) {
		return nil, errs.Invalidf(lineOfInvalid(raw), "is not UTF-8; save the text as UTF-8")
	}
	lists, other, err := findLists(strings.TrimPrefix(string(raw), "\ufeff"))
	if err != nil {
		return nil, err
	}
	if len(lists) == 0 {
		return nil, errs.Invalidf("outline", `holds no list; write one item a line, as "- About us", and indent the items below it`)
	}
	best := longestList(lists)
	o := &Outline{Items: len(lists[best]), OtherLines: other}
	for i, l := range lists {
		first, last := l[0].number, l[len(l)-1].last
		if i == best {
			o.FirstLine, o.LastLine = first, last
			continue
		}
		o.Passed = append(o.Passed, OutlinePassage{FirstLine: first, LastLine: last, Items: len(l)})
	}
	o.Roots, o.Depth, err = makeTree(lists[best])
	if err != nil {
		return nil, err
	}
	return o, nil
}

// outlineLine is one item as it stands in the text.
type outlineLine struct {
	number, last int
	// indent is the white space in front, label what follows the bullet.
	indent, label string
	// column is where the label begins, in characters.
	column int
}

func lineOfInvalid(raw []byte) string {
	line := 1
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		raw = raw[n:]
	}
	return lineName(line)
}

func lineName(n int) string { return fmt.Sprintf("line %d", n) }

// findLists returns the lists of a text, none of them empty, and how many lines
// are in none.
func findLists(text string) (lists [][]outlineLine, other int, err error) {
	var (
		bare    []outlineLine // the lines without a bullet, should there be no bullet at all
		runs    [][]outlineLine
		open    bool // whether the last line belongs to the last run
		prose   bool // whether there is text beyond bullets and headings before them
		bullets int
		// headings is how many of the other lines are headings before anything else.
		headings int
	)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRightFunc(line, isBlank)
		if line == "" {
			open = false
			continue
		}
		indent, marked, label, column := cutBullet(line)
		switch {
		case marked:
			if bullets++; bullets > maxOutlineItems {
				return nil, 0, errs.Invalidf(lineName(number), "is item %d; an outline has at most %d", bullets, maxOutlineItems)
			}
			if !open {
				runs = append(runs, nil)
			}
			open = true
			l := &runs[len(runs)-1]
			*l = append(*l, outlineLine{number: number, last: number, indent: indent, label: label, column: column})
		case open && utf8.RuneCountInString(indent) >= lastOf(runs).column:
			l := lastOf(runs)
			if len(l.label) <= maxLabelBytes { // else it is an error already
				l.label = strings.TrimPrefix(l.label+" "+label, " ")
			}
			l.last = number
		case bullets == 0 && !prose && strings.HasPrefix(label, "# "):
			open = false
			other++
			headings++
		default:
			open = false
			other++
			prose = true
			if len(bare) <= maxOutlineItems {
				bare = append(bare, outlineLine{number: number, last: number, indent: indent, label: label})
			}
		}
	}
	switch {
	case bullets == 0 && isNested(bare):
		if len(bare) > maxOutlineItems {
			return nil, 0, errs.Invalidf(lineName(bare[maxOutlineItems].number), "is item %d; an outline has at most %d", maxOutlineItems+1, maxOutlineItems)
		}
		return [][]outlineLine{bare}, headings, nil
	case prose || bullets == 0:
		return runs, other, nil
	}
	var all []outlineLine
	for _, run := range runs {
		all = append(all, run...)
	}
	return [][]outlineLine{all}, other, nil
}

func lastOf(runs [][]outlineLine) *outlineLine {
	run := runs[len(runs)-1]
	return &run[len(run)-1]
}

// isBlank says whether a character is white space or one that nobody sees at the
// edge of a label.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff'
}

// cutBullet takes a line apart. column is where the label begins.
func cutBullet(line string) (indent string, marked bool, label string, column int) {
	rest := strings.TrimLeftFunc(line, isBlank)
	indent = line[:len(line)-len(rest)]
	bullet, n := utf8.DecodeRuneInString(rest)
	if !strings.ContainsRune("•◦▪‣-*+", bullet) {
		return indent, false, rest, 0
	}
	label = strings.TrimLeftFunc(rest[n:], isBlank)
	if label != "" && len(label) == len(rest)-n {
		return indent, false, rest, 0 // "-5 degrees", "**bold**", "---"
	}
	return indent, true, label, utf8.RuneCountInString(line[:len(line)-len(label)])
}

// isNested says whether some line is indented further than the first.
func isNested(lines []outlineLine) bool {
	for _, l := range lines {
		if utf8.RuneCountInString(l.indent) > utf8.RuneCountInString(lines[0].indent) {
			return true
		}
	}
	return false
}

// longestList returns the index of the list with the most items among those with
// more than one level, else among all.
func longestList(lists [][]outlineLine) int {
	best, bestNested := 0, false
	for i, l := range lists {
		n := isNested(l)
		if n && !bestNested || n == bestNested && len(l) > len(lists[best]) {
			best, bestNested = i, n
		}
	}
	return best
}

// makeTree makes the tree of a list, which is not empty, and says how deep it is.
func makeTree(lines []outlineLine) (roots []*OutlineItem, depth int, err error) {
	tabs, err := indentedWithTabs(lines)
	if err != nil {
		return nil, 0, err
	}
	base := utf8.RuneCountInString(lines[0].indent)
	var (
		path []*OutlineItem // the items above and including the last one
		unit int            // the width of a level below the last top item
	)
	for i := range lines {
		l := &lines[i]
		if err := checkLabel(l); err != nil {
			return nil, 0, err
		}
		width := utf8.RuneCountInString(l.indent) - base
		level := 0
		switch {
		case width < 0:
			return nil, 0, errs.Invalidf(lineName(l.number), "is indented less than the first item, in line %d; indent the top items alike", lines[0].number)
		case width == 0:
			unit = 0
			if tabs {
				unit = 1
			}
		default:
			if unit == 0 {
				unit = width
			}
			level = width / unit
			if width%unit != 0 {
				return nil, 0, errs.Invalidf(lineName(l.number), "is indented by %d, which is no level: under the top item in line %d a level is %d wide",
					width, path[0].Line, unit)
			}
		}
		if level > len(path) {
			return nil, 0, errs.Invalidf(lineName(l.number), "is %d levels below line %d; indent it by one level more than the item it belongs to",
				level-len(path)+1, lines[i-1].number)
		}
		if level >= maxOutlineDepth {
			return nil, 0, errs.Invalidf(lineName(l.number), "is on level %d; an outline has at most %d levels", level+1, maxOutlineDepth)
		}
		item := &OutlineItem{Label: l.label, Line: l.number}
		path = append(path[:level], item)
		if level == 0 {
			roots = append(roots, item)
		} else {
			parent := path[level-1]
			parent.Children = append(parent.Children, item)
		}
		depth = max(depth, level+1)
	}
	return roots, depth, nil
}

// indentedWithTabs says whether a list is indented with tabs; an error if it is
// indented with tabs and with other space.
func indentedWithTabs(lines []outlineLine) (bool, error) {
	tab, space := 0, 0
	for _, l := range lines {
		if strings.ContainsRune(l.indent, '\t') {
			if tab == 0 {
				tab = l.number
			}
		}
		if strings.Trim(l.indent, "\t") != "" {
			if space == 0 {
				space = l.number
			}
		}
	}
	if tab > 0 && space > 0 {
		return false, errs.Invalidf(lineName(max(tab, space)), "mixes the indentation of the list: line %d has a tab, line %d has spaces; use the same in all",
			tab, space)
	}
	return tab > 0, nil
}

func checkLabel(l *outlineLine) error {
	switch {
	case l.label == "":
		return errs.Invalidf(lineName(l.number), "has a bullet and no label; write the label behind the bullet")
	case len(l.label) > maxLabelBytes:
		return errs.Invalidf(lineName(l.number), "has a label of %d bytes; a label has at most %d", len(l.label), maxLabelBytes)
	case strings.ContainsFunc(l.label, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
		return errs.Invalidf(lineName(l.number), "has a control character in %.60q; remove it", l.label)
	}
	return nil
}
