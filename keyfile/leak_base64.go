package keyfile

import (
	"bytes"
	"encoding/base64"
	"iter"
)

// base64 finds runs of base64 or base64url that begin like a private key, such as an
// entry of "x5c", the value of NAME=, or a PEM block with damaged lines.
func (s *search) base64(text []byte) {
	const least, most = 32, 64 // characters; a line of PEM has 64
	for i := 0; i < len(text); i++ {
		next := bytes.IndexByte(text[i:], 'M') // a SEQUENCE begins with M
		if next < 0 {
			return
		}
		i += next
		if i > 0 && isInner(text[i-1]) {
			continue
		}
		n := solidRun(text[i:min(len(text), i+most)]) / 4 * 4
		if n < least {
			continue
		}
		start := standardBase64(text[i : i+n])
		if len(start) == 0 || start[0] != tagSequence {
			continue
		}
		e, err := firstElement(start)
		if err != nil {
			continue
		}
		if k := privateShape(e.body); k != kindUnknown {
			length := min(e.length, maxKeyDER)
			if e.indefinite {
				length = maxKeyDER
			}
			const lines = 256 // the ends and marks of short lines double it, and no more
			chars := (e.header + length) * 4 / 3
			window := text[i:min(len(text), i+2*chars+lines)]
			s.addKey(k, wholeElement(base64Lines(window[:wholeRun(window)])))
			i += chars - 1
		}
	}
}

// isInner reports whether base64 goes on behind c. The other characters of the two alphabets, = -
// and _, are also signs and parts of names: NAME=value, - value.
func isInner(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// standardBase64 decodes either alphabet as far as possible, padded or not.
func standardBase64(text []byte) []byte {
	text, _, _ = bytes.Cut(text, []byte("="))
	if bytes.IndexByte(text, '-') >= 0 || bytes.IndexByte(text, '_') >= 0 {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("-"), []byte("+")), []byte("_"), []byte("/"))
	}
	if len(text)%4 == 1 {
		text = text[:len(text)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, _ := base64.RawStdEncoding.Decode(out, text)
	return out[:n]
}

// solidRun returns the number of characters of the base64 at the start of b, with its padding. An
// equals sign with more behind it belongs to NAME=value.
func solidRun(b []byte) int {
	end := 0
	for end < len(b) && (isInner(b[end]) || b[end] == '-' || b[end] == '_') {
		end++
	}
	n := end
	for end < len(b) && end < n+2 && b[end] == '=' {
		end++
	}
	return end
}

// base64Run returns the number of characters of either alphabet at the start of b.
func base64Run(b []byte) int {
	n := 0
	for n < len(b) && (isInner(b[n]) || b[n] == '=' || b[n] == '-' || b[n] == '_') {
		n++
	}
	return n
}

// wholeRun returns the number of characters of the base64 at the start of text, which
// may be in lines, quoted or escaped.
func wholeRun(text []byte) int {
	begins := true // there were only marks since the line began
	for at := 0; at < len(text); at++ {
		c := text[at]
		switch {
		case isBase64(rune(c)), c == '-', c == '_':
			begins = false
		case c == '\n':
			begins = true
		case bytes.IndexByte([]byte(jsonSpace), c) >= 0:
		case isQuote(c) && begins:
		case escapedEnd(text[at:]):
			at++
		default:
			return at
		}
	}
	return len(text)
}

// longBase64 returns what each block of base64 in text decodes to. A block is a run of a
// certain length, and the lines after it that hold nothing else.
func longBase64(text []byte) iter.Seq[[]byte] {
	const least = 40 // characters
	return func(yield func([]byte) bool) {
		for at := 0; at < len(text); {
			n := solidRun(text[at:])
			if n < least {
				at += max(n, 1)
				continue
			}
			n = base64Block(text[at:], n)
			block := text[at : at+n]
			if !yield(base64Lines(block)) {
				return
			}
			if sign := block[0]; sign == '-' || sign == '_' { // which may be the sign of a list
				if !yield(base64Lines(bytes.TrimLeft(block, "-_"))) {
					return
				}
			}
			at += n
		}
	}
}

// base64Block returns the number of characters of the block at the start of text, of
// whose first line the number is known.
func base64Block(text []byte, first int) int {
	const blank = " \t\r"
	at := first
	for text[at-1] != '=' {
		next := text[at:]
		line := bytes.TrimLeft(next, blank)
		switch {
		case bytes.HasPrefix(line, []byte("\n")):
			line = line[1:]
		case escapedEnd(line):
			for escapedEnd(line) {
				line = line[2:]
			}
		default:
			return at
		}
		line = bytes.TrimLeft(line, blank+">|")
		n := solidRun(line)
		rest := bytes.TrimLeft(line[n:], blank)
		ends := len(rest) == 0 || bytes.IndexByte([]byte("\n\"'<,;"), rest[0]) >= 0 || escapedEnd(rest)
		if n == 0 || !ends {
			return at
		}
		at += len(next) - len(line) + n
	}
	return at
}

// base64Lines decodes base64 in lines as far as possible.
func base64Lines(run []byte) []byte { return standardBase64(withoutSpace(unquoted(run))) }

// unquoted removes the marks before the lines of a quoted mail, and the escaped line
// ends of a string.
func unquoted(text []byte) []byte {
	if !bytes.ContainsAny(text, `>|\`) {
		return text
	}
	out := make([]byte, 0, len(text))
	begins := true // there were only marks since the line began
	for at := 0; at < len(text); at++ {
		c := text[at]
		switch {
		case begins && isQuote(c):
			continue
		case escapedEnd(text[at:]):
			at++
			c = '\n'
		}
		begins = c == '\n' || begins && (c == ' ' || c == '\t')
		out = append(out, c)
	}
	return out
}

func isQuote(c byte) bool { return c == '>' || c == '|' }

// escapedEnd reports whether text begins with a line end as it is escaped in a string.
func escapedEnd(text []byte) bool {
	return len(text) > 1 && text[0] == '\\' && (text[1] == 'n' || text[1] == 'r')
}
