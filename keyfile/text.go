package keyfile

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// plainText removes a byte order mark and converts UTF-16, which Windows editors and
// PowerShell write with and without a mark, to UTF-8. It returns other bytes unchanged.
// If there is an error, it also returns what could be read.
func plainText(data []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(data, []byte{0xef, 0xbb, 0xbf}); ok {
		return rest, nil
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order, data = binary.LittleEndian, data[2:]
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order, data = binary.BigEndian, data[2:]
	default:
		if order = unmarkedUTF16(data); order == nil {
			return data, nil
		}
	}
	var cut error
	if len(data)%2 != 0 {
		cut = errors.New("the file is UTF-16 with half a character at its end: it was cut; " +
			"send it again, as an attachment")
	}
	text := make([]byte, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		r := rune(order.Uint16(data))
		if utf16.IsSurrogate(r) {
			second := rune(utf8.RuneError)
			if len(data) >= 4 {
				second = rune(order.Uint16(data[2:]))
			}
			if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
				data = data[2:]
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return text, cut
}

// unmarkedUTF16 recognizes UTF-16 by its NULs: in text that is mostly ASCII, either
// the even or the odd bytes are NUL.
func unmarkedUTF16(data []byte) binary.ByteOrder {
	const least = 8
	var zeros [2]int
	for i, b := range data {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(data) / 2 * 9 / 10; {
	case len(data) < least:
	case zeros[0] == 0 && zeros[1] >= most:
		return binary.LittleEndian
	case zeros[1] == 0 && zeros[0] >= most:
		return binary.BigEndian
	}
	return nil
}

// bareBase64 decodes text that is nothing but padded base64 and white space.
func bareBase64(text []byte) ([]byte, bool) {
	packed := withoutSpace(text)
	if len(packed) == 0 {
		return nil, false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(string(packed))
	return decoded, err == nil
}

func withoutSpace(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, text)
}

// isDER reports whether data is a DER or BER SEQUENCE, and not text that starts with
// the digit 0. A short SEQUENCE could be either: it must be of a known kind, and no
// certificate is so short.
func isDER(data []byte) bool {
	if len(data) < 3 || data[0] != tagSequence {
		return false
	}
	if data[1] >= 0x80 {
		return data[1] <= 0x84
	}
	k := recognize(data)
	return k != kindUnknown && k != kindCertificate && checkASN1(data) == nil
}
