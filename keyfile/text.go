package keyfile

import (
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
	for _, c := range text {
		if !isInner(c) && c != '=' && !isSpace(c) {
			return nil, false
		}
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
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		n := 0
		for n < len(text) && !isSpace(text[n]) {
			n++
		}
		out = append(out, text[:n]...)
		text = text[min(n+1, len(text)):]
	}
	return out
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

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
