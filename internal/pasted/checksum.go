package pasted

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// Sum is a checksum in a text.
type Sum struct {
	// Octets are 16 (MD5), 20 (SHA-1), 28, 32 (SHA-256), 48 or 64.
	Octets []byte
	// Line is the number of the line in which it begins.
	Line int
	// Text is that line.
	Text string
	// Name is the file name in the line, or in the label before it. It may be empty.
	Name string
	// Sure is false if the text could also be read in another way. An unsure checksum that
	// matches something is valid; one that matches nothing may not be a checksum at all.
	Sure bool
}

// Doubt is a place in a text that looks like a checksum but is not one.
type Doubt struct {
	Line int
	Text string // the reason, without the digits
}

// sizes are the possible lengths of checksums, in octets.
var sizes = []int{16, 20, 28, 32, 48, 64}

const octetsSHA256 = 32

// Checksums returns the checksums in a text, in any form that tools and people write:
// hexadecimal with or without colons, hyphens or blanks, also over several lines, base64
// and base64url, each with any label. It never combines digits of two checksums. The time
// is linear in the size of the text, whatever it contains.
func Checksums(data []byte) (sums []Sum, doubts []Doubt) {
	t := sumText{lines: strings.Split(Clean(data), "\n")}
	t.runs = make([][]hexRun, len(t.lines))
	t.joined, t.dumped = make([]bool, len(t.lines)), make([]bool, len(t.lines))
	var words []word
	for i, line := range t.lines {
		t.lines[i] = strings.TrimRight(Unquoted(line), " \t")
		t.runs[i], words = hexRuns(unglued(t.lines[i]), words)
	}
	for i := range t.lines {
		if !t.dumped[i] && !t.addDump(i) {
			t.line(i)
		}
	}
	return t.sums, t.doubts
}

// sumText is a text in which checksums are searched.
type sumText struct {
	lines  []string
	runs   [][]hexRun
	joined []bool // the first number of the line continues the previous line
	dumped []bool // the line is one of a dump
	sums   []Sum
	doubts []Doubt
}

// line adds the checksums that begin in line i, and the doubts.
func (t *sumText) line(i int) {
	line := t.lines[i]
	first := len(t.sums)
	short := shortened(line)
	for k, run := range t.runs[i] {
		if k == 0 && t.joined[i] {
			continue
		}
		whole, last := t.joinRuns(i, k)
		switch {
		case last > i && t.add(i, whole, run.continues):
			if !run.continues {
				t.add(i, run.digits, false)
			}
			for j := i + 1; j <= last; j++ {
				t.joined[j] = true
			}
		case t.add(i, run.digits, true):
		case run.count >= leastDigits:
			t.doubts = append(t.doubts, Doubt{i + 1, run.doubt(short)})
		}
	}
	if digits := halves(unglued(line), t.runs[i]); digits != "" {
		t.add(i, digits, false)
	}
	for octets := range listed(line) {
		t.add(i, hex.EncodeToString(octets), false)
	}
	for _, octets := range base64Sums(line) {
		t.sums = append(t.sums, Sum{Octets: octets.sum, Line: i + 1, Text: line, Sure: octets.sure})
	}
	if short != "" && !holdsNumber(t.runs[i]) {
		t.doubts = append(t.doubts, Doubt{i + 1, short})
	}
	if len(t.sums) > first {
		name := nameNear(t.lines, t.runs, i)
		for k := first; k < len(t.sums); k++ {
			t.sums[k].Name = name
		}
	}
}

// add adds a checksum of line i, if the digits are as many as those of one.
func (t *sumText) add(i int, digits string, sure bool) bool {
	if len(digits)%2 != 0 || !slices.Contains(sizes, len(digits)/2) {
		return false
	}
	octets, err := hex.DecodeString(digits)
	if err == nil {
		t.sums = append(t.sums, Sum{Octets: octets, Line: i + 1, Text: t.lines[i], Sure: sure})
	}
	return err == nil
}

// joinRuns joins number k of line i, if it is broken over several lines that contain nothing
// else. It returns the line in which the number ends: i if it is not broken.
func (t *sumText) joinRuns(i, k int) (digits string, last int) {
	const (
		most        = 16 // lines
		leastJoined = 8  // digits of the first
	)
	first := t.runs[i][k]
	digits, last = first.digits, i
	if k != len(t.runs[i])-1 || !first.ends || first.count < leastJoined {
		return digits, i
	}
	continues := first.continues
	for next := i + 1; next < min(len(t.lines), i+most); next++ {
		if len(t.runs[next]) != 1 || !t.runs[next][0].begins || !t.runs[next][0].ends && !t.runs[next][0].continues {
			break
		}
		run := t.runs[next][0]
		sameForm := run.group == first.group && run.sign == first.sign || first.sign == 0 && run.sign == 0
		whole := run.count == 2*octetsSHA256
		if !sameForm || whole || !continues && len(digits) >= 2*octetsSHA256 {
			break
		}
		digits, last, continues = digits+run.digits, next, run.continues
	}
	if !first.continues && len(digits) != 2*octetsSHA256 {
		return first.digits, i
	}
	return digits, last
}

type base64Sum struct {
	sum  []byte
	sure bool
}

// toURL changes the alphabet of base64 to that of base64url.
var toURL = strings.NewReplacer("+", "-", "/", "_")

const octetsSHA1, octetsSHA384, octetsSHA512 = 20, 48, 64

// base64Sums returns the checksums of a line that are in base64 or base64url: SHA-256 and SHA-1,
// and longer ones if their label or their padding tells them from a line of a file in base64.
func base64Sums(line string) (sums []base64Sum) {
	labelled := -1 // unknown, 0 or 1
	whole := len(strings.Trim(line, ` "'.`))
	for w := range wordsOf(line, base64Byte) {
		if len(w) < base64.RawStdEncoding.EncodedLen(octetsSHA1) {
			continue
		}
		label := base64Label.FindString(w[:min(len(w), longestLabel)])
		text := strings.TrimLeft(w[len(label):], "=")
		padded := strings.HasSuffix(text, "=")
		text = strings.TrimRight(text, "=")
		n := base64.RawStdEncoding.DecodedLen(len(text))
		fits := n == octetsSHA256 || n == octetsSHA1 || n == octetsSHA384 && label != "" ||
			n == octetsSHA512 && (label != "" || padded)
		if !fits || !mixed(text) {
			continue
		}
		sum, err := base64.RawURLEncoding.Strict().DecodeString(toURL.Replace(text))
		if err != nil {
			continue
		}
		if labelled < 0 {
			labelled = 0
			if sumLabel.MatchString(line) {
				labelled = 1
			}
		}
		alone := len(w) == whole
		sums = append(sums, base64Sum{sum, padded || label != "" || alone || labelled > 0})
	}
	return sums
}

// mixed reports whether a text has small and capital letters and digits, as base64 of a random
// value has and words have not.
func mixed(text string) bool {
	var lower, upper, digit bool
	for _, c := range []byte(text) {
		lower = lower || 'a' <= c && c <= 'z'
		upper = upper || 'A' <= c && c <= 'Z'
		digit = digit || '0' <= c && c <= '9'
	}
	return lower && upper && digit
}
