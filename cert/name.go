package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// nameTypes are the short names of attributes, of RFC 4514, section 3, and of those that openssl
// prints.
var nameTypes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description",
	"2.5.4.15": "businessCategory", "2.5.4.17": "postalCode", "2.5.4.41": "name", "2.5.4.42": "GN",
	"2.5.4.43": "initials", "2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier", "2.5.4.65": "pseudonym",
	"2.5.4.97":                   "organizationIdentifier",
	"1.2.840.113549.1.9.1":       "emailAddress",
	"1.2.840.113549.1.9.2":       "unstructuredName",
	"0.9.2342.19200300.100.1.1":  "UID",
	"0.9.2342.19200300.100.1.25": "DC",
	"1.3.6.1.4.1.311.60.2.1.1":   "jurisdictionL",
	"1.3.6.1.4.1.311.60.2.1.2":   "jurisdictionST",
	"1.3.6.1.4.1.311.60.2.1.3":   "jurisdictionC",
}

// Name returns a distinguished name in DER as text: in the order of RFC 4514, the last
// attribute first, with all values as text. Data that is not a name is shown in
// hexadecimal.
func Name(der []byte) string {
	var parts pkix.RDNSequence
	var sets []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &sets); err != nil || len(rest) > 0 {
		return fmt.Sprintf("#%x", der)
	}
	for _, set := range sets {
		var part pkix.RelativeDistinguishedNameSET
		for rest := set.Bytes; len(rest) > 0; {
			var a struct {
				Type  asn1.ObjectIdentifier
				Value asn1.RawValue
			}
			var err error
			if rest, err = asn1.Unmarshal(rest, &a); err != nil {
				return fmt.Sprintf("#%x", der)
			}
			part = append(part, pkix.AttributeTypeAndValue{Type: a.Type, Value: nameValue(a.Value)})
		}
		parts = append(parts, part)
	}
	var texts []string
	for _, part := range slices.Backward(parts) {
		var values []string
		for _, a := range part {
			label := nameTypes[a.Type.String()]
			if label == "" {
				label = a.Type.String()
			}
			values = append(values, label+"="+a.Value.(string))
		}
		texts = append(texts, strings.Join(values, "+"))
	}
	return strings.Join(texts, ",")
}

// nameValue returns a value as text, with the escapes of RFC 4514, section 2.4.
func nameValue(v asn1.RawValue) string {
	const bmp, universal, t61 = 30, 28, 20
	text := string(v.Bytes)
	switch v.Tag {
	case bmp, universal:
		width := map[int]int{bmp: 2, universal: 4}[v.Tag]
		var out strings.Builder
		for b := range slices.Chunk(v.Bytes, width) {
			var r rune
			for _, octet := range b {
				r = r<<8 | rune(octet)
			}
			out.WriteRune(r)
		}
		text = out.String()
	case t61:
		if !utf8.Valid(v.Bytes) { // Latin-1, as it is used
			text = string(latin1(v.Bytes))
		}
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
	default:
		return fmt.Sprintf("#%x", v.FullBytes)
	}
	text = nameEscapes.Replace(text)
	if strings.HasPrefix(text, " ") || strings.HasPrefix(text, "#") {
		text = `\` + text
	}
	if rest, ok := strings.CutSuffix(text, " "); ok && rest != "" {
		text = rest + `\ `
	}
	return text
}

func latin1(octets []byte) []byte {
	var out []byte
	for _, octet := range octets {
		out = utf8.AppendRune(out, rune(octet))
	}
	return out
}

var nameEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "+", `\+`, ",", `\,`, ";", `\;`, "<", `\<`, ">", `\>`)
