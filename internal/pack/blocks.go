package pack

import (
	"encoding/json"
	"fmt"
	"strings"
)

// block is one part of the body of a page. The package comment says how each
// kind is stored.
type block struct {
	kind string
	// data is one of the structs below, by kind.
	data any
	// links are what a LINK_LIST or CASE_STUDY_LIST lists.
	links []*blockLink
	// plain is the words.
	plain string
}

// blockLink is what a block lists: an entry of this site or an address elsewhere.
type blockLink struct {
	Page  Path `yaml:"page"`
	URL   URL  `yaml:"url"`
	Label Line `yaml:"label"`

	entry Key // of Page
}

type headingBlock struct {
	Level  int    `json:"level"`
	Text   string `json:"text"`
	Anchor string `json:"anchor"`
}

type richTextBlock struct {
	Markdown string `json:"markdown"`
	HTML     string `json:"html"`
}

type calloutBlock struct {
	Tone     tone   `yaml:"tone,default=INFO" json:"tone"`
	Title    Line   `yaml:"title" json:"title,omitempty"`
	Markdown Text   `yaml:"text,required" json:"markdown"`
	HTML     string `json:"html"`
}

type linkListBlock struct {
	Title Line         `yaml:"title" json:"title,omitempty"`
	Links []*blockLink `yaml:"links,required" json:"-"`
}

type caseStudyListBlock struct {
	Title       Line   `yaml:"title" json:"title,omitempty"`
	CaseStudies []Slug `yaml:"caseStudies,required" json:"-"`
}

type webinarBlock struct {
	Title        Line   `yaml:"title,required" json:"title"`
	Markdown     Text   `yaml:"text" json:"markdown,omitempty"`
	HTML         string `json:"html"`
	Partners     []Line `yaml:"partners" json:"partners"`
	URL          URL    `yaml:"url" json:"url,omitempty"`
	ThumbnailURL URL    `yaml:"thumbnailUrl" json:"thumbnailUrl,omitempty"`
	CaptionsNote Line   `yaml:"captionsNote" json:"captionsNote,omitempty"`
}

type faqListBlock struct {
	Title Line       `yaml:"title" json:"title,omitempty"`
	Items []*faqItem `yaml:"items,required" json:"items"`
}

type faqItem struct {
	Question Line   `yaml:"question,required" json:"question"`
	Markdown Text   `yaml:"answer,required" json:"markdown"`
	HTML     string `json:"html"`
}

// fences are the words that make a fenced block a typed one, by kind.
var fences = map[string]string{
	"callout":      "CALLOUT",
	"links":        "LINK_LIST",
	"case-studies": "CASE_STUDY_LIST",
	"webinar":      "WEBINAR",
	"faq":          "FAQ_LIST",
}

// newData returns an empty struct for the data of a kind of block.
func newData(kind string) (any, error) {
	switch kind {
	case "HEADING":
		return &headingBlock{}, nil
	case "RICH_TEXT":
		return &richTextBlock{}, nil
	case "CALLOUT":
		return &calloutBlock{}, nil
	case "LINK_LIST":
		return &linkListBlock{}, nil
	case "CASE_STUDY_LIST":
		return &caseStudyListBlock{}, nil
	case "WEBINAR":
		return &webinarBlock{}, nil
	case "FAQ_LIST":
		return &faqListBlock{}, nil
	}
	return nil, fmt.Errorf("a block of the unknown kind %q", kind)
}

// stored returns the block's data as the database keeps it.
func (b *block) stored() (json.RawMessage, error) {
	if w, ok := b.data.(*webinarBlock); ok && w.Partners == nil {
		with := *w
		with.Partners = []Line{}
		return json.Marshal(with)
	}
	return json.Marshal(b.data)
}

// complete makes html and plain from what was read.
func (b *block) complete() {
	switch d := b.data.(type) {
	case *headingBlock:
		b.plain = d.Text
	case *richTextBlock:
		d.HTML, b.plain = render(d.Markdown)
	case *calloutBlock:
		d.HTML, b.plain = render(string(d.Markdown))
	case *linkListBlock:
		words := []string{string(d.Title)}
		for _, l := range b.links {
			words = append(words, string(l.Label))
		}
		b.plain = lines(words)
	case *caseStudyListBlock:
		b.plain = string(d.Title)
	case *webinarBlock:
		d.HTML, b.plain = render(string(d.Markdown))
	case *faqListBlock:
		words := []string{string(d.Title)}
		for _, item := range d.Items {
			var answer string
			item.HTML, answer = render(string(item.Markdown))
			words = append(words, string(item.Question), answer)
		}
		b.plain = lines(words)
	}
}

// lines joins the texts that are not empty.
func lines(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		if t != "" {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(t)
		}
	}
	return b.String()
}
