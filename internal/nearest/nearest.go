// Package nearest finds the word that somebody has probably meant.
package nearest

import "strings"

// Word returns the word among words that is nearest to another, or "" if none is near. Capitals do not matter.
func Word(word string, words []string) string {
	best, distance := "", max(2, len(word)/3)+1
	for _, w := range words {
		if d := edits(strings.ToLower(word), strings.ToLower(w)); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// edits returns the Levenshtein distance of two words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before := row[0]
		row[0] = i + 1
		for j := range b {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
