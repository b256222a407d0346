package content

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Block is one part of the body of a page: a *HeadingBlock, *RichTextBlock,
// *CalloutBlock, *LinkListBlock, *CaseStudyListBlock, *WebinarBlock or
// *FaqListBlock.
type Block interface{ isBlock() }

// HeadingBlock is a heading inside a page. Level is 2 to 4.
type HeadingBlock struct {
	Level  int
	Text   string
	Anchor string
}

// RichTextBlock is running text. HTML is sanitised.
type RichTextBlock struct {
	HTML      string
	PlainText string
}

// CalloutBlock is text that stands out. HTML is sanitised.
type CalloutBlock struct {
	Tone      string
	Title     *string
	HTML      string
	PlainText string
}

// LinkListBlock is a list of links.
type LinkListBlock struct {
	Title *string
	Links []*Link
}

// Link is one link of a list.
type Link struct {
	Label string
	Href  string
}

// CaseStudyListBlock is a list of case studies, by the IDs of their entries.
type CaseStudyListBlock struct {
	Title        *string
	CaseStudyIDs []uuid.UUID
}

// WebinarBlock is a recorded webinar. HTML is sanitised.
type WebinarBlock struct {
	Title        string
	HTML         string
	PlainText    string
	Partners     []string
	URL          *string
	ThumbnailURL *string
	CaptionsNote *string
}

// FaqListBlock is questions with their answers.
type FaqListBlock struct {
	Title *string
	Items []*FaqItem
}

// FaqItem is one question with its answer. HTML is sanitised.
type FaqItem struct {
	Question string
	HTML     string
}

func (*HeadingBlock) isBlock()       {}
func (*RichTextBlock) isBlock()      {}
func (*CalloutBlock) isBlock()       {}
func (*LinkListBlock) isBlock()      {}
func (*CaseStudyListBlock) isBlock() {}
func (*WebinarBlock) isBlock()       {}
func (*FaqListBlock) isBlock()       {}

type blockRow struct {
	EntryID uuid.UUID
	Kind    string
	Data    []byte
	Plain   string
	Links   []byte
}

type blockLink struct {
	EntryID *uuid.UUID `json:"entry_id"`
	Kind    *string    `json:"kind"`
	Label   string     `json:"label"`
	Href    *string    `json:"href"`
}

// BlocksOf returns the body of each of the pages. A page whose body the viewer
// may not read has none; neither has one of which only the place is known.
func (s *Store) BlocksOf(ctx context.Context, v viewer.Viewer, pages []uuid.UUID) (_ map[uuid.UUID][]Block, err error) {
	defer errs.Wrap(&err, "content.BlocksOf(%d)", len(pages))
	rows, err := pg.All[blockRow](ctx, s.DB, `
		SELECT
			b.entry_id,
			b.kind,
			b.data,
			b.plain,
			l.links
		FROM blocks b
		JOIN entries o ON o.id = b.entry_id
		LEFT JOIN LATERAL (
			-- The links of a block, without those that lead to what the viewer may not know of.
			SELECT jsonb_agg(jsonb_build_object(
				'entry_id', be.entry_id,
				'kind', e.kind,
				'label', COALESCE(be.label, e.title),
				'href', COALESCE(be.url, r.path)
			) ORDER BY be.position) AS links
			FROM block_entries be
			LEFT JOIN entries e ON e.id = be.entry_id
			LEFT JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
			WHERE be.block_id = b.id AND (be.url IS NOT NULL OR `+viewer.Visible+`)
		) l ON b.kind IN ('LINK_LIST', 'CASE_STUDY_LIST')
		WHERE b.entry_id = ANY(@pages) AND o.status = 'PUBLISHED' AND o.access = ANY(@reach)
		ORDER BY b.entry_id, b.position`,
		pgx.StrictNamedArgs{"pages": pages, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byPage := make(map[uuid.UUID][]Block, len(pages))
	for _, row := range rows {
		b, err := row.block()
		if err != nil {
			return nil, err
		}
		byPage[row.EntryID] = append(byPage[row.EntryID], b)
	}
	return byPage, nil
}

func (row *blockRow) block() (Block, error) {
	var links []blockLink
	if row.Links != nil {
		if err := json.Unmarshal(row.Links, &links); err != nil {
			return nil, fmt.Errorf("links of a block: %w", err)
		}
	}
	var b Block
	switch row.Kind {
	case "HEADING":
		b = &HeadingBlock{}
	case "RICH_TEXT":
		b = &RichTextBlock{PlainText: row.Plain}
	case "CALLOUT":
		b = &CalloutBlock{PlainText: row.Plain}
	case "LINK_LIST":
		list := &LinkListBlock{Links: []*Link{}}
		for _, l := range links {
			if l.Href != nil { // a document without a page has no address
				list.Links = append(list.Links, &Link{Label: l.Label, Href: *l.Href})
			}
		}
		b = list
	case "CASE_STUDY_LIST":
		list := &CaseStudyListBlock{}
		for _, l := range links {
			if l.EntryID != nil && l.Kind != nil && *l.Kind == "CASE_STUDY" {
				list.CaseStudyIDs = append(list.CaseStudyIDs, *l.EntryID)
			}
		}
		b = list
	case "WEBINAR":
		b = &WebinarBlock{PlainText: row.Plain}
	case "FAQ_LIST":
		b = &FaqListBlock{}
	default:
		return nil, fmt.Errorf("block of unknown kind %q", row.Kind)
	}
	// The stored object also holds the Markdown source, which no field takes.
	if err := json.Unmarshal(row.Data, b); err != nil {
		return nil, fmt.Errorf("data of a %s block: %w", row.Kind, err)
	}
	return b, nil
}
