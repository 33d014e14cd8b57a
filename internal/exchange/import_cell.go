package exchange

import (
	"regexp"
	"strings"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

// maxFileName is the length of the longest name of a file, in bytes.
const maxFileName = 255

// shortestSecret is how many characters in a row a cell must have to hold a part of a private key.
const shortestSecret = 40

// certificateFile returns the file that a cell names, or the certificate that is in the cell itself.
// The content of a file may be a private key, so no error shows it.
func certificateFile(cell, folder string) (name string, data []byte, err error) {
	text := strings.Contains(cell, "-----BEGIN ") || len(cell) > maxFileName || strings.ContainsAny(cell, "\r\n") ||
		strings.HasPrefix(cell, "{") || strings.HasPrefix(cell, "<")
	if text || len(keyfile.FindPrivateKeys([]byte(cell))) > 0 {
		return "", []byte(cell), nil
	}
	// As Windows writes paths.
	name = strings.Trim(strings.ReplaceAll(cell, `\`, "/"), `"`)
	far := strings.Contains(name, ":/") || strings.HasPrefix(name, "//")
	if !far {
		if data, err = readNextTo(folder, name); err == nil {
			return name, data, nil
		}
	}
	switch {
	case mayBeSecret(cell) && strings.Contains(cell, "://"):
		return "", nil, registry.Refuse("the certificate is an address: put the file into the folder of the table, " +
			"and give its name")
	case mayBeSecret(cell):
		return "", []byte(cell), nil
	case far:
		return "", nil, registry.Refuse("certificate %q is an address or a path of another computer: "+
			"put the file into the folder of the table, and give its name", name)
	}
	return "", nil, err
}

// longRun is a text that may be a part of a key in base64 or hexadecimal, which may have the slashes of
// a path.
var longRun = regexp.MustCompile(`[A-Za-z0-9+/_-]{40,}={0,2}`)

// digest is the name of a file by its checksum.
var digest = regexp.MustCompile(`(?:^|/)(?:[0-9a-f]{40}|[0-9a-f]{64})\.[a-z0-9]{1,5}$`)

// mayBeSecret reports whether a cell may have a part of a private key in it, so that no error may show
// it. The parts of a path are short words, or the checksum of the file.
func mayBeSecret(cell string) bool {
	cell = digest.ReplaceAllString(cell, "/")
	for _, run := range longRun.FindAllString(cell, -1) {
		for part := range strings.SplitSeq(run, "/") {
			if len(part) >= shortestSecret || isMixed(part) {
				return true
			}
		}
	}
	return false
}

// isMixed reports whether a text changes between capitals, small letters and digits as base64 does,
// and words and dates do not.
func isMixed(text string) bool {
	const least = 4 // a word, a year and a number change less often
	class := func(c byte) int {
		switch {
		case c >= 'a' && c <= 'z':
			return 1
		case c >= 'A' && c <= 'Z':
			return 2
		case c >= '0' && c <= '9':
			return 3
		}
		return 0
	}
	changes := 0
	for at := 1; at < len(text); at++ {
		before, now := class(text[at-1]), class(text[at])
		if before != 0 && now != 0 && before != now && !(before == 2 && now == 1) { // Word
			changes++
		}
	}
	return changes > least
}

// withoutPrivateKey refuses a cell that holds a private key, in a column where none is looked for.
func withoutPrivateKey(column, cell string) error {
	if column == "certificate" || len(cell) < shortestSecret {
		return nil
	}
	if found := keyfile.FindPrivateKeys([]byte(cell)); len(found) > 0 {
		return registry.Refuse("column %q holds %s: treat it as compromised, and remove it from the table",
			column, found[0].Kind)
	}
	return nil
}
