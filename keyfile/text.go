package keyfile

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/sealane/sealane/internal/unpack"
)

// plainText returns data as text in UTF-8 with LF line ends. It returns other bytes unchanged.
// If there is an error, it also returns what could be read.
func plainText(data []byte) ([]byte, error) {
	text, err := unpack.Text(data)
	if err != nil {
		err = fmt.Errorf("%w; send it again, as an attachment", err)
	}
	return text, err
}

// bareBase64 decodes text that is nothing but base64 and white space, padded or not.
func bareBase64(text []byte) ([]byte, bool) {
	foreign := func(r rune) bool { return !isBase64(r) && r != ' ' && r != '\t' && r != '\r' && r != '\n' }
	if bytes.ContainsFunc(text, foreign) {
		return nil, false
	}
	packed := withoutSpace(text)
	if len(packed) == 0 {
		return nil, false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(string(packed))
	if err != nil {
		decoded, err = base64.RawStdEncoding.Strict().DecodeString(string(packed))
	}
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
