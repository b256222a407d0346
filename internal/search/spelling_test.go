package search

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"membership", "membership", 0},
		{"memebrship", "membership", 1}, // two neighbours swapped
		{"membrship", "membership", 1},
		{"memmbership", "membership", 1},
		{"mempership", "membership", 1},
		{"mebershpi", "membership", 2},
		{"ca", "abc", 3}, // no letter is edited twice
		{"größe", "grosse", 3},
		{"kitten", "sitting", 3},
		{"abcdef", "uvwxyz", 4},
		{"a", "abcdefgh", 4},
	} {
		if got := distance([]rune(test.a), []rune(test.b), 3); got != test.want {
			t.Errorf("distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// TestDistanceAgrees compares with the definition, written as a recursion.
func TestDistanceAgrees(t *testing.T) {
	t.Parallel()
	var slow func(a, b []rune) int
	slow = func(a, b []rune) int {
		switch {
		case len(a) == 0:
			return len(b)
		case len(b) == 0:
			return len(a)
		}
		n := min(slow(a[1:], b), slow(a, b[1:])) + 1
		step := 1
		if a[0] == b[0] {
			step = 0
		}
		n = min(n, slow(a[1:], b[1:])+step)
		if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
			n = min(n, slow(a[2:], b[2:])+1)
		}
		return n
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abcé")), 0, 6, -1)
		a, b := []rune(word.Draw(t, "a")), []rune(word.Draw(t, "b"))
		limit := rapid.IntRange(0, 6).Draw(t, "limit")
		want := slow(a, b)
		got := distance(a, b, limit)
		if want <= limit && got != want || want > limit && got <= limit {
			t.Fatalf("distance(%q, %q, %d) = %d, want %d", string(a), string(b), limit, got, want)
		}
	})
}

func TestCorrections(t *testing.T) {
	t.Parallel()
	got := corrections([]near{
		{word: "memebrship", folded: "memebrship", term: "memberships", entries: 900},
		{word: "memebrship", folded: "memebrship", term: "membership", entries: 3}, // one slip beats two
		{word: "café", folded: "cafe", term: "cage", entries: 1},
		{word: "café", folded: "cafe", term: "cape", entries: 5}, // the more frequent
		{word: "café", folded: "cafe", term: "care", entries: 5}, // the later in the alphabet
		{word: "abc", folded: "abc", term: "xyz", entries: 9},    // too far
		{word: "tha", folded: "tha", term: "that", entries: 9},
	})
	if diff := cmp.Diff(map[string]string{"memebrship": "membership", "café": "cape", "tha": "that"}, got); diff != "" {
		t.Errorf("corrections (-want +got):\n%s", diff)
	}
}
