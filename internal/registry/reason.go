package registry

import (
	"strings"
	"unicode"
)

// CheckReason refuses a text that is no reason: one that is empty, or that says nothing, such as
// "x", "test" or a word that is repeated. It takes two different words or more, or the reference
// of a change or incident, which has a digit.
func CheckReason(text string) error {
	if strings.TrimSpace(text) == "" {
		return Refuse("say why").Needing(Reason)
	}
	seen, letters, long := map[string]bool{}, map[rune]bool{}, false
	for _, word := range strings.Fields(Fold(text)) {
		word = strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		runes := map[rune]bool{}
		for _, r := range word {
			if runes[r] = true; unicode.In(r, unspaced...) {
				letters[r] = true
			}
		}
		if strings.ContainsFunc(word, unicode.IsDigit) && len([]rune(word)) >= 3 && len(runes) >= 3 {
			return nil // a reference
		}
		if word != "" {
			seen[word] = true
			long = long || len(runes) >= 3
		}
	}
	if len(seen) >= 2 && long || len(letters) >= 3 {
		return nil
	}
	return Refuse("the reason %q says nothing: write two words or more, or the reference of a change or incident",
		text).Needing(Reason)
}

// unspaced are scripts that have no blanks between words.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Khmer,
	unicode.Lao, unicode.Myanmar}
