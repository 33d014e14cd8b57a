package pasted

import (
	"slices"
	"strings"
)

// Tokens returns the texts that may be meant as compact JWE or JWS with that number of
// parts, whose lines may be broken and quoted. It returns at most eight: if the lines after
// a token could belong to it, it returns the token with and without them.
func Tokens(text string, parts int) (found []string) {
	const most = 8
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(Unquoted(line))
	}
	left := maxRead
	for i := range lines {
		for at := 0; len(found) < most && left > 0; {
			n := strings.Index(lines[i][at:], "eyJ")
			if n < 0 {
				break
			}
			at += n
			if at == 0 || !isTokenByte(lines[i][at-1]) {
				for _, t := range tokensAt(lines[i:], at, parts, &left) {
					if !slices.Contains(found, t) {
						found = append(found, t)
					}
				}
			}
			at += len("eyJ")
		}
	}
	return found[:min(len(found), most)]
}

// maxRead is how many bytes are read to find where tokens end, in all: a text may have something like the beginning
// of one in each line.
const maxRead = 64 << 20

// tokensAt returns the tokens that begin in the first line. It takes what it reads from left.
func tokensAt(lines []string, at, parts int, left *int) (found []string) {
	const tag, longTag = 22, 43 // characters of 16 and of 32 octets, with which a JWE ends
	var token strings.Builder
	blank, dots := 0, 0
	for i, line := range lines {
		if *left -= len(line) + 1; *left < 0 {
			return found
		}
		if i == 0 {
			line = line[at:]
		}
		n := strings.IndexFunc(line, func(r rune) bool { return r > 0x7e || !isTokenByte(byte(r)) })
		ends := n >= 0 && line[n:] != "=" // which ends a line in quoted-printable
		if n < 0 {
			n = len(line)
		}
		token.WriteString(line[:n])
		text := token.String()
		switch dots += strings.Count(line[:n], "."); {
		case dots == parts && strings.HasSuffix(text, "."): // at the end of a sentence
			return append(found, strings.TrimSuffix(text, "."))
		// where every other line is blank, they do not end it
		case dots >= parts || n == 0 && dots == parts-1 && blank < 2:
			return found
		case n == 0:
			blank++
		case dots == parts-1:
			found = append([]string{text}, found...)
			if last := len(text) - strings.LastIndexByte(text, '.') - 1; parts == 5 &&
				(last == tag || last == longTag) {
				return found
			}
		}
		if ends {
			return found
		}
	}
	return found
}

func isTokenByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}
