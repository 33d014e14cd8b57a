package keyfile

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/unpack"
)

// parse reads a file that holds no others.
func parse(data []byte) (*File, error) {
	if rest := withoutMark(data); isDER(rest) {
		if err := refusePrivateText(rest); err != nil {
			return nil, err
		}
		f, err := parseDER(rest, FormatDER, FormatPKCS7DER, FormatPublicDER)
		if err != nil && withLF(rest) != nil {
			return nil,
				errors.New("its line ends were changed, as if it were text, which happens with FTP in text mode: " +
					"transfer it in binary mode, or send it as PEM")
		}
		return f, err
	}
	if kind := keyStore(data); kind != "" {
		return nil, refuseStore(data, kind)
	}
	text, half := plainText(data)
	meant := unpack.Meant(text)
	if err := refusePrivateText(text, meant); err != nil {
		return nil, err
	}
	if rest := withoutNULs(text); rest != nil {
		if err := refusePrivateText(rest); err != nil {
			return nil, err
		}
	}
	if half != nil {
		return nil, half
	}
	f, err := parseText(text)
	if err == nil {
		return f, nil
	}
	if meant != nil {
		f, other := parseText(meant)
		if other == nil {
			return f, nil
		}
		if isDamaged(err) && !isDamaged(other) { // as it is meant, the text is not damaged
			err = other
		}
	}
	for _, reading := range [][]byte{text, meant} {
		if f, other := parseEmbedded(reading); f != nil {
			return f, nil
		} else if other != nil {
			return nil, other
		}
	}
	switch kind := filekind.Of(data); {
	case convertedDER(data):
		return nil, errors.New("it was DER, and a program has converted it as if it were text: " +
			"send it as a binary file, or as PEM")
	case kind == filekind.RTF, kind == filekind.PDF, kind == filekind.OldOffice, kind == filekind.Office:
		return nil, notRecognized(data, kind) // the base64 in it is damaged, if there is any
	}
	return nil, err
}

// wideMarks are in a private key in UTF-16: the labels of PEM, base64, JWK, XML and PuTTY.
var wideMarks = [][]byte{
	[]byte("-\x00-\x00-"), []byte("M\x00I\x00"), []byte("k\x00t\x00y"), []byte("R\x00S\x00A"), []byte("P\x00u\x00T"),
}

// withoutNULs returns text without NULs, if a part of it may be a private key in UTF-16, or nil.
func withoutNULs(text []byte) []byte {
	if !slices.ContainsFunc(wideMarks, func(mark []byte) bool { return bytes.Contains(text, mark) }) {
		return nil
	}
	return bytes.ReplaceAll(text, []byte{0}, nil)
}

func isDamaged(err error) bool {
	_, damaged := errors.AsType[damagedError](err)
	return damaged
}

// withoutMark returns DER without the byte order mark that a text editor has put before it.
func withoutMark(data []byte) []byte {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok && isDER(rest) {
		return rest
	}
	return data
}

// withLF returns DER of which LF had become CRLF, if it then has the length that it states, or nil.
func withLF(der []byte) []byte {
	exact := func(der []byte) bool {
		e, err := firstElement(der)
		return err == nil && !e.indefinite && e.header+e.length == len(der)
	}
	if exact(der) {
		return nil
	}
	if restored := bytes.ReplaceAll(der, []byte("\r\n"), []byte{'\n'}); exact(restored) {
		return restored
	}
	return nil
}

// convertedDER reports whether data is DER whose octets were taken for text in Latin-1 or Windows-1252
// and written as UTF-8, or were taken for UTF-8 or for ANSI, so that some are lost.
func convertedDER(data []byte) bool {
	const lost, second = "0?", 4 // a program writes a question mark for a character that it does not have
	return fromUTF8(data) != nil || bytes.HasPrefix(data, []byte("0\ufffd")) && utf8.Valid(data) ||
		bytes.HasPrefix(data, []byte(lost)) && bytes.HasPrefix(data[min(second, len(data)):], []byte(lost)) &&
			bytes.IndexByte(data, 0) >= 0
}

// windows1252 are the characters of the octets from 0x80 on which are others than in Latin-1.
var windows1252 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

// fromUTF8 returns the octets that were taken for Latin-1 or Windows-1252 and written as UTF-8, or nil.
func fromUTF8(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("0\u0082")) && !bytes.HasPrefix(data, []byte("0\u201a")) || !utf8.Valid(data) {
		return nil
	}
	octets := make([]byte, 0, len(data))
	for _, r := range string(data) {
		if r > 0xff {
			at := slices.Index(windows1252, r)
			if at < 0 {
				return nil
			}
			r = rune(0x80 + at)
		}
		octets = append(octets, byte(r))
	}
	return octets
}

// parseText takes text in which refusePrivateText has found no private key.
func parseText(text []byte) (*File, error) {
	kind := filekind.Of(text)
	text = withoutMentions(text)
	trimmed := bytes.TrimSpace(text)
	if bytes.Contains(text, []byte(pemBegin)) {
		return parsePEM(text)
	}
	if bytes.HasPrefix(trimmed, []byte("{")) && kind == filekind.Unknown {
		return parseJWK(trimmed)
	}
	if decoded, ok := bareBase64(trimmed); ok {
		if err := refusePrivateText(decoded); err != nil {
			return nil, err
		}
		if isDER(decoded) {
			return parseDER(decoded, FormatBase64, FormatPKCS7Base64, FormatPublicBase64)
		}
		if bytes.Contains(decoded, []byte(pemBegin)) {
			return parsePEM(withoutMentions(decoded))
		}
		if again, ok := bareBase64(bytes.TrimSpace(decoded)); ok { // encoded twice
			if err := refusePrivateText(again); err != nil {
				return nil, err
			}
			if isDER(again) {
				return parseDER(again, FormatBase64, FormatPKCS7Base64, FormatPublicBase64)
			}
			if bytes.Contains(again, []byte(pemBegin)) {
				return parsePEM(withoutMentions(again))
			}
		}
	}
	return nil, notRecognized(trimmed, kind)
}

// parseEmbedded returns the certificates that are in base64 among other text, as in XML, or
// where a BEGIN line is missing. It returns nil if there are none, or if the text is PEM or a
// JWK, of which the errors say more. If there are too many, the error says so.
func parseEmbedded(text []byte) (*File, error) {
	if bytes.Count(text, []byte(pemBegin)) > 1 || bytes.Contains(text, []byte(`"kty"`)) {
		return nil, nil
	}
	var certificates []*x509.Certificate
	isPEM := bytes.Contains(text, []byte(pemBegin))
	for decoded := range embedded(text) {
		if inner := behindText(decoded); recognize(inner) != kindUnknown && !isPEM {
			decoded = wholeElement(inner) // words of a letter may follow the base64
		}
		switch k := recognize(decoded); k {
		case kindCertificate, kindSignedData, kindPkiPath:
			if checkASN1(decoded) != nil || len(certificates) > maxCertificates {
				continue
			}
			if found, _, err := parseCertificates(k, decoded); err == nil {
				certificates = append(certificates, found...)
			}
		default:
			if inner := withoutMentions(decoded); bytes.Contains(inner, []byte(pemBegin)) {
				if f, err := parsePEM(inner); err == nil {
					certificates = append(append(certificates, f.Certificates...), f.Unused...)
				}
			}
		}
	}
	if len(certificates) == 0 {
		return nil, nil
	}
	return newFile(FormatBase64, certificates, nil)
}

// behindText returns octets from the beginning of a certificate on, if they begin with characters, as what a program
// prints of a string in a string does. Other octets, such as those of a key store, are returned as they are.
func behindText(octets []byte) []byte {
	const near = 64
	at := bytes.Index(octets[:min(len(octets), near)], []byte{tagSequence, 0x82})
	if at <= 0 || recognize(octets) != kindUnknown ||
		bytes.ContainsFunc(octets[:at], func(r rune) bool { return r < ' ' || r > '~' }) {
		return octets
	}
	return octets[at:]
}

// embedded returns what each long text in base64 or hexadecimal, and each that a program has printed
// as numbers or escapes, stands for.
func embedded(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for decoded := range longBase64(text) {
			if !yield(decoded) {
				return
			}
		}
		for decoded := range longHex(text) {
			if !yield(decoded) {
				return
			}
		}
		for decoded := range pasted.Octets(text, leastOctets) {
			if !yield(decoded) {
				return
			}
		}
	}
}

const leastOctets = 64 // of a private key or a certificate

func notRecognized(text []byte, kind filekind.Kind) error {
	switch {
	case len(text) == 0:
		return errors.New("the file is empty: " + adviceSendCertificate)
	case kind != filekind.Unknown:
		return fmt.Errorf("this is %s: %s", kind, kind.Advice())
	case bytes.Contains(text, []byte("BEGIN CERTIFICATE")):
		return errors.New("the line BEGIN CERTIFICATE lacks its five hyphens: a mail program or word processor " +
			"changed them; send the file itself as an attachment")
	case bytes.Contains(text, []byte(pemEnd)):
		return errors.New("there is a line with END and none with BEGIN, and what is before it is no certificate: " +
			"lines are missing at the front; send the file itself as an attachment")
	}
	return fmt.Errorf("its %d bytes are not PEM, DER, PKCS#7, JWK or base64 of these: %s",
		len(text), adviceSendCertificate)
}
