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
	words, letters, unspaced := map[string]bool{}, map[rune]bool{}, map[rune]bool{}
	for _, word := range strings.Fields(Fold(text)) {
		word = strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		runes := map[rune]bool{}
		for _, r := range word {
			runes[r], letters[r] = true, true
			if unicode.In(r, unspacedScripts...) {
				unspaced[r] = true
			}
		}
		if strings.ContainsFunc(word, unicode.IsDigit) && len([]rune(word)) >= 3 && len(runes) >= 3 {
			return nil // a reference
		}
		words[word] = word != ""
	}
	delete(words, "")
	if len(words) >= 2 && len(letters) >= 4 || len(unspaced) >= 3 {
		return nil
	}
	return Refuse("the reason %q says nothing: write two words or more, or the reference of a change or incident",
		text).Needing(Reason)
}

// unspacedScripts have no blanks between words.
var unspacedScripts = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Khmer, unicode.Lao, unicode.Myanmar,
}
