package pasted

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
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
// and base64url, each with any label. It never combines digits of two checksums.
func Checksums(data []byte) (sums []Sum, doubts []Doubt) {
	lines := strings.Split(Clean(data), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(Unquoted(line), " \t")
	}
	runs := make([][]hexRun, len(lines))
	for i, line := range lines {
		runs[i] = hexRuns(line)
	}
	joined := make([]bool, len(lines)) // the first run of the line continues the previous one
	for i := range lines {
		for k, run := range runs[i] {
			if k == 0 && joined[i] {
				continue
			}
			add := func(digits string, sure bool) bool {
				octets, err := hex.DecodeString(digits)
				if err != nil || !slices.Contains(sizes, len(octets)) {
					return false
				}
				sums = append(sums, Sum{octets, i + 1, lines[i], nameNear(lines, i), sure})
				return true
			}
			whole, last := joinRuns(lines, runs, i, k)
			switch {
			case last > i && add(whole, run.continues):
				if !run.continues {
					add(run.digits, false)
				}
				for j := i + 1; j <= last; j++ {
					joined[j] = true
				}
			case add(run.digits, true):
			case len(run.digits) >= leastDigits:
				doubts = append(doubts, Doubt{i + 1, run.doubt(lines[i])})
			}
		}
		for _, octets := range base64Sums(lines[i]) {
			sums = append(sums, Sum{octets.sum, i + 1, lines[i], nameNear(lines, i), octets.sure})
		}
		if text := shortened(lines[i]); text != "" && !holdsNumber(runs[i]) {
			doubts = append(doubts, Doubt{i + 1, text})
		}
	}
	return sums, doubts
}

// holdsNumber reports whether one of the runs is as long as a checksum or nearly so.
func holdsNumber(runs []hexRun) bool {
	return slices.ContainsFunc(runs, func(r hexRun) bool { return len(r.digits) >= leastDigits })
}

// leastDigits is the number of hexadecimal digits that no word or date has.
const leastDigits = 24

// hexRun is a hexadecimal number in one line: solid, or in groups of equal length with one
// separator.
type hexRun struct {
	digits    string
	group     int  // digits of a group
	sign      byte // the separator; 0 if there is one group
	begins    bool // it is the first text in the line
	ends      bool // it is the last text in the line
	continues bool // the line ends with the separator, so that the next line continues it
}

func (r hexRun) doubt(line string) string {
	if text := shortened(line); text != "" {
		return text
	}
	return fmt.Sprintf("%d hexadecimal digits, where a SHA-256 has 64", len(r.digits))
}

// word is a run of letters and digits.
type word struct{ from, to int }

var wordForm = regexp.MustCompile(`[0-9A-Za-z]+`)

// hexRuns returns the numbers of a line that have at least 16 digits.
func hexRuns(line string) (runs []hexRun) {
	const least = 16
	var words []word
	for _, at := range wordForm.FindAllStringIndex(line, -1) {
		words = append(words, word{at[0], at[1]})
	}
	for i := 0; i < len(words); {
		from, group := words[i], hexDigits(line[words[i].from:words[i].to])
		if group == "" {
			i++
			continue
		}
		run := hexRun{digits: group, group: len(group), begins: strings.TrimLeft(line[:from.from], ` "'`) == ""}
		last := i
		for next := i + 1; next < len(words); next++ {
			digits := hexDigits(line[words[next].from:words[next].to])
			sign, ok := separator(line[words[next-1].to:words[next].from])
			if !ok || len(digits) != run.group || run.sign != 0 && run.sign != sign || run.group > 16 {
				break
			}
			run.digits, run.sign, last = run.digits+digits, sign, next
		}
		rest := strings.TrimRight(line[words[last].to:], ` "'`)
		run.ends = rest == "" || rest == "." || rest == ","
		if rest == ":" || rest == "-" || rest == `\` || rest == "=" { // the last ends a line in quoted-printable
			run.ends, run.continues = true, run.sign != 0 && rest[0] == run.sign || rest == `\` || rest == "="
		}
		if len(run.digits) >= least || len(run.digits) == least/2 && run.begins && run.ends {
			runs = append(runs, run)
			i = last + 1
		} else {
			i++
		}
	}
	return runs
}

// hexDigits returns the hexadecimal digits of a word, without 0x, or "" if it is something else.
func hexDigits(w string) string {
	if len(w) > 2 && (strings.HasPrefix(w, "0x") || strings.HasPrefix(w, "0X")) {
		w = w[2:]
	} else if len(w) == 3 && w[0] == 'x' { // after a backslash
		w = w[1:]
	}
	if strings.ContainsFunc(w, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }) {
		return ""
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
	}
	return 0, false
}

// joinRuns joins a number that is broken over several lines, if these contain nothing else.
// It returns the line in which the number ends: i if it is not broken.
func joinRuns(lines []string, runs [][]hexRun, i, k int) (digits string, last int) {
	const most = 16 // lines
	first := runs[i][k]
	digits, last = first.digits, i
	if k != len(runs[i])-1 || !first.ends {
		return digits, i
	}
	continues := first.continues
	for next := i + 1; next < min(len(lines), i+most); next++ {
		if len(runs[next]) != 1 || !runs[next][0].begins || !runs[next][0].ends && !runs[next][0].continues {
			break
		}
		run := runs[next][0]
		sameForm := run.group == first.group && run.sign == first.sign || first.sign == 0 && run.sign == 0
		whole := len(run.digits) == 2*octetsSHA256
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

var (
	base64Word  = regexp.MustCompile(`[A-Za-z0-9+/_=-]+`)
	sumLabel    = regexp.MustCompile(`(?i)sha-?(?:256|1)\b|S256|digest|thumbprint|fingerprint`)
	base64Label = regexp.MustCompile(`^(?i:sha-?2?-?(?:256|1)[-=]+|pin-sha256=+)`)
)

// base64Sums returns the SHA-256 and SHA-1 of a line that are in base64 or base64url.
func base64Sums(line string) (sums []base64Sum) {
	for _, w := range base64Word.FindAllString(line, -1) {
		label := base64Label.FindString(w)
		text := strings.TrimLeft(w[len(label):], "=")
		padded := strings.HasSuffix(text, "=")
		text = strings.TrimRight(text, "=")
		const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
		mixed := strings.ContainsAny(text, lower) && strings.ContainsAny(text, upper) &&
			strings.ContainsAny(text, digits)
		sum, err := base64.RawURLEncoding.Strict().DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(text))
		if err != nil || !mixed || len(sum) != octetsSHA256 && len(sum) != 20 {
			continue
		}
		alone := w == strings.Trim(line, ` "'.`)
		sums = append(sums, base64Sum{sum, padded || label != "" || alone || sumLabel.MatchString(line)})
	}
	return sums
}

var (
	gapForm = regexp.MustCompile(
		`(?i)(?:[0-9a-f]{4}|[0-9a-f]{2}:)[: ]*(?:\.\.\.|…)[: ]*(?:[0-9a-f]{4}|[0-9a-f]{2}:)`,
	)
	shortForm = regexp.MustCompile(`[0-9A-Za-z]{24,}`)
	notDigit  = regexp.MustCompile(`[^0-9A-Fa-f]`)
	foreign   = regexp.MustCompile(`[0-9A-Fa-f]{2}([^\x00-\x7f])[0-9A-Fa-f]{2}`)
)

// shortened explains a line without a checksum that probably should have one.
func shortened(line string) string {
	if gapForm.MatchString(line) {
		return "the middle of the checksum is left out; all of its digits are needed"
	}
	if at := foreign.FindStringSubmatch(line); at != nil {
		return fmt.Sprintf("%s stands among its digits", RuneName([]rune(at[1])[0]))
	}
	for _, w := range shortForm.FindAllString(line, -1) {
		odd := notDigit.FindAllStringIndex(w, -1)
		if n := len(w); len(odd) > 0 && len(odd) <= 3 && (n >= 60 && n <= 68 || n >= 38 && n <= 42) {
			return fmt.Sprintf("%q is not a hexadecimal digit (character %d of %d)", w[odd[0][0]], odd[0][0]+1, n)
		}
	}
	return ""
}

var (
	fileForm = regexp.MustCompile(
		`(?i)[^\s"'()<>/\\:*=]+\.(?:cer|crt|cert|pem|der|p7b|p7c|p7s|p12|pfx|spc|key|pub|jwk|` +
			`json|txt|zip|gz|7z|eml|msg|csv|xlsx?|docx?|pdf|sealane|sig|asc|png|jpe?g|gif|html?)\b`,
	)
	pathLabel = regexp.MustCompile(`(?i)^\s*(?:path|file|name|datei|fichier|chemin|pfad)\s*:`)
)

// nameNear returns the name of the file whose checksum is in line i: from that line, from a
// label in the line before it, or from the list that PowerShell writes.
func nameNear(lines []string, i int) string {
	if name := nameIn(lines[i]); name != "" {
		return name
	}
	if i > 0 && strings.HasSuffix(lines[i-1], ":") && len(hexRuns(lines[i-1])) == 0 {
		return nameIn(lines[i-1])
	}
	for next := i + 1; next < min(len(lines), i+3); next++ {
		if pathLabel.MatchString(lines[next]) {
			return nameIn(lines[next])
		}
	}
	return ""
}

func nameIn(line string) string {
	if found := fileForm.FindAllString(line, -1); len(found) > 0 {
		return found[len(found)-1]
	}
	return ""
}

var toolLine = regexp.MustCompile(`(?i)^\s*(?:$|-[- ]*$|Algorithm\b|Path\s*:|CertUtil:|Certificate fingerprint|` +
	`Fingerprints?:?$|.*\bhash\b.*:$|.*\bsha-?256\b.*:$)`)

// IsToolLine reports whether a line is one that tools write around checksums: a heading, a
// line of hyphens, a label.
func IsToolLine(line string) bool { return toolLine.MatchString(Unquoted(line)) }
