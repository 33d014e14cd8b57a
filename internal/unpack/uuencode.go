package unpack

import (
	"bytes"
	"regexp"

	"github.com/sealane/sealane/internal/pasted"
)

var uuBegin = regexp.MustCompile(`^begin [0-7]{3,4} ([^\r\n]{1,255})\r?(?:\n|$)`)

// maxBegins is how many lines of a text may begin a file.
const maxBegins = 4096

// uuencoded opens the files that are encoded in a text by uuencode.
func (o *opener) uuencoded(p Part) {
	rest, _ := Text(p.Data)
	for range maxBegins {
		at := nextBegin(rest)
		if at == nil {
			return
		}
		name := string(bytes.TrimSpace(rest[at[2]:at[3]]))
		rest = rest[at[1]:]
		data, n := uudecode(rest)
		rest = rest[n:]
		if len(data) > 0 && !o.inner(p, name, data) {
			return
		}
	}
	o.file.Incomplete = true
}

// nextBegin returns where the next line of text is that begins a file, and its name, or nil.
func nextBegin(text []byte) []int {
	const begin, longest = "begin ", 12 + 255*4 + 2
	for from := 0; ; {
		next := bytes.Index(text[from:], []byte(begin))
		if next < 0 {
			return nil
		}
		at := from + next
		from = at + len(begin)
		before := bytes.TrimRight(text[:at], "> |") // the marks of a quoted mail
		if len(before) > 0 && before[len(before)-1] != '\n' {
			continue
		}
		if m := uuBegin.FindSubmatchIndex(text[at:min(len(text), at+longest)]); m != nil {
			return []int{at, at + m[1], at + m[2], at + m[3]}
		}
	}
}

// uudecode decodes the lines up to the one with "end". It returns how much of text it read.
func uudecode(text []byte) (data []byte, n int) {
	for n < len(text) {
		line, _, _ := bytes.Cut(text[n:], []byte{'\n'})
		next := n + min(len(line)+1, len(text)-n)
		line = []byte(pasted.Unquoted(string(bytes.TrimRight(line, "\r"))))
		if len(line) == 0 && len(data) == 0 {
			n = next
			continue
		}
		if len(line) == 0 || line[0] < ' ' || line[0] > '`' {
			return data, n
		}
		count := int(line[0]-' ') & 0x3f
		if line = line[1:]; count == 0 {
			return data, next
		}
		var octets []byte
		for at := 0; at < len(line); at += 4 {
			var group [4]byte
			for i := range group {
				if at+i < len(line) { // blanks at the end of a line may be missing
					group[i] = (line[at+i] - ' ') & 0x3f
				}
			}
			octets = append(octets, group[0]<<2|group[1]>>4, group[1]<<4|group[2]>>2, group[2]<<6|group[3])
		}
		for len(octets) < count {
			octets = append(octets, 0)
		}
		data, n = append(data, octets[:count]...), next
	}
	return data, n
}
