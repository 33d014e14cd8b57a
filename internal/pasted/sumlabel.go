package pasted

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	sumLabel    = regexp.MustCompile(`(?i)sha-?(?:256|1)\b|S256|digest|thumbprint|fingerprint`)
	base64Label = regexp.MustCompile(`^(?i:sha-?2?-?(?:256|1|384|512)[-=/]+|pin-sha256=+)`)
)

const longestLabel = 64 // bytes of what base64Label matches

var (
	gapForm = regexp.MustCompile(
		`(?i)(?:[0-9a-f]{4}|[0-9a-f]{2}:)[: ]*(?:\.\.\.|…)[: ]*(?:[0-9a-f]{4}|[0-9a-f]{2}:)`,
	)
	foreign = regexp.MustCompile(`[0-9A-Fa-f]{2}([^\x00-\x7f])[0-9A-Fa-f]{2}`)
)

// shortened explains a line without a checksum that probably should have one.
func shortened(line string) string {
	if (strings.Contains(line, "...") || strings.Contains(line, "…")) && gapForm.MatchString(line) {
		return "the middle of the checksum is left out; all of its digits are needed"
	}
	if strings.ContainsFunc(line, func(r rune) bool { return r > 0x7f }) {
		if at := foreign.FindStringSubmatch(line); at != nil {
			return fmt.Sprintf("%s stands among its digits", RuneName([]rune(at[1])[0]))
		}
	}
	for w := range wordsOf(line, isWordByte) {
		if n := len(w); n < 60 || n > 68 {
			if n < 38 || n > 42 {
				continue
			}
		}
		odd, first := 0, 0
		for i := len(w) - 1; i >= 0; i-- {
			if !isHexByte(w[i]) {
				odd, first = odd+1, i
			}
		}
		if odd > 0 && odd <= 3 {
			return fmt.Sprintf("%q is not a hexadecimal digit (character %d of %d)", w[first], first+1, len(w))
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
func nameNear(lines []string, runs [][]hexRun, i int) string {
	if name := nameIn(lines[i]); name != "" {
		return name
	}
	if i > 0 && strings.HasSuffix(lines[i-1], ":") && len(runs[i-1]) == 0 {
		return nameIn(lines[i-1])
	}
	for next := i + 1; next < min(len(lines), i+3); next++ {
		if strings.Contains(lines[next], ":") && pathLabel.MatchString(lines[next]) {
			return nameIn(lines[next])
		}
	}
	return ""
}

// maxNamed is how much of a line is searched for the name of a file, from its end.
const maxNamed = 4096

func nameIn(line string) string {
	if !strings.Contains(line, ".") {
		return ""
	}
	line = line[max(0, len(line)-maxNamed):]
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
