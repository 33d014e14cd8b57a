package hostile_test

import (
	"cmp"
	"strings"

	"github.com/sealane/sealane/fault"
)

// sources says where it is written that a fault is one, or where it did harm, by
// the code without its layer, and by the layer for the others.
var sources = map[string]string{
	"empty":              "RFC 7516 section 7.1",
	"too-large":          "CVE-2025-27144 (go-jose), CVE-2025-30204 (golang-jwt)",
	"json-serialization": "RFC 7516 section 7.2, RFC 7515 section 7.2; CVE-2022-3102 (jwcrypto)",
	"parts":              "RFC 7516 section 5.2 step 1, RFC 7515 section 5.2 step 1",
	"swapped":            "RFC 7519 section 11.2; CVE-2022-3102 (jwcrypto)",
	"base64-standard":    "RFC 7515 section 2, RFC 4648 section 5",
	"base64-padding":     "RFC 7515 section 2",
	"base64-space":       "RFC 7515 section 2; Go's RawURLEncoding.Strict takes CR and LF",
	"base64-character":   "RFC 4648 section 3.3",
	"base64-length":      "RFC 4648 section 4",
	"base64-spare-bits":  "RFC 4648 section 3.5",
	"header-too-large":   "CVE-2024-28180 (go-jose): what is read first must be bounded",
	"header-utf8":        "RFC 7515 section 5.2 step 3, RFC 3629 section 3",
	"header-not-json":    "RFC 7515 section 5.2 step 3, RFC 8259",
	"header-not-object":  "RFC 7515 section 4",
	"header-depth":       "CVE-2025-53864 (Nimbus)",
	"header-duplicate":   "RFC 7515 section 4; encoding/json takes the last of two",
	"header-type":        "RFC 7515 section 4.1",
	"header-zip":         "RFC 7516 section 4.1.3; CVE-2024-28180 (go-jose), CVE-2024-28176 (panva)",
	"header-crit":        "RFC 7515 section 4.1.11; CVE-2025-59420 (Authlib), CVE-2026-32597 (PyJWT)",
	"header-b64":         "RFC 7797 section 6",
	"header-jwk":         "RFC 7515 sections 4.1.3 and 10.4; CVE-2026-27962 (Authlib)",
	"header-jku":         "RFC 7515 sections 4.1.2 and 10.4",
	"header-x5u":         "RFC 7515 sections 4.1.5 and 10.4",
	"header-x5c":         "RFC 7515 sections 4.1.6 and 10.4",
	"alg-missing":        "RFC 7515 section 4.1.1, RFC 7516 section 4.1.1",
	"alg-none":           "RFC 7518 section 3.6; CVE-2026-29000 (pac4j), CVE-2026-49230 (APISIX)",
	"alg-not-allowed": "RFC 8725 section 3.1; CVE-2026-39999 (APISIX), CVE-2026-34950 (fast-jwt), " +
		"CVE-2026-22817 (Hono)",
	"alg-rsa-oaep-sha1":    "RFC 7518 section 4.3; VCAS RDX, JSON Web Encryption (JWE): RSA-OAEP-256",
	"enc-missing":          "RFC 7516 section 4.1.2",
	"enc-not-allowed":      "RFC 7516 section 4.1.2; both services allow A256GCM alone",
	"kid-form":             "RFC 7515 section 4.1.4; RFC 8725 section 3.10 (injection by kid)",
	"kid-missing":          "VCAS RDX, JSON Web Encryption (JWE): the alias must be in the header",
	"kid-unknown":          "RFC 8725 section 3.10",
	"kid-not-allowed":      "the profile's rule",
	"typ-not-allowed":      "RFC 8725 section 3.11",
	"cty-not-allowed":      "RFC 8725 section 3.12, RFC 7519 section 5.2",
	"encrypted-key-length": "RFC 8017 section 7.1.2 step 1; crypto/rsa takes 255 bytes",
	"iv-length":            "RFC 7518 section 5.3; CVE-2025-54887 (ruby-jwe); 11 bytes make Go's GCM.Open panic",
	"tag-length":           "RFC 7518 section 5.3; CVE-2023-37464 (cjose)",
	"parts-order":          "RFC 7516 section 7.1",
	"cut":                  "a partner's log that cut the line",
	"cek-length":           "RFC 7516 section 5.2 step 10; cjose issue 134",
	"cek-text":             "RFC 7516 section 5.1 step 2; a common fault of hand-written senders",
	"iv-16-bytes":          "RFC 7518 section 5.3; 16-byte IVs of peers",
	"tag-cut":              "RFC 7518 section 5.3; CVE-2023-37464 (cjose)",
	"additional-data":      "RFC 7516 section 5.1 step 14",
	"tag-in-ciphertext":    "RFC 7516 section 5.1 step 15; javax.crypto appends the tag",
	"pkcs1-v1_5":           "RFC 7518 section 4.2, RFC 8725 section 3.2",
	"oaep-mgf1-sha1":       "RFC 7518 section 4.3; the default MGF1 of some Java providers",
	"compressed":           "RFC 7516 section 4.1.3",
	"not-signed":           "CVE-2026-29000 (pac4j), CVE-2026-49230 (APISIX)",
	"encoded-twice":        "RFC 7519 section 5.2",
	"quoted":               "RFC 7519 section 5.2",
	"signature-length":     "RFC 8017 section 8.2.2 step 1",
}

var layerSources = map[fault.Layer]string{
	fault.Open: "RFC 7516 section 11.5: all failures of decryption are one (Manger's attack, CVE-2022-4304)",
	fault.Sign: "RFC 7515 section 5.2 step 8",
	fault.Body: "RiskOS, Payload Encryption: the request's body",
	fault.HTTP: "RiskOS, Payload Encryption: the header X-Payload-Encrypted and the five endpoints",
}

// notes say what a file's name does not, by its path.
var notes = map[string]string{
	"header/jwe.header-zip.def-over-a-bomb": "100 KB of DEFLATE that inflate to 100 MiB",
	"header/jws.header-zip.def-over-a-bomb": "the payload that is signed is 100 KB of DEFLATE that " +
		"inflate to 100 MiB",
	"header/jws.header-zip.def": "the payload was compressed before it was signed",
	"encryption/open.compressed.bomb": "100 KB of DEFLATE that inflate to 100 MiB; no header " +
		"says so",
	"header/jws.header-jwk.strangers-public-key": byHeadersKey,
	"header/jws.header-jwk.private-key":          byHeadersKey,
	"header/jws.header-x5c.certificate":          byHeadersKey + "; its certificate is self-signed",
	"header/jws.header-jku.url":                  byURLsKey,
	"header/jws.header-jku.loopback":             byURLsKey,
	"header/jws.header-jku.file":                 byURLsKey,
	"header/jws.header-x5u.url":                  byURLsKey,
	"header/jws.header-jwk.public-key": "signed by signer.key, which is known, and which the " +
		"header contains too",
	"signature/sign.other-signer.forwarded": "a good message of another partner, encrypted once more, " +
		"to us",
	"signature/sign.other-signer.kid-of-another-partner": "signed by other.key, under its own key ID",
	"token/jwe.too-large.payload": "correct except for its length: a reader with a higher " +
		"limit opens it",
	"http/http.body-unreadable.length-and-chunked": "the body is as long as Content-Length says, and not in " +
		"chunks",
	"http/body.empty.chunked-in-http-1.0": "HTTP/1.0 knows no chunks, so there is no body",
}

const (
	byHeadersKey = "signed by other.key, which the header contains: a reader that trusts it accepts the signature"
	byURLsKey    = "signed by other.key, which would be at that address"
)

func source(c fault.Code) string {
	_, name, _ := strings.Cut(string(c), ".")
	return cmp.Or(sources[name], layerSources[c.Layer()])
}
