package keyfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// pemBlock is one block of RFC 7468.
type pemBlock struct {
	label     string
	firstLine int    // number of the BEGIN line in the file
	lastLine  int    // number of the END line
	body      []byte // between these lines
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	pemDash  = "-----"
)

// pemBlocks splits the text at its BEGIN and END lines and ignores what is around
// them. A damaged block is an error, unlike in encoding/pem, because the person who
// sent it has to learn what is wrong.
func pemBlocks(text []byte) ([]pemBlock, error) {
	var blocks []pemBlock
	line, rest := 1, text
	for {
		begin := bytes.Index(rest, []byte(pemBegin))
		if begin < 0 {
			return blocks, nil
		}
		if len(blocks) == maxCertificates {
			return nil, fmt.Errorf("the file has more than %d PEM blocks: send the certificate and its chain only",
				maxCertificates)
		}
		line += bytes.Count(rest[:begin], []byte("\n"))
		rest = rest[begin+len(pemBegin):]
		label, after, ok := bytes.Cut(rest, []byte(pemDash))
		if !ok || len(label) > 64 || bytes.ContainsAny(label, "\r\n") {
			return nil, fmt.Errorf("line %d begins a PEM block but its %q is not closed by five hyphens: "+
				"send the file again, as an attachment", line, pemBegin)
		}
		b := pemBlock{label: string(label), firstLine: line}
		end := bytes.Index(after, []byte(pemEnd+b.label+pemDash))
		if end < 0 {
			return nil, fmt.Errorf("PEM block %q at line %d has no line %q: the end was cut; "+
				"send the file again, as an attachment", b.label, line, pemEnd+b.label+pemDash)
		}
		b.body = after[:end]
		line += bytes.Count(b.body, []byte("\n"))
		b.lastLine = line
		blocks = append(blocks, b)
		rest = after[end+len(pemEnd)+len(b.label)+len(pemDash):]
	}
}

// headers splits the RFC 1421 headers of old encrypted keys from the base64. skipped is
// the number of lines before the base64.
func (b pemBlock) headers() (headers string, base64Text []byte, skipped int) {
	if !bytes.Contains(b.body, []byte(":")) {
		return "", b.body, 0
	}
	at := 0
	for at < len(b.body) {
		line, _, _ := bytes.Cut(b.body[at:], []byte("\n"))
		at = min(at+len(line)+1, len(b.body))
		if skipped++; skipped > 1 && len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	return string(b.body[:at]), b.body[at:], skipped
}

// bytes decodes the base64 as far as possible: in lines, quoted in a mail, or escaped
// in a string.
func (b pemBlock) bytes() []byte {
	b.body = unquoted(b.body)
	_, text, _ := b.headers()
	packed := withoutSpace(text)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(packed)))
	n, _ := base64.StdEncoding.Decode(out, packed)
	return out[:n]
}

// der decodes the block, which must be one whole ASN.1 element.
func (b pemBlock) der() ([]byte, error) {
	_, text, _ := b.headers()
	der, err := base64.StdEncoding.Strict().DecodeString(string(withoutSpace(text)))
	if err != nil {
		return nil, b.damaged(errors.New("it is not valid base64"))
	}
	if err := checkASN1(der); err != nil {
		return nil, b.damaged(err)
	}
	return der, nil
}

// damaged returns an error that says where a block is damaged, by line numbers, so
// that the sender can find the place.
func (b pemBlock) damaged(cause error) error {
	_, text, skipped := b.headers()
	var reasons, lines []string
	var numbers []int
	for i, l := range strings.Split(string(text), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
			numbers = append(numbers, b.firstLine+skipped+i)
		}
	}
	usual := usualLength(lines)
	for i, l := range lines {
		if bad := strings.IndexFunc(l, func(r rune) bool { return !isBase64(r) }); bad >= 0 {
			reasons = append(reasons, fmt.Sprintf("line %d has a character at position %d that base64 does not know",
				numbers[i], bad+1))
			break
		}
	}
	for i, l := range lines {
		if i < len(lines)-1 && len(l) != usual || len(l) > usual {
			reasons = append(reasons, fmt.Sprintf("the base64 lines are uneven, line %d is the first: "+
				"it has %d characters where most lines have %d", numbers[i], len(l), usual))
			break
		}
	}
	reasons = append(reasons, cause.Error())
	if why := sizeMismatch(strings.Join(lines, "")); why != "" && !strings.Contains(cause.Error(), "the ASN.1 says") {
		reasons = append(reasons, why)
	}
	return damagedError(fmt.Sprintf("PEM block %q (lines %d to %d) is damaged: %s; "+
		"export it again and send the file itself as an attachment, not copied text",
		b.label, b.firstLine, b.lastLine, strings.Join(reasons, "; ")))
}

// damagedError says what is wrong with the text of a PEM block.
type damagedError string

func (e damagedError) Error() string { return string(e) }

// usualLength returns the most frequent length of the lines before the last one.
func usualLength(lines []string) int {
	counts := make(map[int]int)
	usual := 0
	for i, l := range lines {
		if i == len(lines)-1 && i > 0 {
			break
		}
		n := len(l)
		if counts[n]++; counts[n] > counts[usual] || counts[n] == counts[usual] && n > usual {
			usual = n
		}
	}
	return usual
}

// sizeMismatch compares the length that the ASN.1 states with what the characters
// could hold, even if they no longer decode. It returns "" if the lengths agree.
func sizeMismatch(chars string) string {
	chars = strings.TrimRight(strings.Map(func(r rune) rune {
		if isBase64(r) {
			return r
		}
		return -1
	}, chars), "=")
	holds := len(chars) * 6 / 8
	start, err := base64.RawStdEncoding.DecodeString(chars[:min(len(chars), 64)/4*4])
	if err != nil {
		return ""
	}
	e, err := firstElement(start)
	if err != nil || e.indefinite || e.tag != tagSequence || e.header+e.length == holds {
		return ""
	}
	return fmt.Sprintf("the ASN.1 says %d bytes, the block holds %d", e.header+e.length, holds)
}

func isBase64(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '='
}
