package pasted

import (
	"fmt"
	"strings"
	"unicode"
)

var runeNames = map[rune]string{
	'\u00a0': "no-break space", '\u00ad': "soft hyphen", '\u2007': "figure space", '\u2009': "thin space",
	'\u200b': "zero-width space", '\u200c': "zero-width non-joiner", '\u200d': "zero-width joiner",
	'\u200e': "left-to-right mark", '\u200f': "right-to-left mark",
	'\u2010': "hyphen", '\u2011': "non-breaking hyphen", '\u2012': "figure dash", '\u2013': "en dash",
	'\u2014': "em dash", '\u2015': "horizontal bar", '\u2212': "minus sign",
	'\u2018': "left single quotation mark", '\u2019': "right single quotation mark",
	'\u201c': "left double quotation mark", '\u201d': "right double quotation mark",
	'\u201e': "low double quotation mark", '\u00ab': "left guillemet", '\u00bb': "right guillemet",
	'\u2026': "ellipsis", '\u2028': "line separator", '\u202a': "left-to-right embedding",
	'\u202c': "pop directional formatting", '\u202f': "narrow no-break space", '\u2060': "word joiner",
	'\u2066': "left-to-right isolate", '\u2069': "pop directional isolate",
	'\u3000': "ideographic space", '\ufeff': "byte order mark", '\ufffd': "replacement character",
}

// RuneName names a character by its Unicode number, and in words if it is one that programs
// insert by themselves: "en dash U+2013", "zero-width space U+200B (invisible)".
func RuneName(r rune) string {
	name := fmt.Sprintf("U+%04X", r)
	if words := runeNames[r]; words != "" {
		name = words + " " + name
	}
	if isInvisible(r) {
		name += " (invisible)"
	}
	return name
}

// IsTypographic reports whether programs insert r by themselves: an invisible character, or
// another form of a blank, dash or quotation mark.
func IsTypographic(r rune) bool {
	return r > unicode.MaxASCII && meant(r) != r
}

// Word returns a value without the white space, invisible characters and typographic
// quotation marks at its ends. It does not change a value of printable ASCII otherwise.
//
// If there is a typographic character inside, the error names it and the value that was
// probably meant: a reader who only removed the character might get another value.
func Word(text string) (string, error) {
	word := strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || isInvisible(r) || r > unicode.MaxASCII && meantQuote(r) != r
	})
	for i, r := range []rune(word) {
		if !IsTypographic(r) {
			continue
		}
		what := "there is a typographic character in it"
		switch meant(r) {
		case '-':
			what = "there is a typographic dash in place of a hyphen"
		case ' ':
			what = "there is a typographic blank in it"
		case -1:
			what = "there is an invisible character in it"
		}
		return "", fmt.Errorf("%s (character %d is %s); what was meant is probably: %s",
			what, i+1, RuneName(r), strings.ReplaceAll(Clean([]byte(word)), " ", ""))
	}
	return word, nil
}
