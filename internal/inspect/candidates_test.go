package inspect_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// Of several candidates, inspect takes the longest, in whatever form and order they are.
func TestLongestCandidate(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	token, err := malform.Make("", material(riskos))
	if err != nil {
		t.Fatal(err)
	}
	p := strings.Split(string(token), ".")
	session := p[0] + "." + p[2] + "." + p[4] // a short JWS, such as one of a login
	coded := base64.StdEncoding.EncodeToString([]byte(session))
	archive := func(members ...string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, m := range members {
			w, err := z.Create("log.txt")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("token: " + m)); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	padded := coded + strings.Repeat("\n", len(token)) // longer than the token as a text only
	lines, err := json.Marshal(padded)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"a longer text with a short token in base64 behind": `{"entry":{"message":"` + string(token) + `","session":` +
			string(lines) + `}}`,
		"in front":                  `{"entry":{"session":` + string(lines) + `,"message":"` + string(token) + `"}}`,
		"files of an archive":       archive(session, string(token)),
		"files in the other order":  archive(string(token), session),
		"a request with an address": `{"url":"https://risk.example/api","body":"` + string(token) + `"}`,
		"a document with an ID":     `{"doc_id":"1","token":"` + string(token) + `"}`,
		"a log line with a key of SSH": `{"host":"a ssh-rsa AAAAB3NzaC1yc2E","message":"` +
			string(token) + `"}`,
		"a text with a key of SSH":     "git: ssh-rsa AAAAB3NzaC1yc2E accepted\ntoken=" + string(token),
		"keys of SSH, then a token":    "ssh-rsa AAAAB3NzaC1yc2E me@host\n\n" + string(token) + "\n",
		"a web shortcut, then a token": "[InternetShortcut]\nURL=https://a.example/?t=" + string(token) + "\n",
	} {
		r := inspect.Examine([]byte(data), options(riskos))
		if r.Opening == nil || r.Opening.Content == "" {
			t.Errorf("%s: fault %q\n%s", name, r.Fault, text(t, r))
		}
	}
}

// A JWS of another kind is not told to be encrypted, and a key ID that is written in other letters is named.
func TestOtherTokensAndSpellings(t *testing.T) {
	riskos, rdx := testlane.Profile(t, "riskos"), testlane.Profile(t, "rdx")
	encode := base64.RawURLEncoding.EncodeToString
	login := encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + encode([]byte(`{"sub":"1"}`)) + "." +
		encode(bytes.Repeat([]byte{7}, 64))
	r := inspect.Examine([]byte(login), inspect.Options{Profiles: []*profile.Profile{riskos, rdx}})
	report := text(t, r)
	if r.Fault != fault.Swapped.In(fault.JWE) || !strings.Contains(report, `alg "ES256"`) ||
		!strings.Contains(report, "of a login") || strings.Contains(report, "Sign first") {
		t.Errorf("a JWT: fault %q\n%s", r.Fault, report)
	}
	token, err := malform.Make("", material(rdx))
	if err != nil {
		t.Fatal(err)
	}
	o := options(rdx)
	for i := range o.Ours {
		o.Ours[i].ID = strings.ToLower(o.Ours[i].ID)
	}
	report = text(t, inspect.Examine(token, o))
	if !strings.Contains(report, "differ only in capitals and small letters") {
		t.Errorf("another spelling:\n%s", report)
	}
}

// A token is found behind an escaped quotation mark and in base64 among other text, and one of which a log has only
// the beginning is said to be cut.
func TestTokensInLogs(t *testing.T) {
	riskos := testlane.Profile(t, "riskos")
	token, err := malform.Make("", material(riskos))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"encrypted_request":"` + string(token) + `"}`
	for name, data := range map[string]string{
		"nginx":         `1.2.3.4 "POST /a" 200 "` + strings.ReplaceAll(body, `"`, `\x22`) + `"`,
		"JavaScript":    `log: ` + strings.ReplaceAll(body, `"`, `\u0022`),
		"form in a log": `log: ` + strings.ReplaceAll(body, `"`, `%22`) + ` end`,
		"YAML":          "data:\n  body: " + base64.StdEncoding.EncodeToString([]byte(body)) + "\n",
		"a column":      "id | body\n1 | " + base64.StdEncoding.EncodeToString(token) + "\n",
	} {
		r := inspect.Examine([]byte(data), options(riskos))
		if r.Opening == nil || r.Opening.Content == "" {
			t.Errorf("%s: fault %q\n%s", name, r.Fault, text(t, r))
		}
	}
	for _, data := range []string{body[:300] + "...(truncated)", body[:300] + "… 900 more", body[:300]} {
		if r := inspect.Examine([]byte(data), options(riskos)); !strings.Contains(text(t, r), "cut") {
			t.Errorf("%q: fault %q\n%s", data[290:], r.Fault, text(t, r))
		}
	}
}
