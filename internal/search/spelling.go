package search

// near is a word of the index that is spelled somewhat like a word of the query.
type near struct {
	// Word is the word as it was typed, Folded the same without accents and capitals.
	word, folded string
	// Term is the other word, and Entries in how many public texts it stands.
	term    string
	entries int
}

// corrections chooses for each word the term that is fewest slips away, then the most frequent, then the first in the
// alphabet. Words that are near to nothing are left out.
func corrections(candidates []near) map[string]string {
	best := map[string]near{}
	slips := map[string]int{}
	for _, c := range candidates {
		folded, term := []rune(c.folded), []rune(c.term)
		allowed := allowedSlips(len(folded))
		n := distance(folded, term, allowed)
		if n == 0 || n > allowed {
			continue
		}
		b, ok := best[c.word]
		if !ok || n < slips[c.word] || n == slips[c.word] &&
			(c.entries > b.entries || c.entries == b.entries && c.term < b.term) {
			best[c.word], slips[c.word] = c, n
		}
	}
	right := make(map[string]string, len(best))
	for word, c := range best {
		right[word] = c.term
	}
	return right
}

// allowedSlips is how many slips a word of n letters may have.
func allowedSlips(n int) int {
	switch {
	case n < 3:
		return 0
	case n < 6:
		return 1
	default:
		return 2
	}
}

// distance is how many letters have to be added, dropped, replaced, or swapped with their neighbour, to turn a into b
// (optimal string alignment). Past limit it returns some number above limit.
func distance(a, b []rune, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	// Three rows of the table: two before, one before, and the one being filled.
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
