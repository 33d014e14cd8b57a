package inspect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// mangled is a message that was damaged on its way, and what inspect should say of it.
type mangled struct {
	name  string
	data  []byte
	want  fault.Code // with the keys
	blind fault.Code // without them
	open  bool       // with the keys it opens all the same
	says  string     // in both reports
}

func examineMangled(t *testing.T, p *profile.Profile, list []mangled) {
	t.Helper()
	for _, c := range list {
		for name, o := range map[string]inspect.Options{
			"with keys":    options(p),
			"without keys": {Profiles: []*profile.Profile{p}},
		} {
			want := c.want
			if len(o.Ours) == 0 {
				want = c.blind
			}
			r := inspect.Examine(c.data, o)
			report := text(t, r)
			opened := r.Opening != nil && r.Opening.Content == "A256GCM"
			if r.Fault != want || opened != (c.open && len(o.Ours) > 0) || !strings.Contains(report, c.says) {
				t.Errorf("%s, %s: fault %q, want %q and %q; opened %v\n%s", c.name, name, r.Fault, want, c.says,
					opened, report)
			}
			asJSON, err := json.Marshal(r)
			if err != nil || leaks(report) || leaks(string(asJSON)) {
				t.Errorf("%s, %s: the report holds the payload, or %v", c.name, name, err)
			}
		}
	}
}

func TestMangledToken(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	token, err := malform.Make("", material(riskos))
	if err != nil {
		t.Fatal(err)
	}
	whole := string(token)
	body := `{"encrypted_request":"` + whole + `"}`
	p := strings.Split(whole, ".")
	inOrder := func(at ...int) []byte {
		out := []string{p[0]}
		for _, i := range at {
			out = append(out, p[i])
		}
		return []byte(strings.Join(out, "."))
	}
	decode := base64.RawURLEncoding.DecodeString
	ciphertext, _ := decode(p[3])
	tag, _ := decode(p[4])
	glued := strings.Join([]string{p[0], p[1], p[2], base64.RawURLEncoding.EncodeToString(append(ciphertext, tag...)),
		""}, ".")
	lines := func(s string) string {
		var b strings.Builder
		for ; len(s) > 76; s = s[76:] {
			b.WriteString(s[:76] + "\n")
		}
		return b.String() + s + "\n"
	}
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Encrypted: 1\r\n\r\n"
	cut, twice, form, order := fault.Cut.In(fault.JWE), fault.BodyEncodedTwice, fault.BodyFormEncoded, fault.PartsOrder
	examineMangled(t, riskos, []mangled{
		{"curl -i", []byte(head + body), "", "", true, "body.http-headers"},
		{"curl -i, LF", []byte(strings.ReplaceAll(head, "\r", "") + body), "", "", true, "HTTP headers"},
		{"curl -i, HTTP/2", []byte("HTTP/2 200 \r\nserver: x\r\n\r\n" + body + "\n"), "", "", true, "HTTP headers"},
		{"curl -i through a proxy",
			[]byte("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + head + body), "", "",
			true, "HTTP headers"},
		{"a request as sent",
			[]byte("POST /api/evaluation HTTP/1.1\r\nHost: x\r\nAuthorization: " + marker + "\r\n\r\n" + body), "", "",
			true, "HTTP headers"},
		{"headers alone", []byte(head), fault.BodyEmpty, fault.BodyEmpty, false, "HTTP headers"},
		{"base64 of the token", []byte(base64.StdEncoding.EncodeToString(token)), twice, twice, true, "base64"},
		{"base64url of the token", []byte(base64.RawURLEncoding.EncodeToString(token)), twice, twice, true, "base64"},
		{"base64 of the token, in lines", []byte(lines(base64.StdEncoding.EncodeToString(token))), twice, twice, true,
			"base64"},
		{"base64 of the token, in its member",
			[]byte(`{"encrypted_request":"` + base64.StdEncoding.EncodeToString(token) + `"}`), twice, twice, true,
			"base64"},
		{"base64 of the body", []byte(base64.StdEncoding.EncodeToString([]byte(body))), twice, twice, true, "base64"},
		{"first character lost", token[1:], cut, cut, true, "cut at the front"},
		{"first two characters lost", token[2:], cut, cut, true, "cut at the front"},
		{"first three characters lost", token[3:], cut, cut, true, "cut at the front"},
		{"ellipsis", []byte(whole[:60] + "…" + whole[len(whole)-40:]), cut, cut, false, "ellipsis"},
		{"three dots", []byte(whole[:60] + "..." + whole[len(whole)-40:]), cut, cut, false, "ellipsis"},
		{"three dots in the header", []byte(whole[:20] + "..." + whole[len(whole)-40:]), cut, cut, false, "ellipsis"},
		{"ellipsis in the ciphertext",
			[]byte(p[0] + "." + p[1] + "." + p[2] + "." + p[3][:20] + "…" + p[3][30:] + "." + p[4]), cut, cut, false,
			"ellipsis"},
		{"ellipsis at the end", []byte(whole[:60] + "…"), cut, cut, false, "ellipsis"},
		{"last nine characters lost", token[:len(token)-9], fault.TagLength, fault.TagLength, true, "cut at its end"},
		{"form", []byte("encrypted_request=" + whole), form, form, true, `form field "encrypted_request"`},
		{"form, escaped, among others",
			[]byte("a=1&encrypted_request=" + strings.ReplaceAll(whole, ".", "%2E") + "&b=2"), form, form, true,
			"form field"},
		{"form with the body in it", []byte("payload=" + url.QueryEscape(body)), form, form, true, "form field"},
		{"key and IV swapped", inOrder(2, 1, 3, 4), order, order, true,
			"header, initialization vector, encrypted key, ciphertext, authentication tag"},
		{"tag before IV", inOrder(3, 4, 2, 1), order, order, true,
			"header, ciphertext, authentication tag, initialization vector, encrypted key"},
		{"ciphertext, tag, IV", inOrder(1, 3, 4, 2), order, order, true,
			"header, encrypted key, ciphertext, authentication tag, initialization vector"},
		{"tag behind the ciphertext", []byte(glued), fault.OpenTagInCiphertext, fault.TagLength, true, "ciphertext"},
	})
}

func TestMangledErrorAnswer(t *testing.T) {
	for _, eol := range []string{"\r\n", "\n"} {
		dump := "HTTP/1.1 400 Bad Request" + eol + "Content-Type: application/json" + eol + eol +
			testlane.ErrorBody(t, "riskos", sealane.ErrDecryption)
		r := inspect.Examine([]byte(dump), inspect.Options{Profiles: both(t)})
		if r.Fault != "" || r.Answer == nil || r.Answer.Outcome != "decryption" ||
			!strings.Contains(text(t, r), "HTTP headers") {
			t.Errorf("%q\n%s", r.Fault, text(t, r))
		}
	}
}

func TestMangledInnerToken(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	k := keyset()
	jws := testkey.Sign(t, payload, k.signer)
	p := strings.Split(string(jws), ".")
	strange := strings.Split(string(testkey.Sign(t, payload, k.other)), ".")
	unknown := options(riskos)
	unknown.Ours, unknown.Theirs = unknown.Ours[:1], unknown.Theirs[:1]
	seal := func(content string) []byte { return testkey.Encrypt(t, []byte(content), &k.recipient.PublicKey) }
	edited := base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte("Jane"), []byte("Joan"), 1))
	for _, c := range []struct {
		name, content string
		want          fault.Code
		holds         bool
		says          string
	}{
		{"base64 of the JWS", base64.StdEncoding.EncodeToString(jws), fault.InnerEncodedTwice, true, "base64"},
		{"base64url of the JWS", base64.RawURLEncoding.EncodeToString(jws), fault.InnerEncodedTwice, true, "base64"},
		{"quotes", `"` + string(jws) + `"`, fault.InnerQuoted, true, "quotes"},
		{"single quotes and a line break", `'` + string(jws) + "'\n", fault.InnerQuoted, true, "quotes"},
		{"first character lost", string(jws[1:]), fault.Cut.In(fault.JWS), true, "cut at the front"},
		{"detached payload", p[0] + ".." + p[2], fault.SignatureDetached, false, "theirs.crt"},
		{"detached payload of a stranger", strange[0] + ".." + strange[2], fault.SignatureDetached, false, "detached"},
		{"edited payload", p[0] + "." + edited + "." + p[2], fault.SignatureContent, false, "theirs.crt"},
		{"a stranger's edited payload", strange[0] + "." + edited + "." + strange[2], fault.SignatureWrong, false,
			"another key"},
		{"a stranger's payload", strings.Join(strange, "."), fault.SignatureWrong, false, "another key"},
		{"the payload in base64", base64.StdEncoding.EncodeToString(payload), fault.InnerNotSigned, false,
			"JSON in base64"},
		{"an empty payload", string(testkey.Sign(t, nil, k.signer)), "", true, ""},
	} {
		r := inspect.Examine(seal(c.content), unknown)
		if r.Fault != c.want || (r.Signature != nil && r.Signature.Holds) != c.holds ||
			!strings.Contains(text(t, r), c.says) {
			t.Errorf("%s: fault %q, want %q and %q\n%s", c.name, r.Fault, c.want, c.says, text(t, r))
		}
		if leaks(text(t, r)) {
			t.Errorf("%s: the report holds the payload", c.name)
		}
		if blind := inspect.Examine(seal(c.content), inspect.Options{Profiles: unknown.Profiles}); blind.Fault != "" {
			t.Errorf("%s without keys: %q", c.name, blind.Fault)
		}
	}
	// If another partner's key is given, the report says so.
	r := inspect.Examine(seal(strange[0]+"."+edited+"."+strange[2]), options(riskos))
	if r.Fault != fault.SignatureContent || !strings.Contains(r.Summary, "stranger.crt") {
		t.Errorf("%q: %s", r.Fault, r.Summary)
	}
}

// A message without a dot is not a repeated token.
func TestNothingIsClaimedOfRepetition(t *testing.T) {
	for name, data := range map[string][]byte{
		"letters": bytes.Repeat([]byte{'A'}, 64<<20),
		"dots":    bytes.Repeat([]byte{'.'}, 1<<20),
		"words":   bytes.Repeat([]byte("a.b"), 1<<10),
	} {
		r := inspect.Examine(data, inspect.Options{Profiles: both(t)})
		if r.Fault != fault.Parts.In(fault.JWE) || strings.Contains(text(t, r), "twice") ||
			strings.Contains(text(t, r), "ellipsis") {
			t.Errorf("%s: %q: %s", name, r.Fault, r.Summary)
		}
	}
}
