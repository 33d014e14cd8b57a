package cert

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"unicode/utf16"
)

// plainText removes a byte order mark and turns UTF-16 (which Windows editors
// and PowerShell write) into UTF-8. Other bytes come back unchanged.
func plainText(data []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(data, []byte{0xef, 0xbb, 0xbf}); ok {
		return rest, nil
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return data, nil
	}
	data = data[2:]
	if len(data)%2 != 0 {
		return nil, errors.New("the file is UTF-16 with half a character at its end: it was cut; send it again, as an attachment")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units))), nil
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

// isDER tells a DER or BER SEQUENCE from text that starts with the digit 0. A
// short SEQUENCE could be either, and matters only where it is a private key.
func isDER(data []byte) bool {
	if len(data) < 3 || data[0] != tagSequence {
		return false
	}
	return data[1] >= 0x80 && data[1] <= 0x84 || checkASN1(data) == nil && recognise(data).private() != ""
}
