package malform

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/sealane/sealane/fault"
)

// tokenFault is a fault that both layers can have.
type tokenFault struct {
	fault  fault.TokenFault
	name   string
	change func(w *message, l *layer)
}

// tokenVariants returns the faults that both layers can have, for one of them.
func tokenVariants(in fault.Layer) []Variant {
	var list []Variant
	for _, faults := range [][]tokenFault{textFaults, headerFaults, memberFaults} {
		for _, f := range faults {
			list = append(list,
				Variant{Code: f.fault.In(in), Name: f.name, Nested: in == fault.JWS, change: func(w *message) {
					if in == fault.JWS {
						f.change(w, &w.inner)
					} else {
						f.change(w, &w.outer)
					}
				}})
		}
	}
	return list
}

func written(write func(parts []string) string) func(*message, *layer) {
	return func(_ *message, l *layer) { l.write = write }
}

func joined(edit func(token string) string) func(*message, *layer) {
	return written(func(parts []string) string { return edit(strings.Join(parts, ".")) })
}

// lastButOne edits the ciphertext of a JWE or the payload of a JWS.
func lastButOne(edit func(text string) string) func(*message, *layer) {
	return written(func(parts []string) string {
		parts[len(parts)-2] = edit(parts[len(parts)-2])
		return strings.Join(parts, ".")
	})
}

// textFaults are faults of the serialization. Signature and additional data are computed
// over the correct text; only the written text differs.
var textFaults = []tokenFault{
	{fault.Empty, "empty", written(func([]string) string { return "" })},
	{fault.JSONSerialization, "flattened", written(flattened)},
	{fault.JSONSerialization, "general", written(general)},
	{fault.JSONSerialization, "header-unprotected", written(unprotected)},
	{fault.JSONSerialization, "both-kinds-at-once", written(polyglot)},
	{fault.JSONSerialization, "members-of-wrong-type", written(func(parts []string) string {
		return strings.NewReplacer(`"`+parts[len(parts)-1]+`"`, "null", `"`+parts[len(parts)-2]+`"`,
			"12").Replace(flattened(parts))
	})},
	{fault.Parts, "one-less", written(func(parts []string) string { return strings.Join(parts[:len(parts)-1], ".") })},
	{fault.Parts, "one-more", joined(func(s string) string { return s + ".AAAA" })},
	{fault.Parts, "empty-part-inside", written(func(parts []string) string {
		return parts[0] + "." + "." + strings.Join(parts[1:], ".")
	})},
	{fault.Parts, "doubled", joined(func(s string) string { return s + "." + s })},
	{fault.Base64Standard, "standard-alphabet", func(_ *message, l *layer) {
		l.set("note", `"??>??>??>"`) // has both characters at every offset
		l.write = func(parts []string) string {
			return strings.NewReplacer("-", "+", "_", "/").Replace(strings.Join(parts, "."))
		}
	}},
	{fault.Base64Padding, "padded", written(func(parts []string) string {
		for i, p := range parts {
			parts[i] = p + strings.Repeat("=", -len(p)&3)
		}
		return strings.Join(parts, ".")
	})},
	{fault.Base64Space, "line-breaks", joined(func(s string) string { return wrapped(s, "\n") })},
	{fault.Base64Space, "carriage-returns", joined(func(s string) string { return wrapped(s, "\r\n") })},
	{fault.Base64Space, "blank", lastButOne(func(s string) string { return s[:len(s)/2] + " " + s[len(s)/2:] })},
	{fault.Base64Character, "exclamation-mark", lastButOne(func(s string) string {
		return s[:len(s)/2] + "!" + s[len(s)/2:]
	})},
	{fault.Base64Character, "zero-width-space", lastButOne(func(s string) string {
		return s[:len(s)/2] + "\u200b" + s[len(s)/2:]
	})},
	{fault.Base64Length, "cut", lastButOne(func(s string) string {
		for len(s)%4 != 1 {
			s += "A"
		}
		return s
	})},
	{fault.Base64SpareBits, "last-part", written(func(parts []string) string {
		// The last part whose length leaves unused bits in its last character; a signature
		// of 3072 bits does not.
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := &parts[0]
		for i := range parts {
			if len(parts[i])%4 != 0 {
				last = &parts[i]
			}
		}
		end := len(*last) - 1
		*last = (*last)[:end] + string(alphabet[strings.IndexByte(alphabet, (*last)[end])|1])
		return strings.Join(parts, ".")
	})},
}

func wrapped(s, lineBreak string) string {
	const column = 76
	var b strings.Builder
	for len(s) > column {
		b.WriteString(s[:column] + lineBreak)
		s = s[column:]
	}
	return b.String() + s
}

func flattened(parts []string) string {
	if len(parts) == 5 {
		return `{"protected":"` + parts[0] + `","encrypted_key":"` + parts[1] + `","iv":"` + parts[2] +
			`","ciphertext":"` + parts[3] + `","tag":"` + parts[4] + `"}`
	}
	return `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
}

func general(parts []string) string {
	if len(parts) == 5 {
		return `{"protected":"` + parts[0] + `","recipients":[{"encrypted_key":"` + parts[1] + `"}],"iv":"` +
			parts[2] +
			`","ciphertext":"` + parts[3] + `","tag":"` + parts[4] + `"}`
	}
	return `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] +
		`"}]}`
}

// unprotected has the whole header in members that are not protected.
func unprotected(parts []string) string {
	header, err := base64url.DecodeString(parts[0])
	if err != nil {
		header = []byte("{}")
	}
	text := strings.Replace(flattened(parts), `"protected":"`+parts[0]+`"`, `"header":`+string(header), 1)
	return strings.Replace(text, `"header":`, `"unprotected":{"jku":"https://keys.invalid/jwks.json"},"header":`, 1)
}

// polyglot is a JWE and a JWS to a reader that looks for the members of one of them.
func polyglot(parts []string) string {
	if len(parts) == 5 {
		return strings.TrimSuffix(flattened(parts), "}") + `,"payload":"` + parts[3] +
			`","signatures":[{"protected":"` + parts[0] + `","signature":"AAAA"}]}`
	}
	return strings.TrimSuffix(general(parts), "}") + `,"ciphertext":"` + parts[1] +
		`","recipients":[{"encrypted_key":"AAAA"}],"iv":"AAAA","tag":"AAAA"}`
}

func edited(edit func(json string) string) func(*message, *layer) {
	return func(_ *message, l *layer) { l.json = edit }
}

func with(name, value string) func(*message, *layer) {
	return func(_ *message, l *layer) { l.set(name, value) }
}

func without(name string) func(*message, *layer) {
	return func(_ *message, l *layer) { l.drop(name) }
}

// maxHeader is the maximum size of a header.
const maxHeader = 4 << 10

// headerFaults are faults of the header's JSON.
var headerFaults = []tokenFault{
	{fault.HeaderTooLarge, "ballast", with("ballast", quoted(strings.Repeat("x", 5000)))},
	{fault.HeaderTooLarge, "one-byte-more", edited(func(s string) string {
		return s[:len(s)-1] + strings.Repeat(" ", maxHeader+1-len(s)) + "}"
	})},
	{fault.HeaderUTF8, "stray-byte", with("note", "\"\xff\"")},
	{fault.HeaderUTF8, "overlong", with("note", "\"\xc0\xaf\"")},
	{fault.HeaderUTF8, "surrogate", with("note", "\"\xed\xa0\x80\"")},
	{fault.HeaderNotJSON, "trailing-data", edited(func(s string) string { return s + "x" })},
	{fault.HeaderNotJSON, "second-object", edited(func(s string) string { return s + s })},
	{fault.HeaderNotJSON, "cut", edited(func(s string) string { return s[:len(s)-1] })},
	{fault.HeaderNotJSON, "single-quotes", edited(func(s string) string { return strings.ReplaceAll(s, `"`, `'`) })},
	{fault.HeaderNotJSON, "byte-order-mark", edited(func(s string) string { return "\ufeff" + s })},
	{fault.HeaderNotJSON, "not-a-number", with("note", "NaN")},
	{fault.HeaderNotJSON, "half-a-number", with("note", "2e+")},
	{fault.HeaderNotJSON, "control-character", with("note", "\"a\tb\"")},
	{fault.HeaderNotJSON, "comment", edited(func(s string) string { return "{/* */" + s[1:] })},
	{fault.HeaderNotObject, "array", edited(func(s string) string { return "[" + s + "]" })},
	{fault.HeaderNotObject, "string", edited(func(s string) string { return `"header"` })},
	{fault.HeaderNotObject, "null", edited(func(string) string { return "null" })},
	{fault.HeaderDepth, "arrays", with("deep", strings.Repeat("[", 40)+strings.Repeat("]", 40))},
	{fault.HeaderDepth, "objects", with("deep", strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100))},
	{fault.HeaderDuplicate, "alg-twice", edited(func(s string) string { return `{"alg":"none",` + s[1:] })},
	{fault.HeaderDuplicate, "alg-escaped", edited(func(s string) string { return `{"\u0061lg":"none",` + s[1:] })},
	{fault.HeaderDuplicate, "inside-a-member", with("note", `{"a":1,"a":2}`)},
	{fault.HeaderType, "alg-number", with("alg", "256")},
	{fault.HeaderType, "alg-null", with("alg", "null")},
	{fault.HeaderType, "typ-null", with("typ", "null")},
	{fault.HeaderType, "cty-null", with("cty", "null")},
	{fault.HeaderType, "kid-number", with("kid", "4711")},
	{fault.HeaderType, "kid-null", with("kid", "null")},
	{fault.HeaderType, "typ-array", with("typ", `["JWT"]`)},
	{fault.HeaderType, "cty-object", with("cty", `{}`)},
}

// memberFaults are faults of one member of a header that is correct JSON.
var memberFaults = []tokenFault{
	{fault.HeaderZip, "def", zipped(deflated)},
	{fault.HeaderZip, "def-over-plain-content", with("zip", `"DEF"`)},
	{fault.HeaderZip, "gzip", with("zip", `"GZIP"`)},
	{fault.HeaderZip, "empty", with("zip", `""`)},
	{fault.HeaderZip, "null", with("zip", "null")},
	{fault.HeaderZip, "def-over-a-bomb", zipped(func([]byte) ([]byte, error) { return bomb(bombSize) })},
	{fault.HeaderCrit, "null", with("crit", "null")},
	{fault.HeaderCrit, "null-in-it", with("crit", "[null]")},
	{fault.HeaderCrit, "empty-name", with("crit", `[""]`)},
	{fault.HeaderCrit, "alg-in-it", with("crit", `["alg"]`)},
	{fault.HeaderCrit, "prototype", with("crit", `["__proto__","constructor"]`)},
	{fault.HeaderCrit, "unknown", func(_ *message, l *layer) {
		l.set("crit", `["urn:example:must"]`)
		l.set("urn:example:must", "true")
	}},
	{fault.HeaderCrit, "empty", with("crit", "[]")},
	{fault.HeaderCrit, "no-array", with("crit", `"exp"`)},
	{fault.HeaderCrit, "twice-in-it", with("crit", `["exp","exp"]`)},
	{fault.HeaderB64, "false", with("b64", "false")},
	{fault.HeaderB64, "true", with("b64", "true")},
	{fault.HeaderB64, "null", with("b64", "null")},
	{fault.HeaderJWK, "null", with("jwk", "null")},
	{fault.HeaderJWK, "private-key",
		strangers("jwk", func(key *rsa.PrivateKey) (string, error) { return privateJWK(key), nil })},
	{fault.HeaderJKU, "loopback", strangers("jku", url("http://127.0.0.1:9/jwks.json"))},
	{fault.HeaderJKU, "file", strangers("jku", url("file:///etc/passwd"))},
	{fault.HeaderX5C, "empty", with("x5c", "[]")},
	{fault.HeaderX5U, "null", with("x5u", "null")},
	{fault.HeaderJWK, "public-key", func(w *message, l *layer) {
		key := w.Recipient
		if l == &w.inner { // the key that is known anyway
			key = &w.Signer.PublicKey
		}
		l.set("jwk", jwk(key))
	}},
	{fault.HeaderJWK, "strangers-public-key",
		strangers("jwk", func(key *rsa.PrivateKey) (string, error) { return jwk(&key.PublicKey), nil })},
	{fault.HeaderJKU, "url", strangers("jku", url("https://keys.invalid/jwks.json"))},
	{fault.HeaderX5U, "url", strangers("x5u", url("https://keys.invalid/certificate.pem"))},
	{fault.HeaderX5C, "certificate", strangers("x5c", certificate)},
	{fault.AlgMissing, "absent", without("alg")},
	{fault.AlgMissing, "in-capitals", func(_ *message, l *layer) {
		for i := range l.members {
			l.members[i].name = strings.Replace(l.members[i].name, "alg", "ALG", 1)
		}
	}},
	{fault.KidForm, "129-characters", with("kid", quoted(strings.Repeat("k", 129)))},
	{fault.KidForm, "empty", with("kid", `""`)},
	{fault.KidForm, "nul", with("kid", `"key\u0000id"`)},
	{fault.KidForm, "letter-outside-ascii", with("kid", `"clé"`)},
	{fault.KidForm, "line-break", with("kid", `"key\r\nX-Header: 1"`)},
	{fault.KidMissing, "absent", without("kid")},
	{fault.KidUnknown, "nobody", with("kid", `"nobody-knows-me"`)},
	{fault.KidUnknown, "path", with("kid", `"../../etc/passwd"`)},
	{fault.KidUnknown, "quotes", with("kid", `"' OR '1'='1"`)},
	{fault.KidNotAllowed, "present", with("kid", `"not-asked-for"`)},
	{fault.TypNotAllowed, "unknown", with("typ", `"at+jwt"`)},
	{fault.TypNotAllowed, "json-serialization", with("typ", `"JOSE+JSON"`)},
	{fault.CtyNotAllowed, "text", with("cty", `"text/plain"`)},
	{fault.CtyNotAllowed, "json", with("cty", `"json"`)},
}

// zipped announces that the content is compressed, and compresses what is encrypted or
// signed.
func zipped(compress func([]byte) ([]byte, error)) func(*message, *layer) {
	return func(w *message, l *layer) {
		l.set("zip", `"DEF"`)
		if l == &w.outer {
			w.content = compress
			return
		}
		w.Payload, w.err = compress(w.Payload)
	}
}

// strangers adds a stranger's key, or its address, to the header. An inner token is signed
// with it: a reader that trusts the header accepts the signature.
func strangers(name string, value func(*rsa.PrivateKey) (string, error)) func(*message, *layer) {
	return func(w *message, l *layer) {
		if w.Other == nil {
			w.err = fmt.Errorf("%w: Other", errMaterial)
			return
		}
		text, err := value(w.Other)
		if err != nil {
			w.err = err
			return
		}
		l.set(name, text)
		if l == &w.inner {
			w.sign = func(input []byte) ([]byte, error) { return w.signWith(w.Other, input) }
		}
	}
}

func url(address string) func(*rsa.PrivateKey) (string, error) {
	return func(*rsa.PrivateKey) (string, error) { return quoted(address), nil }
}

// certificate returns an x5c of one certificate, signed with its own key (RFC 7515, section
// 4.1.6: standard base64, padded).
func certificate(key *rsa.PrivateKey) (string, error) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "stranger.invalid"},
		NotBefore:    begin,
		NotAfter:     begin.AddDate(2, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	return "[" + quoted(base64.StdEncoding.EncodeToString(der)) + "]", nil
}

// privateJWK is the result of a sender confusing the private key with the public one.
func privateJWK(key *rsa.PrivateKey) string {
	return strings.TrimSuffix(jwk(&key.PublicKey), "}") + `,"d":"` + encode(key.D.Bytes()) + `"}`
}

func jwk(key *rsa.PublicKey) string {
	e := big.NewInt(int64(key.E)).Bytes()
	return `{"kty":"RSA","n":"` + encode(key.N.Bytes()) + `","e":"` + encode(e) + `"}`
}
