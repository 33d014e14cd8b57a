package pasted

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const dumpWidth = 16 // octets of a line

// dumpHead are the numbers of the columns, which PowerShell prints above them.
const dumpHead = "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F"

var (
	dumpForm  = regexp.MustCompile(`^[ \t]*(?:0x)?([0-9A-Fa-f]{4,8})(:?)[ \t]+([0-9A-Fa-f]{2}.*)$`)
	dumpBreak = regexp.MustCompile(`[ \t]{3,}|\|`)
)

// dump is what the lines of a dump of a file hold, as xxd, od, hexdump and PowerShell print it.
type dump struct {
	octets  []byte
	swapped []byte // in the order of a little-endian machine, if words are printed; else nil
	last    int    // the line with which it ends
}

// dumpAt returns the dump that begins in line i, whose octets are as many as those of a checksum.
func (t *sumText) dumpAt(i int) (d dump, ok bool) {
	const longest = 200 // bytes of a line
	most := sizes[len(sizes)-1]
	for d.last = i; d.last < len(t.lines) && len(d.octets) <= most; d.last++ {
		line := t.lines[d.last]
		if len(line) > longest {
			break
		}
		m := dumpForm.FindStringSubmatch(line)
		if m == nil || !isOffset(m[1], len(d.octets)) {
			break
		}
		octets, swapped := dumpLine(m[3], m[2] != "")
		if octets == nil {
			break
		}
		d.octets = append(d.octets, octets...)
		if swapped != nil {
			d.swapped = append(d.swapped, swapped...)
		}
		if len(octets) < dumpWidth {
			d.last++
			break
		}
	}
	if d.last == i || !slices.Contains(sizes, len(d.octets)) {
		return d, false
	}
	if d.last < len(t.lines) && isOffset(strings.TrimSpace(t.lines[d.last]), len(d.octets)) { // the size
		d.last++
	}
	d.last--
	return d, len(d.swapped) == 0 || len(d.swapped) == len(d.octets)
}

// isOffset reports whether digits are an offset in a file, in hexadecimal or in octal, as od has it.
func isOffset(digits string, offset int) bool {
	for _, base := range []int{16, 8} {
		if n, err := strconv.ParseUint(digits, base, 32); err == nil && n == uint64(offset) {
			return true
		}
	}
	return false
}

// dumpLine returns the octets of a line of a dump without its offset. swapped is nil if the line has
// octets, or words in the order of the file, as xxd prints them behind a colon.
func dumpLine(text string, colon bool) (octets, swapped []byte) {
	if at := dumpBreak.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	if colon {
		text, _, _ = strings.Cut(text, "  ")
	}
	words := strings.Fields(text)
	for _, w := range words {
		word := hexOrOctal(w)
		if len(octets) == dumpWidth || word == nil || len(w) != len(words[0]) {
			break
		}
		octets = append(octets, word...)
		if !colon && len(word) > 1 {
			slices.Reverse(word)
			swapped = append(swapped, word...)
		}
	}
	return octets, swapped
}

// hexOrOctal returns the octets of a word: of 2, 4, 8 or 16 hexadecimal digits, or of 6 octal ones.
func hexOrOctal(w string) []byte {
	switch len(w) {
	case 2, 4, 8, 16:
		if octets, err := hex.DecodeString(w); err == nil {
			return octets
		}
	case 6:
		if n, err := strconv.ParseUint(w, 8, 16); err == nil {
			return []byte{byte(n >> 8), byte(n)}
		}
	}
	return nil
}

// addDump adds the checksum whose octets a program has printed from line i on, and reports whether there
// is one. Words have two readings, so that neither is sure.
func (t *sumText) addDump(i int) bool {
	if strings.HasPrefix(strings.TrimSpace(t.lines[i]), dumpHead) {
		return true
	}
	d, ok := t.dumpAt(i)
	if !ok {
		return false
	}
	name := nameNear(t.lines, t.runs, i)
	for _, octets := range [][]byte{d.octets, d.swapped} {
		if octets != nil {
			t.sums = append(t.sums, Sum{
				Octets: octets, Line: i + 1, Text: t.lines[i], Name: name, Sure: d.swapped == nil,
			})
		}
	}
	for j := i; j <= d.last; j++ {
		t.runs[j], t.dumped[j] = nil, true
	}
	return true
}
