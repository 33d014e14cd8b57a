package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
)

// sumInBase64 is a member that is a checksum, as encoding/json writes bytes. A text in JSON can't
// contain it: its quotes would be escaped.
var sumInBase64 = regexp.MustCompile(`"(?:sha256|spki_sha256|file_sha256|bound|challenge)": ?"[A-Za-z0-9+/]{43}="`)

// sumsInBase64 is a member that is a list of checksums, which may have different lengths.
var sumsInBase64 = regexp.MustCompile(`"said":\s*\[[A-Za-z0-9+/=",\s]+\]`)

// inBase64 is a text in base64.
var inBase64 = regexp.MustCompile(`"[A-Za-z0-9+/]{24,}={0,2}"`)

// HexSums returns JSON with the checksums of the registry's rows in hexadecimal, as they are
// everywhere, and not in base64, as encoding/json writes bytes.
func HexSums(form []byte) []byte {
	if bytes.Contains(form, []byte(`="`)) {
		form = sumInBase64.ReplaceAllFunc(form, hexed)
	}
	if bytes.Contains(form, []byte(`"said":`)) {
		form = sumsInBase64.ReplaceAllFunc(form, hexed)
	}
	return form
}

// hexed returns a member with its texts in base64 in hexadecimal.
func hexed(member []byte) []byte {
	return inBase64.ReplaceAllFunc(member, func(quoted []byte) []byte {
		text := bytes.Trim(quoted, `"`)
		sum, err := base64.StdEncoding.AppendDecode(nil, text)
		if _, is := hex.AppendDecode(nil, text); err != nil || is == nil { // it is hexadecimal already
			return quoted
		}
		return append(hex.AppendEncode([]byte{'"'}, sum), '"')
	})
}
