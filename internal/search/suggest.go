package search

import (
	"context"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// How many suggestions a client may ask for.
const (
	DefaultSuggestions = 8
	MaxSuggestions     = 20
)

// How much of the index one prefix looks at. maxCompletions words are compared at most, in the order of the alphabet:
// once among the titles of the first two levels of the site, so that the best known are never missed, and once among
// all. Of these, the best maxChosen are looked at for equal titles.
const (
	maxCompletions = 10_000
	maxChosen      = 200
)

// Suggest returns titles that begin with the prefix, or have a word that begins with it; accents, capitals and
// punctuation do not matter. The best known come first: those with the shortest path, then those that begin with the
// prefix themselves, then by the alphabet. Of pages with the same title only the best known is suggested. The prefix has
// 1 to 100 characters, and first is 1 to 20; nil is 8. It costs one statement.
func (s *Store) Suggest(ctx context.Context, v viewer.Viewer, prefix string, first *int) (_ []*Suggestion, err error) {
	defer errs.Wrap(&err, "search.Suggest(%.80q)", prefix)
	prefix = clean(prefix)
	switch n := utf8.RuneCountInString(prefix); {
	case n == 0:
		return nil, errs.Invalidf("prefix", "it is empty; pass 1 to %d characters", MaxPrefix)
	case n > MaxPrefix:
		return nil, errs.Invalidf("prefix", "it has %d characters; pass 1 to %d", n, MaxPrefix)
	}
	limit := DefaultSuggestions
	if first != nil {
		if limit = *first; limit < 1 || limit > MaxSuggestions {
			return nil, errs.Invalidf("first", "%d is out of range; pass 1 to %d", limit, MaxSuggestions)
		}
	}
	return pg.All[Suggestion](ctx, s.DB, suggestSQL, suggestArgs(v, prefix, limit))
}

func suggestArgs(v viewer.Viewer, prefix string, limit int) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{
		"prefix":          prefix,
		"reach":           v.Reach(),
		"max_completions": maxCompletions,
		"max_chosen":      maxChosen,
		"limit":           limit,
	}
}

// suggestSQL compares by byte, as the index does; what begins with the prefix lies between it and the prefix followed by
// the highest character there is. A prefix of nothing but punctuation is NULL and begins nothing.
const suggestSQL = `
WITH prefix AS MATERIALIZED (
	SELECT NULLIF(left(search_fold(@prefix), 100), '') COLLATE "C" AS words
), completions AS MATERIALIZED (
	(SELECT c.entry_id,
		c.position,
		c.words,
		c.depth
	FROM search_completions c
	WHERE c.words >= (SELECT p.words FROM prefix p)
		AND c.words < (SELECT p.words || chr(1114111) FROM prefix p)
		AND (c.access <> 'STAFF' OR c.access = ANY (@reach))
		AND c.depth <= 2
	ORDER BY c.words
	LIMIT @max_completions)
	UNION ALL
	(SELECT c.entry_id,
		c.position,
		c.words,
		c.depth
	FROM search_completions c
	WHERE c.words >= (SELECT p.words FROM prefix p)
		AND c.words < (SELECT p.words || chr(1114111) FROM prefix p)
		AND (c.access <> 'STAFF' OR c.access = ANY (@reach))
	ORDER BY c.words
	LIMIT @max_completions)
), chosen AS (
	SELECT c.entry_id,
		c.position,
		c.words,
		c.depth
	FROM completions c
	ORDER BY c.depth,
		c.position > 1,
		c.words,
		c.entry_id
	LIMIT @max_chosen
), titles AS (
	SELECT DISTINCT ON (s.title_folded) c.entry_id,
		c.position,
		c.words,
		c.depth
	FROM chosen c
	CROSS JOIN LATERAL ( -- one by one: for so few rows a hash of the whole table is the worse plan
		SELECT t.title_folded
		FROM entry_search t
		WHERE t.entry_id = c.entry_id
		OFFSET 0
	) s
	ORDER BY s.title_folded,
		c.depth,
		c.position > 1,
		c.words,
		c.entry_id
), best AS MATERIALIZED (
	SELECT t.entry_id,
		t.position,
		t.words,
		t.depth
	FROM titles t
	ORDER BY t.depth,
		t.position > 1,
		t.words,
		t.entry_id
	LIMIT @limit
)
SELECT e.title,
	e.kind,
	r.path
FROM best b
JOIN entries e ON e.id = b.entry_id
LEFT JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
ORDER BY b.depth,
	b.position > 1,
	b.words,
	b.entry_id`
