// Package pack knows content packs: folders that hold everything a body
// publishes. It reads and checks them, brings them into the database and writes
// the database as one. docs/content-pack.md describes the format.
//
// The column data of the table blocks holds a JSON object per kind. Names of
// fields are those of the graph; "markdown" is the source from which "html"
// was made and sanitised. A field in brackets is left out where it is empty.
//
//	HEADING          {level, text, anchor}
//	RICH_TEXT        {markdown, html}
//	CALLOUT          {tone, [title], markdown, html}
//	LINK_LIST        {[title]}                        and block_entries
//	CASE_STUDY_LIST  {[title]}                        and block_entries
//	WEBINAR          {title, [markdown], html, partners, [url], [thumbnailUrl], [captionsNote]}
//	FAQ_LIST         {[title], items: [{question, markdown, html}]}
//
// The column plain holds the words of html for RICH_TEXT, CALLOUT and WEBINAR;
// for the other kinds all words of the block.
//
// The ID of a keyed thing is node.Keyed of "entry" (pages, sections, regions,
// case studies and documents), "menu" (by handle), "menu-item", "member",
// "committee", "post", "term" or "block" (the key of the entry, "#", and the
// position) and the key.
package pack
