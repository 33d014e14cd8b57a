package pasted

import (
	"fmt"
	"iter"
	"regexp"
	"strings"
)

// hexRun is a hexadecimal number in one line: solid, or in groups of equal length with one
// separator.
type hexRun struct {
	digits    string // the first maxDigits of them
	count     int    // of all digits
	group     int    // digits of a group
	sign      byte   // the separator; 0 if there is one group
	from, to  int    // its place in the line
	begins    bool   // it is the first text in the line
	ends      bool   // it is the last text in the line
	continues bool   // the line ends with the separator, so that the next line continues it
}

const (
	leastRun    = 16  // of a number among other words
	leastDigits = 24  // more than any word or date has
	maxDigits   = 256 // twice those of the longest checksum
)

// holdsNumber reports whether one of the runs is as long as a checksum or nearly so.
func holdsNumber(runs []hexRun) bool {
	for _, r := range runs {
		if r.count >= leastDigits {
			return true
		}
	}
	return false
}

// doubt explains why the number is not a checksum. short is what is wrong with its line.
func (r hexRun) doubt(short string) string {
	if short != "" {
		return short
	}
	return fmt.Sprintf("%d hexadecimal digits, where a SHA-256 has 64", r.count)
}

// word is a run of letters and digits in a line.
type word struct {
	from, to int
	digits   string // empty if it is not hexadecimal
}

// wordsOf returns the longest runs of bytes that are in a set.
func wordsOf(line string, in func(byte) bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := 0; at < len(line); at++ {
			from := at
			for at < len(line) && in(line[at]) {
				at++
			}
			if at > from && !yield(line[from:at]) {
				return
			}
		}
	}
}

func isWordByte(c byte) bool { return c >= '0' && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func base64Byte(c byte) bool {
	return isWordByte(c) || c == '+' || c == '/' || c == '_' || c == '=' || c == '-'
}

func isHexByte(c byte) bool { return c >= '0' && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// gluedLabel is the name of a hash, where the number follows without a blank, as in text that is
// copied from a table.
var gluedLabel = regexp.MustCompile(`(?i)\b(sha-?(?:256|384|512):?)([0-9a-f]{2}:?[0-9a-f]{2})`)

// unglued returns a line with a blank between the name of a hash and a number that follows it.
func unglued(line string) string {
	if len(line) > 4*leastRun && strings.ContainsAny(line, "hH") {
		return gluedLabel.ReplaceAllString(line, "$1 $2")
	}
	return line
}

// hexRuns returns the numbers of a line, see [unglued], that have at least 16 digits, and those of
// fewer that are alone in it, with which another line may end. words is memory for it.
func hexRuns(line string, words []word) (runs []hexRun, scratch []word) {
	at := 0
	words = words[:0]
	for w := range wordsOf(line, isWordByte) {
		from := at + strings.Index(line[at:], w)
		at = from + len(w)
		words = append(words, word{from, at, hexDigits(w)})
	}
	begin := len(line) - len(strings.TrimLeft(line, ` "'`))
	end := len(strings.TrimRight(line, ` "'`))
	for i := 0; i < len(words); {
		run, last := runAt(line, words, i)
		run.begins = words[i].from <= begin
		rest := line[words[last].to:max(words[last].to, end)]
		run.ends = rest == "" || rest == "." || rest == ","
		if rest == ":" || rest == "-" || rest == `\` || rest == "=" { // the last ends a line in quoted-printable
			run.ends, run.continues = true, run.sign != 0 && rest[0] == run.sign || rest == `\` || rest == "="
		}
		if run.count >= leastRun || run.count > 0 && run.begins && run.ends {
			runs = append(runs, run)
			i = last
		}
		i++
	}
	return runs, words
}

// halves returns the number of 64 digits that neighbors in a line, which was unglued, make, if they are nothing but
// digits and blanks: as a line does that was broken before.
func halves(line string, runs []hexRun) (digits string) {
	for i, first := range runs {
		digits = first.digits
		for next := i + 1; next < len(runs) && len(digits) < 2*octetsSHA256; next++ {
			if strings.TrimSpace(line[runs[next-1].to:runs[next].from]) != "" {
				break
			}
			if digits += runs[next].digits; len(digits) == 2*octetsSHA256 {
				return digits
			}
		}
	}
	return ""
}

// runAt returns the number that begins with word i, which may have no digits, and the last word
// of it.
func runAt(line string, words []word, i int) (run hexRun, last int) {
	first := words[i].digits
	run = hexRun{digits: first[:min(len(first), maxDigits)], count: len(first), group: len(first)}
	var buffer [2 * maxDigits]byte
	digits := append(buffer[:0], run.digits...)
	for last = i; last+1 < len(words); last++ {
		next := words[last+1]
		sign, ok := separator(line[words[last].to:next.from])
		sameForm := len(next.digits) == run.group && (run.sign == 0 || run.sign == sign)
		if !ok || !sameForm || run.group == 0 || run.group > 16 {
			break
		}
		run.sign, run.count = sign, run.count+len(next.digits)
		if len(digits) < maxDigits {
			digits = append(digits, next.digits...)
		}
	}
	if last > i && last+1 < len(words) { // the last group may be shorter
		next := words[last+1]
		sign, ok := separator(line[words[last].to:next.from])
		if n := len(next.digits); ok && sign == run.sign && n > 0 && n < run.group && run.count+n == 2*octetsSHA256 {
			digits = append(digits, next.digits...)
			run.count, last = run.count+n, last+1
		}
	}
	if last > i {
		run.digits = string(digits)
	}
	run.from, run.to = words[i].from, words[last].to
	return run, last
}

// hexDigits returns the hexadecimal digits of a word, without 0x, or "" if it is something else.
func hexDigits(w string) string {
	if len(w) > 2 && w[0] == '0' && w[1]|0x20 == 'x' {
		w = w[2:]
	} else if len(w) == 3 && w[0] == 'x' { // after a backslash
		w = w[1:]
	}
	for _, c := range []byte(w) {
		if !isHexByte(c) {
			return ""
		}
	}
	return w
}

// separator returns the sign between two groups of a number.
func separator(between string) (sign byte, ok bool) {
	trimmed := strings.TrimSpace(between)
	switch trimmed {
	case "":
		return ' ', len(between) <= 4
	case ":", "-", ".", ",", "_", `\`:
		return trimmed[0], true
	case "∶", "：", "ː": // other characters that look like a colon
		return ':', true
	case "·", "•", "∙", "⋅", "・":
		return '.', true
	}
	return 0, false
}
