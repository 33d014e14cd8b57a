package inspect_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// opens reports whether an opener takes a message: a token, or a body with one, with blanks
// around it.
func opens(t *testing.T, lane *sealane.Lane, data []byte) bool {
	t.Helper()
	data = bytes.TrimSpace(data)
	for _, d := range []profile.CompiledDirection{lane.Profile().Request(), lane.Profile().Response()} {
		if d.Sealed() && d.Field() != "" {
			if token, err := sealhttp.UnwrapToken(data, d); err == nil {
				data = token
				break
			}
		}
	}
	_, err := lane.OpenMessage(t.Context(), bytes.Clone(data))
	return err == nil
}

// spoiled returns what becomes of a message on its way and in hands: characters that get in, get
// lost and get changed, at places that a seed chooses.
func spoiled(data []byte, random *rand.Rand) []byte {
	pieces := []string{"\n", "\r\n", " ", "\t", "\\n", "\"", "'", "\x00", "\u00a0", "\u200b", "\ufeff", "=", "+",
		"/", ".",
		"A", "%", "{", "}", ",", "–", "“", "b'", "\u00ad", "null", "\v"}
	piece := []byte(pieces[random.IntN(len(pieces))])
	at, edge := random.IntN(len(data)+1), random.IntN(40)
	switch random.IntN(8) {
	case 0: // in front, or near it
		at = min(edge, len(data))
	case 1: // at the end, or near it
		at = max(0, len(data)-edge)
	case 2: // lost
		n := min(1+random.IntN(3), len(data)-at)
		return slices.Concat(data[:at], data[at+n:])
	case 3: // changed
		out := bytes.Clone(data)
		out[min(at, len(data)-1)] ^= 1 << random.IntN(8)
		return out
	case 4: // at a border of the token
		if n := bytes.Index(data, []byte("eyJ")); n >= 0 {
			at = n
		}
	case 5:
		if n := bytes.LastIndexByte(data, '"'); n >= 0 {
			at = n
		}
	case 6:
		return slices.Concat(piece, data, piece)
	}
	return slices.Concat(data[:at], piece, data[at:])
}

// Inspect never says that there is no fault in what an opener refuses.
func TestNoFaultOnlyOfWhatOpens(t *testing.T) {
	random := rand.New(rand.NewPCG(18, 4711))
	for _, name := range []string{"riskos", "rdx"} {
		p := testlane.Profile(t, name)
		lane := lane(t, p)
		token, err := malform.Make("", material(p))
		if err != nil {
			t.Fatal(err)
		}
		messages := [][]byte{token, fmt.Appendf(nil, `{"encrypted_request":%q}`, token),
			fmt.Appendf(nil, `{"encrypted_response": %q, "id": "r-1"}`, token)}
		if !opens(t, lane, token) {
			t.Fatalf("%s: the message itself is refused", name)
		}
		wrong := 0
		for range 1000 {
			data := messages[random.IntN(len(messages))]
			for range 1 + random.IntN(2) {
				data = spoiled(data, random)
			}
			r := inspect.Examine(data, options(p))
			if r.Fault == "" && r.Kind != inspect.KindAnswer && !opens(t, lane, data) && wrong < 10 {
				wrong++
				t.Errorf("%s: no fault in what is refused: %.60q … %q\n%s", name, data, data[max(0, len(data)-40):],
					r.Summary)
			}
		}
	}
}

// Blanks that JSON does not know are no blanks to an opener.
func TestOtherBlanksAreFaults(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	token, err := malform.Make("", material(p))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"encrypted_request":%q}`, token)
	for _, blank := range []string{"\u00a0", "\v", "\f", "\u0085", "\u2028"} {
		for _, data := range []string{body + blank, blank + body} {
			if r := inspect.Examine([]byte(data), options(p)); r.Fault == "" {
				t.Errorf("%q: no fault", blank)
			}
		}
	}
}

// The same holds for the corpus, each file of which has a fault.
func TestCorpusHasFaults(t *testing.T) {
	corpus, err := hostile.Read("../../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range corpus.Cases {
		if c.Kind() == "http" {
			continue // its fault is in headers, which inspect does not see
		}
		if r := inspect.Examine(c.Content, inspect.Options{}); r.Fault == "" && r.Kind == inspect.KindOther {
			t.Errorf("%s: %s", c.Path, r.Summary)
		}
	}
}

// A token is found wherever tools and programs have put it, and the rest is said of it.
func TestTokenInOtherText(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	made, err := malform.Make("", material(riskos))
	if err != nil {
		t.Fatal(err)
	}
	token := string(made)
	body := fmt.Sprintf(`{"encrypted_request":%q}`, token)
	quoted, _ := json.Marshal(body)
	other := "eyJhbGciOiJub25lIn0.e30.c2hvcnQ" // a shorter token, as in an Authorization header
	var lines []string
	for l := range slices.Chunk([]byte(token), 76) {
		lines = append(lines, string(l))
	}
	for name, data := range map[string]string{
		"curl": "curl -X POST https://x.example/api/evaluation -H 'Content-Type: application/json' -d '" +
			body + "'",
		"curl, token": "curl -H \"Authorization: Bearer " + other + "\" -d encrypted_request=" + token +
			" https://x.example",
		"log":       "2026-11-29T10:00:00Z INFO [http-1] request body=" + body + " took 12 ms\n",
		"log, JSON": `{"level":"info","msg":` + string(quoted) + `}`,
		"HAR": `{"log":{"entries":[{"request":{"method":"POST","headers":[{"name":"a","value":"` + other +
			`"}],"postData":{"text":` + string(quoted) + `}}}]}}`,
		"Postman": `{"info":{},"item":[{"request":{"body":{"mode":"raw","raw":` + string(quoted) + `}}}]}`,
		"XML": "<?xml version='1.0'?><soap:Envelope><m:encrypted_request>\n  " + token +
			"\n</m:encrypted_request></soap:Envelope>",
		"Python":     "{'encrypted_request': '" + token + "'}",
		"Python, b":  "{'encrypted_request': b'" + token + "'}",
		"Java":       "{encrypted_request=" + token + ", id=r-1}",
		"Java class": "Request(id=r-1, encryptedRequest=" + token + ")",
		"YAML":       "encrypted_request: >-\n  " + strings.Join(lines, "\n  ") + "\n",
		"mail": "From: a@b.example\r\nMIME-Version: 1.0\r\n\r\nHello,\r\n\r\n" + strings.Join(lines,
			"\r\n") + "\r\n\r\nRegards\r\n",
		"numbers":              strings.Trim(fmt.Sprint([]byte(token)), "[]"),
		"Go bytes":             fmt.Sprint([]byte(body)),
		"hexadecimal":          fmt.Sprintf("%x", body),
		"gzip in base64":       base64.StdEncoding.EncodeToString(gzipOf(t, body)),
		"chunked":              fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body),
		"chunks":               chunks(body, 100),
		"chunks of HTTP":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body, 77),
		"Lambda, base64":       `{"isBase64Encoded":true,"body":"` + encode(body) + `"}`,
		"HAR, base64":          `{"log":{"entries":[{"content":{"text":"` + encode(body) + `"}}]}}`,
		"base64 twice":         encode(encode(token)),
		"XML, base64":          "<m><text>" + encode(token) + "</text></m>",
		"BitConverter":         strings.ReplaceAll(strings.ToUpper(fmt.Sprintf("% x", body)), " ", "-"),
		"Uint8Array":           "Uint8Array(" + fmt.Sprint(len(token)) + ") " + commas(token),
		"Buffer in JSON":       `{"type":"Buffer","data":` + commas(token) + `}`,
		"JSON lines":           `{"a":1}` + "\n" + `{"body":` + string(quoted) + "}\n" + `{"a":2}`,
		"strings of a program": "const body = '" + strings.Join(lines, "' +\n    '") + "';",
		"PowerShell":           "Invoke-WebRequest -Uri \"https://x\" -Body \"{`\"a`\":`\"" + token + "`\"}\"",
		"a shell":              "export TOKEN='" + token + "'",
		"en dashes":            strings.ReplaceAll(token, "-", "–"),
		"an escaped line end":  token + `\r\n`,
		"a dot behind":         token + ".",
		"deflate":              string(deflated(t, body)),
		"a dump of HTTP":       fmt.Sprintf("% x", "POST /x HTTP/1.1\r\nHost: y\r\n\r\n"+body),
		"full-width dots":      strings.ReplaceAll(token, ".", "．"),
		"page":                 "<!DOCTYPE html><html><body><pre>" + token + "</pre></body></html>",
	} {
		r := inspect.Examine([]byte(data), options(riskos))
		if r.Signature == nil || !r.Signature.Holds || r.Fault == "" {
			t.Errorf("%s: fault %q\n%s", name, r.Fault, text(t, r))
		}
	}
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// commas returns a list of the bytes of a text.
func commas(text string) string { return strings.ReplaceAll(fmt.Sprint([]byte(text)), " ", ",") }

// chunks returns a body in chunks of n bytes.
func chunks(body string, n int) string {
	var out strings.Builder
	for c := range slices.Chunk([]byte(body), n) {
		fmt.Fprintf(&out, "%x\r\n%s\r\n", len(c), c)
	}
	return out.String() + "0\r\n\r\n"
}

// deflated compresses as servers do that take deflate for what RFC 1951 describes.
func deflated(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(body)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(body)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Files and pages that are no messages are named.
func TestWhatIsNoMessage(t *testing.T) {
	for data, says := range map[string]string{
		"<!DOCTYPE html><title>403 Forbidden</title><p>Request blocked": `an HTML page with the title "403 Forbidden"`,
		"%PDF-1.7\n": "This is a PDF document",
		"PK\x05\x06" + strings.Repeat("\x00", 18): "This is a ZIP archive",
		"\x89PNG\r\n\x1a\n":                       "This is an image",
		"Hello, is anybody there?":                "perhaps it is something else",
		"a.b.c.d":                                 "perhaps it is something else",
	} {
		r := inspect.Examine([]byte(data), inspect.Options{})
		if report := text(t, r); r.Fault == "" || !strings.Contains(report, says) || strings.Contains(report, "cut") {
			t.Errorf("%q: %s", data, report)
		}
	}
	for data, says := range map[string]string{
		"[B@1b6d3586": "how Java prints an array", "[object Promise]": "how JavaScript prints",
		"System.Byte[]":                                                 "how .NET prints",
		`{"encrypted_request":"undefined"}`:                             "a value that is missing",
		"<coroutine object seal at 0x7f>":                               "how Python prints",
		"Promise { <pending> }":                                         "prints a promise",
		"<Buffer 65 79 4a ... 900 more bytes>":                          "how Node prints a Buffer",
		`{"encrypted_request":"${token}"}`:                              "the placeholder of a template",
		`{"encrypted_request":"[REDACTED]"}`:                            "has masked it",
		`{"encrypted_request":"eyJh****"}`:                              "has masked it",
		"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": "an XML document without a token",
		"\x1f\ufffd\x08\x00\x00":                                        "has read them as text",
		"-----BEGIN PGP MESSAGE-----\n":                                 "a key or message of PGP, not a message",
		"eyJhbGciOiJSUzI1NiJ9..c2hvcnQ":                                 "a detached JWS",
		"eyJhbGciOiJSU0EtT0FFUC0yNTYifQ.AAAA...":                        "an ellipsis",
		"0\x82\x03\xff\xff":                                             "a certificate or a key in DER",
	} {
		r := inspect.Examine([]byte(data), options(testlane.Profile(t, "riskos")))
		if report := text(t, r); r.Fault == "" || !strings.Contains(report, says) {
			t.Errorf("%q: %s", data, report)
		}
	}
	body, err := os.ReadFile("../../testdata/reports/38-gzip-and-utf-16-body/body.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{body, body[:len(body)-200]} {
		if r := inspect.Examine(data, inspect.Options{}); r.Fault != "http.content-encoding" {
			t.Errorf("%d bytes of gzip: %s", len(data), r.Fault)
		}
	}
}
