package hostile_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/profile"
)

// mangled drafts the faults that only inspect tells from others.
func (w *writer) mangled() {
	outer := func(f fault.Code, name string, says fault.Code, on profile.Outcome, edit func(parts []string) []string) {
		w.add(hostile.Case{
			Path:    kindOf(f) + "/" + string(f) + "." + name,
			Fault:   f,
			Opener:  says,
			Outcome: on,
			Profile: "riskos",
			Source:  source(f),
		},
			func() []byte { return []byte(strings.Join(edit(strings.Split(string(w.good("riskos")), ".")), ".")) })
	}
	outer(fault.PartsOrder, "ciphertext-before-iv", fault.IVLength, profile.NotJWE, func(p []string) []string {
		return []string{p[0], p[1], p[3], p[2], p[4]}
	})
	outer(fault.PartsOrder, "tag-before-ciphertext", fault.TagLength, profile.NotJWE, func(p []string) []string {
		return []string{p[0], p[1], p[2], p[4], p[3]}
	})
	outer(fault.Cut.In(fault.JWE), "three-characters-in-front", fault.HeaderNotJSON.In(fault.JWE), profile.NotJWE,
		func(p []string) []string { p[0] = p[0][4:]; return p })

	inner := func(f fault.Code, name string, says fault.Code, on profile.Outcome, edit func(jws []byte) []byte) {
		w.add(hostile.Case{
			Path:    kindOf(f) + "/" + string(f) + "." + name,
			Fault:   f,
			Opener:  says,
			Outcome: on,
			Profile: "riskos",
			Source:  source(f),
		},
			func() []byte {
				return testkey.Encrypt(w.t, edit(testkey.Sign(w.t, []byte(payload), w.key("signer"))),
					&w.key("recipient").PublicKey)
			})
	}
	inner(fault.InnerEncodedTwice, "base64", fault.Parts.In(fault.JWS), profile.NotJWS, func(jws []byte) []byte {
		for longer := payload; len(jws)%3 == 0; { // else there is no padding, and it is base64url
			longer += " "
			jws = testkey.Sign(w.t, []byte(longer), w.key("signer"))
		}
		return []byte(base64.StdEncoding.EncodeToString(jws))
	})
	inner(fault.InnerEncodedTwice, "base64url", fault.Parts.In(fault.JWS), profile.NotJWS, func(jws []byte) []byte {
		return []byte(base64.RawURLEncoding.EncodeToString(jws))
	})
	inner(fault.InnerQuoted, "as-json-string", fault.Base64Character.In(fault.JWS), profile.NotJWS,
		func(jws []byte) []byte { return []byte(`"` + string(jws) + `"`) })
	inner(fault.SignatureDetached, "payload-left-out", fault.SignatureWrong, profile.Signature,
		func(jws []byte) []byte {
			p := bytes.Split(jws, []byte("."))
			return bytes.Join([][]byte{p[0], nil, p[2]}, []byte("."))
		})
	inner(fault.SignatureContent, "amount-changed", fault.SignatureWrong, profile.Signature, func(jws []byte) []byte {
		p := bytes.Split(jws, []byte("."))
		p[1] = []byte(base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(payload, "Jane", "Mary", 1))))
		return bytes.Join(p, []byte("."))
	})
	w.strangers()
	inner(fault.SignatureContent, "header-changed", fault.SignatureWrong, profile.Signature, func(jws []byte) []byte {
		p := bytes.Split(jws, []byte("."))
		p[0] = []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"` + hostile.TheirKeyID +
			`"}`)))
		return bytes.Join(p, []byte("."))
	})
}

// strangers drafts messages of another partner, whose key and key ID somebody
// knows, but not for this lane.
func (w *writer) strangers() {
	stranger := func(f fault.Code, name, profileName string, says fault.Code, on profile.Outcome,
		change func(*malform.Material)) {
		w.add(hostile.Case{
			Path:    kindOf(f) + "/" + string(f) + "." + name,
			Fault:   f,
			Opener:  says,
			Outcome: on,
			Profile: profileName,
			Source:  source(f),
		},
			func() []byte {
				m := w.material(profileName)
				change(&m)
				token, err := malform.Make("", m)
				if err != nil {
					w.t.Fatal(err)
				}
				return token
			})
	}
	signs := func(m *malform.Material) { m.Signer, m.SignerID = w.key("other"), hostile.OtherKeyID }
	stranger(fault.SignatureOther, "kid-of-another-partner", "riskos", fault.SignatureWrong, profile.Signature, signs)
	stranger(fault.SignatureOther, "forwarded", "riskos", fault.SignatureWrong, profile.Signature,
		func(m *malform.Material) {
			signs(m)
			m.Payload = []byte(strings.Replace(payload, "hostile-1", "stranger-1", 1))
		})
	stranger(fault.KidUnknown.In(fault.JWS), "of-another-partner", "riskos-known-signers",
		fault.KidUnknown.In(fault.JWS), profile.Signature, signs)
	stranger(fault.OpenKeyOther, "kid-of-another-party", "rdx", fault.KidUnknown.In(fault.JWE), profile.Decryption,
		func(m *malform.Material) { m.RecipientID = hostile.OtherKeyID })
}

// bodies drafts what stands around a token that is itself good.
func (w *writer) bodies() {
	body := func(f fault.Code, name string, says fault.Code, on profile.Outcome, around func(token string) string) {
		w.add(hostile.Case{
			Path:    "body/" + string(f) + "." + name,
			Fault:   f,
			Opener:  says,
			Outcome: on,
			Profile: "riskos",
			Source:  source(f),
		},
			func() []byte { return []byte(around(string(w.good("riskos")))) })
	}
	format := func(f fault.Code, name string, around func(token string) string) {
		body(f, name, f, profile.Format, around)
	}
	member := func(token string) string { return `{"encrypted_request":"` + token + `"}` }

	format(fault.BodyEmpty, "nothing", func(string) string { return "" })
	format(fault.BodyEmpty, "blanks", func(string) string { return " \r\n\t" })
	format(fault.BodyUTF8, "stray-byte", func(t string) string { return `{"encrypted_request":"` + t + "\xff" + `"}` })
	format(fault.BodyUTF8, "overlong-name", func(t string) string {
		return `{"encrypted_request":"` + t + `","` + "\xc0\xaf" + `":1}`
	})
	format(fault.BodyNotJSON, "cut", func(t string) string { return strings.TrimSuffix(member(t), "}") })
	format(fault.BodyNotJSON, "something-behind", func(t string) string { return member(t) + "x" })
	format(fault.BodyNotJSON, "second-object", func(t string) string { return member(t) + member(t) })
	format(fault.BodyNotJSON, "comma-behind-the-last", func(t string) string {
		return `{"encrypted_request":"` + t + `",}`
	})
	format(fault.BodyNotJSON, "single-quotes", func(t string) string { return `{'encrypted_request':'` + t + `'}` })
	format(fault.BodyNotJSON, "comment", func(t string) string { return "/* sealed */" + member(t) })
	format(fault.BodyNotJSON, "line-break-in-the-string",
		func(t string) string { return member(t[:40] + "\n" + t[40:]) })
	format(fault.BodyNotJSON, "not-a-number", func(t string) string {
		return `{"encrypted_request":"` + t + `","n":NaN}`
	})
	format(fault.BodyNotJSON, "thirty-three-deep", func(t string) string {
		return `{"encrypted_request":"` + t + `","n":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + "}"
	})
	format(fault.BodyNotJSON, "twenty-thousand-deep", func(string) string { return strings.Repeat(`{"a":`, 20_000) })
	format(fault.BodyNotObject, "array", func(t string) string { return "[" + member(t) + "]" })
	format(fault.BodyNotObject, "null", func(string) string { return "null" })
	format(fault.BodyNotObject, "number", func(string) string { return "1e9" })
	format(fault.BodyDuplicate, "same-name", func(t string) string {
		return `{"encrypted_request":"x","encrypted_request":"` + t + `"}`
	})
	format(fault.BodyDuplicate, "name-escaped", func(t string) string {
		return `{"encrypted_request":"` + t + `","encrypted_\u0072equest":"x"}`
	})
	format(fault.BodyMissing, "empty-object", func(string) string { return "{}" })
	body(fault.BodyMissing, "capitals", fault.BodyUnexpected, profile.Format, func(t string) string {
		return `{"Encrypted_Request":"` + t + `"}`
	})
	body(fault.BodyMissing, "of-the-response", fault.BodyUnexpected, profile.Format, func(t string) string {
		return `{"encrypted_response":"` + t + `"}`
	})
	body(fault.BodyMissing, "inside-another", fault.BodyUnexpected, profile.Format,
		func(t string) string { return `{"data":` + member(t) + `}` })
	format(fault.BodyType, "number", func(string) string { return `{"encrypted_request":12}` })
	format(fault.BodyType, "null", func(string) string { return `{"encrypted_request":null}` })
	format(fault.BodyType, "array", func(t string) string { return `{"encrypted_request":["` + t + `"]}` })
	format(fault.BodyType, "json-serialization", func(t string) string {
		p := strings.Split(t, ".")
		return fmt.Sprintf(`{"encrypted_request":{"protected":%q,"encrypted_key":%q,`+
			`"iv":%q,"ciphertext":%q,"tag":%q}}`,
			p[0], p[1], p[2], p[3], p[4])
	})
	format(fault.BodyUnexpected, "payload-beside", func(t string) string {
		return `{"encrypted_request":"` + t + `","id":"hostile-1"}`
	})
	format(fault.BodyUnexpected, "prototype", func(t string) string {
		return `{"__proto__":{},"encrypted_request":"` + t + `"}`
	})
	body(fault.BodyBareToken, "riskos", fault.BodyBareToken, profile.Format, func(t string) string { return t })
	body(fault.BodyQuoted, "riskos", fault.BodyNotObject, profile.Format,
		func(t string) string { return `"` + t + `"` })
	body(fault.BodyPercent, "whole", fault.BodyNotJSON, profile.Format,
		func(t string) string { return url.QueryEscape(member(t)) })
	body(fault.BodyBearerPrefix, "in-the-member", fault.Base64Space.In(fault.JWE), profile.NotJWE,
		func(t string) string { return member("Bearer " + t) })
	body(fault.BodyBOM, "utf-8", fault.BodyNotJSON, profile.Format,
		func(t string) string { return "\ufeff" + member(t) })
	body(fault.BodyMissing, "payload-in-clear", fault.BodyUnexpected, profile.Format,
		func(string) string { return payload })
	body(fault.BodyEncodedTwice, "whole", fault.BodyBareToken, profile.Format, func(t string) string {
		return base64.StdEncoding.EncodeToString([]byte(member(t)))
	})
	body(fault.BodyFormEncoded, "field", fault.BodyNotJSON, profile.Format,
		func(t string) string { return "encrypted_request=" + t })
	body(fault.JSONSerialization.In(fault.JWE), "as-escaped-string", fault.JSONSerialization.In(fault.JWE),
		profile.NotJWE, func(t string) string {
			p := strings.Split(t, ".")
			return member(fmt.Sprintf(`{\"protected\":\"%s\",\"encrypted_key\":\"%s\",\"iv\":\"%s\",\"ciphertext\":\`+
				`"%s\",\"tag\":\"%s\"}`, p[0], p[1], p[2], p[3], p[4]))
		})
	body(fault.BodyTooLarge, "blanks", fault.BodyTooLarge, profile.TooLarge, func(t string) string {
		return member(t) + strings.Repeat(" ", 200_000)
	})
	w.cases[len(w.cases)-1].MaxPayload = maxPayload
}

// requests drafts whole HTTP requests whose message is good.
func (w *writer) requests() {
	request := func(f fault.Code, name string, on profile.Outcome, line string, headers ...string) {
		w.add(hostile.Case{
			Path:    "http/" + string(f) + "." + name,
			Fault:   f,
			Outcome: on,
			Profile: "riskos",
			Source:  source(f),
		},
			func() []byte {
				body := `{"encrypted_request":"` + string(w.good("riskos")) + `"}`
				length := fmt.Sprintf("Content-Length: %d", len(body))
				for i, h := range headers {
					if strings.HasPrefix(h, "Content-Length") || strings.HasPrefix(h, "Transfer-Encoding") {
						length, headers[i] = h, "X-Note: the length is the fault"
					}
				}
				if !strings.Contains(line, " HTTP/") {
					line += " HTTP/1.1"
				}
				return []byte(strings.Join(append([]string{line, "Host: provider.example", "Connection: close",
					length}, headers...), "\r\n") + "\r\n\r\n" + body)
			})
	}
	const post, sealed, asJSON = "POST /api/evaluation", "X-Payload-Encrypted: true", "Content-Type: application/json"
	plain, format := profile.PlainRefused, profile.Format

	chunked := func(f fault.Code, name string, on profile.Outcome, lineEnd, behind string, headers ...string) {
		w.add(hostile.Case{
			Path:    "http/" + string(f) + "." + name,
			Fault:   f,
			Outcome: on,
			Profile: "riskos",
			Source:  source(f),
		},
			func() []byte {
				body := `{"encrypted_request":"` + string(w.good("riskos")) + `"}`
				head := append([]string{post + " HTTP/1.1", "Host: provider.example", "Connection: close", asJSON,
					"Transfer-Encoding: chunked"}, headers...)
				return fmt.Appendf(nil, "%s\r\n\r\n%x%s%s%s0%s%s%s", strings.Join(head, "\r\n"), len(body), lineEnd,
					body, lineEnd, lineEnd, behind, lineEnd)
			})
	}

	request(fault.TriggerMissing, "left-out", plain, post, asJSON)
	request(fault.TriggerMissing, "misspelt", plain, post, asJSON, "X-Payload-Encryption: true")
	request(fault.TriggerMissing, "underscores", plain, post, asJSON, "X_Payload_Encrypted: true")
	request(fault.TriggerMissing, "false", plain, post, asJSON, "X-Payload-Encrypted: false")
	request(fault.TriggerMissing, "plain-docv", plain, "POST /api/docv/upload", asJSON)
	request(fault.TriggerValue, "one", format, post, asJSON, "X-Payload-Encrypted: 1")
	request(fault.TriggerValue, "yes", format, post, asJSON, "X-Payload-Encrypted: yes")
	request(fault.TriggerValue, "empty", format, post, asJSON, "X-Payload-Encrypted:")
	request(fault.TriggerValue, "two-in-one-line", format, post, asJSON, "X-Payload-Encrypted: true, true")
	request(fault.TriggerRepeated, "twice", format, post, asJSON, sealed, sealed)
	request(fault.TriggerRepeated, "both-ways", format, post, asJSON, sealed, "X-Payload-Encrypted: false")
	request(fault.TriggerRepeated, "false-first", format, post, asJSON, "X-Payload-Encrypted: false", sealed)
	request(fault.Endpoint, "other-path", format, "POST /api/evaluations", asJSON, sealed)
	request(fault.Endpoint, "put", format, "PUT /api/evaluation", asJSON, sealed)
	request(fault.Endpoint, "get-with-a-body", format, "GET /api/evaluation", asJSON, sealed)
	request(fault.Endpoint, "small-letters", format, "post /api/evaluation", asJSON, sealed)
	request(fault.Endpoint, "encoded-slash", format, "POST /api%2fevaluation", asJSON, sealed)
	request(fault.Endpoint, "two-slashes", format, "POST //api/evaluation", asJSON, sealed)
	request(fault.Endpoint, "dots", format, "POST /api/evaluation/../docv/upload", asJSON, sealed)
	request(fault.Endpoint, "plain-put", plain, "PUT /api/evaluation", asJSON)
	request(fault.Endpoint, "path-parameter", format, "POST /api/evaluation;x", asJSON, sealed)
	request(fault.Endpoint, "encoded-letter", format, "POST /%61pi/evaluation", asJSON, sealed)
	request(fault.Endpoint, "encoded-nul", format, "POST /api/evaluation%00", asJSON, sealed)
	request(fault.Endpoint, "encoded-question-mark", format, "POST /api/evaluation%3Fx=1", asJSON, sealed)
	request(fault.Endpoint, "fragment", format, "POST /api/evaluation#x", asJSON, sealed)
	request(fault.Endpoint, "slash-behind", format, "POST /api/evaluation/", asJSON, sealed)
	request(fault.Endpoint, "asterisk", format, "POST *", asJSON, sealed)
	request(fault.Endpoint, "put-and-method-override", format, "PUT /api/evaluation", asJSON, sealed,
		"X-HTTP-Method-Override: POST")
	request(fault.Endpoint, "original-url", format, "POST /api/evaluations", asJSON, sealed,
		"X-Original-URL: /api/evaluation")
	request(fault.TriggerMissing, "in-the-query", plain, "POST /api/evaluation?X-Payload-Encrypted=true", asJSON)
	chunked(fault.TriggerMissing, "in-a-trailer", plain, "\r\n", sealed+"\r\n", "Trailer: X-Payload-Encrypted")
	chunked(fault.BodyUnreadable, "chunks-end-in-line-feeds", format, "\n", "", sealed)
	request(fault.BodyEmpty, "chunked-in-http-1.0", format, post+" HTTP/1.0", asJSON, sealed,
		"Transfer-Encoding: chunked")
	request(fault.BodyUnreadable, "length-and-chunked", format, post, asJSON, sealed, "transfer-encoding: chunked")
	request(fault.ContentType, "text", format, post, "Content-Type: text/plain", sealed)
	request(fault.ContentType, "form", format, post, "Content-Type: application/x-www-form-urlencoded", sealed)
	request(fault.ContentType, "jose", format, post, "Content-Type: application/jose", sealed)
	request(fault.ContentType, "utf-16", format, post, "Content-Type: application/json; charset=utf-16", sealed)
	request(fault.ContentType, "two-of-them", format, post, asJSON, "Content-Type: text/plain", sealed)
	request(fault.ContentEncoding, "gzip", format, post, asJSON, sealed, "Content-Encoding: gzip")
	request(fault.ContentEncoding, "unknown", format, post, asJSON, sealed, "Content-Encoding: aes128gcm")
	request(fault.BodyUnreadable, "longer-than-it-came", format, post, asJSON, sealed, "Content-Length: 99999")
	request(fault.BodyUnreadable, "bad-chunk", format, post, asJSON, sealed, "Transfer-Encoding: chunked")
	request(fault.BodyNotJSON, "shorter-than-it-is", format, post, asJSON, sealed, "Content-Length: 100")
}
