package pack

import (
	"strings"
)

// bodyOf returns blocks as the text of a page, which body.blocks reads back.
func bodyOf(blocks []*block) string {
	parts := make([]string, len(blocks))
	for i, b := range blocks {
		switch d := b.data.(type) {
		case *headingBlock:
			parts[i] = strings.Repeat("#", d.Level) + " " + headingText(d.Text)
		case *richTextBlock:
			parts[i] = d.Markdown
		default:
			parts[i] = fenced(b)
		}
	}
	return strings.Join(parts, "\n\n")
}

// fenced returns a typed block.
func fenced(b *block) string {
	fields := yamlOf(b.data)
	fence := "```"
	for strings.Contains(fields, fence) {
		fence += "`"
	}
	for word, kind := range fences {
		if kind == b.kind {
			return fence + word + "\n" + fields + fence
		}
	}
	panic("pack: no word begins a block of kind " + b.kind)
}

// headingText returns the Markdown of a heading: its words as they are, where
// they mean themselves, else with a backslash before each sign.
func headingText(words string) string {
	b := &body{decoder: &decoder{problems: &problems{}, at: positions{}}, src: []byte("## " + words + "\n")}
	found := b.blocks()
	if len(b.problems.found) == 0 && len(found) == 1 {
		if h, ok := found[0].data.(*headingBlock); ok && h.Text == words {
			return words
		}
	}
	var s strings.Builder
	for _, r := range words {
		if r < 0x80 && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
			s.WriteByte('\\')
		}
		s.WriteRune(r)
	}
	return s.String()
}
