package search

import (
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Search finds what matches the query, the best first. The query has 1 to 200 characters: words that must all occur,
// "phrases" in quotes, or between alternatives, - before what must not occur. Accents, capitals and endings do not
// matter. No kinds: all kinds. A query of nothing but exclusions finds nothing; one of nothing but words like "the",
// which stand everywhere, finds what has exactly that title.
//
// If the query finds nothing, the words that occur nowhere are put right and the hits are those of the corrected query.
//
// It costs one statement, and a second one if the query was put right.
func (s *Store) Search(ctx context.Context, v viewer.Viewer, text string, kinds []Kind, first *int, after *string) (_ *Connection, err error) {
	defer errs.Wrap(&err, "search.Search(%.80q)", text)
	q, err := parse(text)
	if err != nil {
		return nil, err
	}
	k, err := page.Args{First: first, After: after}.Keyset(2)
	if err != nil {
		return nil, err
	}
	at, err := parsePosition(k)
	if err != nil {
		return nil, err
	}
	found, err := s.find(ctx, v, q, kinds, k, at)
	if err != nil {
		return nil, err
	}
	if len(found.near) == 0 {
		return found.connection, nil
	}

	right := corrections(found.near)
	if len(right) == 0 {
		return found.connection, nil
	}
	meant := q.replaced(right)
	if len(found.connection.Facets) > 0 {
		found.connection.DidYouMean = &meant
		return found.connection, nil
	}
	corrected, err := parse(meant)
	if err != nil { // a longer word took it past the limit
		return found.connection, nil
	}
	again, err := s.find(ctx, v, corrected, kinds, k, at)
	if err != nil {
		return nil, err
	}
	if len(again.connection.Facets) > 0 {
		again.connection.DidYouMean = &meant
	}
	return again.connection, nil
}

// position is where a page begins: behind the hit with this score and ID.
type position struct {
	score *float64
	id    *uuid.UUID
}

// parsePosition reads the sort key of a cursor.
func parsePosition(k page.Keyset) (position, error) {
	if k.After == nil {
		return position{}, nil
	}
	score, err := strconv.ParseFloat(k.After[0], 64)
	id, idErr := uuid.Parse(k.After[1])
	if err != nil || idErr != nil || math.IsNaN(score) || math.IsInf(score, 0) {
		return position{}, errs.Invalidf("after", "it is not a cursor of this list; pass a cursor that the same search returned")
	}
	return position{score: &score, id: &id}, nil
}

// sortKey is what a cursor holds; 'g' with precision -1 reads back as the same float.
func sortKey(h *Hit) []string {
	return []string{strconv.FormatFloat(h.Score, 'g', -1, 64), h.EntryID.String()}
}

// found is what one statement found.
type found struct {
	connection *Connection
	near       []near
}

// searchSQL returns the page of hits, each row with the counts beside it; if there is no hit, one row with the counts.
const searchSQL = `
WITH alternatives AS MATERIALIZED (
	SELECT websearch_to_tsquery('collegium_english', normalize(a.asked, NFC)) AS asked,
		websearch_to_tsquery('collegium_english', normalize(a.wanted, NFC)) AS wanted
	FROM unnest(@asked::text[], @wanted::text[]) AS a (asked, wanted)
), query AS MATERIALIZED (
	-- An alternative without a searchable word is left out. If none is left, both are NULL and match nothing.
	SELECT string_agg('(' || a.asked::text || ')', ' | ')::tsquery AS asked,
		string_agg('(' || a.wanted::text || ')', ' | ')::tsquery AS wanted,
		NULLIF(left(search_fold(@title), 500), '') AS title
	FROM alternatives a
	WHERE numnode(a.wanted) > 0
), matches AS MATERIALIZED (
	-- place is the order in which candidates are taken: 0 to 99 for exactly this title, 100 to 199 for the words in the
	-- title, 200 to 299 for the rest, and by the depth of the path within each.
	-- What the viewer may read no more of than everyone:
	SELECT s.entry_id,
		s.kind,
		false AS restricted,
		CASE
			WHEN s.title_folded = (SELECT q.title FROM query q) THEN 0
			WHEN s.title_document @@ (SELECT q.asked FROM query q) THEN 100
			ELSE 200
		END + s.depth AS place
	FROM entry_search s
	WHERE s.public_document @@ (SELECT q.asked FROM query q)
		AND (s.access = 'PUBLIC' OR s.access <> ALL (@reach))
	UNION ALL
	-- What the viewer may read and not everyone:
	SELECT s.entry_id,
		s.kind,
		true,
		CASE
			WHEN s.title_folded = (SELECT q.title FROM query q) THEN 0
			WHEN s.title_document @@ (SELECT q.asked FROM query q) THEN 100
			ELSE 200
		END + s.depth
	FROM entry_search s
	WHERE cardinality(@reach::text[]) > 1
		AND s.restricted_document @@ (SELECT q.asked FROM query q)
		AND s.access = ANY (@reach)
	UNION ALL
	-- A title like "Who we are" has no searchable word: it is found by itself alone.
	SELECT s.entry_id,
		s.kind,
		false,
		s.depth::integer
	FROM entry_search s
	WHERE s.title_folded = (SELECT q.title FROM query q WHERE q.asked IS NULL)
		AND (s.access <> 'STAFF' OR s.access = ANY (@reach))
), candidates AS MATERIALIZED (
	SELECT m.entry_id,
		m.restricted,
		m.place
	FROM matches m
	WHERE m.kind = ANY (@kinds)
	ORDER BY m.place,
		m.entry_id
	LIMIT @max_ranked
), ranked AS MATERIALIZED (
	SELECT c.entry_id,
		(ARRAY[4, 2, 0])[c.place / 100 + 1]::float8
		-- 1 divides by the logarithm of the length, 32 brings it below 1.
		+ coalesce(ts_rank(
			CASE WHEN c.restricted THEN s.restricted_document ELSE s.public_document END,
			(SELECT q.asked FROM query q),
			1 | 32), 0)::float8
		+ 0.1::float8 / (1 + c.place % 100) AS score
	FROM candidates c
	JOIN entry_search s ON s.entry_id = c.entry_id
), hits AS MATERIALIZED (
	SELECT r.entry_id,
		r.score
	FROM ranked r
	WHERE @score::float8 IS NULL
		OR r.score < @score
		OR (r.score = @score AND r.entry_id > @id::uuid)
	ORDER BY r.score DESC,
		r.entry_id
	LIMIT @limit
), facets AS (
	SELECT m.kind,
		count(*)::integer AS entries
	FROM matches m
	GROUP BY m.kind
), counts AS (
	SELECT array_agg(f.kind ORDER BY f.entries DESC, f.kind) AS facet_kinds,
		array_agg(f.entries ORDER BY f.entries DESC, f.kind) AS facet_counts,
		coalesce(sum(f.entries) FILTER (WHERE f.kind = ANY (@kinds)), 0)::integer AS total
	FROM facets f
), spelling AS (
	SELECT array_agg(w.word) AS near_words,
		array_agg(w.folded) AS near_folded,
		array_agg(n.term) AS near_terms,
		array_agg(n.entries) AS near_entries
	FROM (
		SELECT g.word,
			search_fold(g.word) AS folded,
			tsvector_to_array(to_tsvector('collegium_english', normalize(g.word, NFC))) AS lexemes
		FROM unnest(@words::text[]) AS g (word)
		OFFSET 0
	) w
	CROSS JOIN LATERAL search_near_terms(w.folded, ARRAY(
		SELECT overlay(w.folded PLACING substr(w.folded, i + 1, 1) || substr(w.folded, i, 1) FROM i FOR 2)
		FROM generate_series(1, length(w.folded) - 1) AS i
	)) AS n (term, entries)
	-- If all words must occur and something was found, no word is unknown.
	WHERE (@either::boolean OR NOT EXISTS (SELECT FROM matches))
		AND cardinality(w.lexemes) > 0
		AND NOT EXISTS (SELECT FROM search_terms k WHERE k.lexeme = ANY (w.lexemes))
)
SELECT n.facet_kinds,
	n.facet_counts,
	n.total,
	p.near_words,
	p.near_folded,
	p.near_terms,
	p.near_entries,
	h.entry_id,
	h.score,
	e.kind,
	e.title,
	r.path,
	coalesce(
		ts_headline('collegium_english', t.title, q.wanted, E'HighlightAll=true, StartSel="\x01", StopSel="\x02"'),
		t.title) AS title_html,
	coalesce(
		ts_headline('collegium_english', t.body, q.wanted, E'MinWords=18, MaxWords=36, ShortWord=2, StartSel="\x01", StopSel="\x02"'),
		left(t.body, 200)) AS snippet_html
FROM counts n
CROSS JOIN spelling p
CROSS JOIN query q
LEFT JOIN hits h ON true
LEFT JOIN entries e ON e.id = h.entry_id
LEFT JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
LEFT JOIN LATERAL (
	SELECT search_text(e.title) AS title,
		search_text(concat_ws(E'\n',
			left(e.summary, 10000),
			CASE WHEN e.access = ANY (@reach) THEN (
				SELECT c.headline
				FROM case_studies c
				WHERE c.entry_id = e.id)
			END,
			CASE WHEN e.access = ANY (@reach) THEN left((
				SELECT string_agg(b.plain, E'\n' ORDER BY b.position)
				FROM blocks b
				WHERE b.entry_id = e.id), 20000)
			END)) AS body
	OFFSET 0
) t ON true
ORDER BY h.score DESC,
	h.entry_id`

// row is one row of searchSQL.
type row struct {
	FacetKinds  []Kind
	FacetCounts []int
	Total       int
	NearWords   []string
	NearFolded  []string
	NearTerms   []string
	NearEntries []int
	EntryID     *uuid.UUID
	Score       *float64
	Kind        *Kind
	Title       *string
	Path        *string
	TitleHTML   *string
	SnippetHTML *string
}

// args are the arguments of searchSQL.
func (q *query) args(v viewer.Viewer, kinds []Kind, k page.Keyset, at position) pgx.StrictNamedArgs {
	if len(kinds) == 0 {
		kinds = []Kind{KindPage, KindSpecialistSection, KindRegion, KindCaseStudy, KindDocument}
	}
	title := q.text
	if q.excludes { // "-housing" is not the title "Housing"
		title = ""
	}
	return pgx.StrictNamedArgs{
		"asked":      q.asked,
		"wanted":     q.wanted,
		"title":      title,
		"reach":      v.Reach(),
		"kinds":      kinds,
		"max_ranked": MaxRanked,
		"score":      at.score,
		"id":         at.id,
		"limit":      k.Limit + 1,
		"words":      q.spellable(),
		"either":     q.either,
	}
}

// find asks for one page of what matches the query as it stands.
func (s *Store) find(ctx context.Context, v viewer.Viewer, q *query, kinds []Kind, k page.Keyset, at position) (*found, error) {
	if len(q.asked) == 0 {
		return &found{connection: &Connection{Edges: []Edge{}, Facets: []*Facet{}}}, nil
	}
	rows, err := pg.All[row](ctx, s.DB, searchSQL, q.args(v, kinds, k, at))
	if err != nil {
		return nil, err
	}

	head := rows[0] // the counts are there without a hit too
	hits := make([]*Hit, 0, len(rows))
	for _, r := range rows {
		if r.EntryID == nil {
			continue
		}
		hits = append(hits, &Hit{
			EntryID:     *r.EntryID,
			Kind:        *r.Kind,
			Title:       *r.Title,
			TitleHTML:   markup(*r.TitleHTML),
			SnippetHTML: markup(*r.SnippetHTML),
			Path:        r.Path,
			Score:       *r.Score,
		})
	}
	p := page.New(k, hits, sortKey)
	f := &found{connection: &Connection{
		Edges:      p.Edges,
		PageInfo:   *p.PageInfo(),
		TotalCount: head.Total,
		IsCapped:   head.Total > MaxRanked,
		Facets:     make([]*Facet, len(head.FacetKinds)),
	}}
	for i, kind := range head.FacetKinds {
		f.connection.Facets[i] = &Facet{Kind: kind, Count: head.FacetCounts[i]}
	}
	for i := range head.NearTerms {
		f.near = append(f.near, near{
			word:    head.NearWords[i],
			folded:  head.NearFolded[i],
			term:    head.NearTerms[i],
			entries: head.NearEntries[i],
		})
	}
	return f, nil
}
