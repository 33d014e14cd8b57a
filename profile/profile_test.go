package profile_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

func TestRecognize(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	row, _ := p.Errors.Row(profile.Decryption)
	unsupported, _ := p.Errors.Row(profile.NotSupported)
	body := func(text string) string { return fmt.Sprintf(`{"eval_id":"1","error":%q}`, text) }
	for body, want := range map[string]profile.Outcome{
		body(unsupported.Also[0]):             profile.NotSupported,
		fmt.Sprintf(`{"error":%q}`, row.Text): profile.Decryption,
		body(strings.ToLower(row.Text)):       "",
		`{"error":"invalid_phone"}`:           "",
		`{"error":5}`:                         "",
		`[]`:                                  "",
		``:                                    "",
	} {
		if got, _, _, _ := p.Errors.Recognize(400, []byte(body)); got != want {
			t.Errorf("%s: %q", body, got)
		}
	}
	if got, _, _, _ := p.Errors.Recognize(500, []byte(body(row.Text))); got != "" {
		t.Errorf("with another status: %q", got)
	}
	id := "x\"\\\n<$text>"
	got, back, text, ok := p.Errors.Recognize(0, p.Errors.Render(id, row.Text))
	if got != profile.Decryption || back != id || text != row.Text || !ok {
		t.Errorf("%q %q %q", got, back, text)
	}
}

func TestPaths(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	for raw, want := range map[string]map[string]string{
		"/api/evaluation":          nil,
		"/api/evaluation/a%20b":    {"version": "a b"},
		"/api/evaluation/a%2Fb":    {"none": ""},
		"/api/evaluation/a%5cb":    {"none": ""},
		"/api/evaluation/a%00":     {"none": ""},
		"/api/evaluation/a%0d%0ab": {"none": ""},
		"/api/evaluation/2.1?x=/":  {"version": "2.1"},
		"/api/evaluation/":         {"none": ""},
		"/api/evaluation/..":       {"none": ""},
		"/api/evaluation/%2E%2e":   {"none": ""},
		"/api/evaluation/a/b":      {"none": ""},
		"//api/evaluation":         {"none": ""},
		"/api/./evaluation":        {"none": ""},
		"/api/evaluatio%6e":        {"none": ""},
		"/API/evaluation":          {"none": ""},
		"/x/api/evaluation":        {"none": ""},
	} {
		u, err := url.Parse("http://127.0.0.1" + raw)
		if err != nil {
			t.Fatal(err)
		}
		_, vars, ok := p.Find("POST", u)
		if _, none := want["none"]; none {
			if ok {
				t.Errorf("%s was found", raw)
			}
			continue
		}
		if diff := cmp.Diff(want, vars); !ok || diff != "" {
			t.Errorf("%s: %t %s", raw, ok, diff)
		}
	}
	if _, _, ok := p.Find("post", &url.URL{Path: "/api/evaluation"}); ok {
		t.Error("methods are case-sensitive")
	}
	if !profile.MatchEndpoint("GET /a/{id}", "GET", &url.URL{Path: "/a/1"}) ||
		profile.MatchEndpoint("GET /a/{id}", "PUT", &url.URL{Path: "/a/1"}) ||
		profile.MatchEndpoint("/a/1", "GET", &url.URL{Path: "/a/1"}) {
		t.Error("MatchEndpoint")
	}
}

func TestMembers(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		open  []string
		value *string
		want  bool
	}{
		{[]string{"absent"}, nil, true}, {[]string{"absent"}, text("absent"), false}, {[]string{"any"}, nil, false},
		{[]string{"any"}, text("x"), true},
		{[]string{"known"}, text("x"), true}, {[]string{"known"}, nil, false}, {[]string{"JWT"}, text("jwt"), true},
		{[]string{"JWT"}, text("application/jwt"), true},
		{[]string{"JOSE"}, text("JWT"), false}, {nil, text("x"), false}, {nil, nil, false},
		{[]string{"JWT"}, text(""), false},
	} {
		if got := (profile.HeaderParam{Open: c.open}).Accepts(c.value); got != c.want {
			t.Errorf("%q, %v: %t", c.open, c.value, got)
		}
	}
}

// TestStrict changes one thing in a valid profile; each change must be refused with an
// error that names it.
func TestStrict(t *testing.T) {
	source, err := profile.Source("riskos")
	if err != nil {
		t.Fatal(err)
	}
	rdx, err := profile.Source("rdx")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, says string }{
		{"title: RiskOS", "titel: RiskOS", "titel"},
		{"name: riskos", "name: riskos\nname: twice", "name"},
		{"name: riskos", "name: ''", "name"},
		{"environments: [DEV, SANDBOX, PROD]", "environments: []", "environments"},
		{"alg: {seal: RS256, open: [RS256]}", "alg: {seal: none, open: [RS256]}", "none"},
		{"alg: {seal: RS256, open: [RS256]}", "alg: {seal: RS256, open: [RS256, HS256]}", "HS256"},
		{"alg: {seal: RS256, open: [RS256]}", "alg: {seal: RS256, open: []}", "alg.open"},
		{"seal: RSA-OAEP-256", "seal: RSA-OAEP", "RSA-OAEP"},
		{"enc: {seal: A256GCM, open: [A256GCM]}", "enc: {seal: A192GCM, open: [A256GCM]}", "A192GCM"},
		{"kid: {seal: key-id, open: [absent, any]}", "kid: {seal: mine, open: [absent, any]}", "mine"},
		{"kid: {open: [absent, any]}", "kid: {open: [some]}", "some"},
		{"typ: {open: [absent, JOSE, JWT]}", "typ: {open: []}", "typ.open"},
		{"method: PATCH", "method: patch", "patch"},
		{"bind: [eval_id]", "bind: [other]", "other"},
		{"identifier: eval_id, echo", "identifier: other_id, echo", "other_id"},
		{"others: refuse", "others: maybe", "maybe"},
		{"upstream_errors: plain", "upstream_errors: sometimes", "sometimes"},
		{"on: not-jws", "on: not-jwt", "not-jwt"},
		{"on: not-jws", "on: not-jwe", "second time"},
		{"status: 400, text: Payload format", "status: 200, text: Payload format", "400 to 599"},
		{`'{"eval_id":"$id","error":"$text"}'`, `'{"eval_id":"$id"}'`, "$text"},
		{`'{"eval_id":"$id","error":"$text"}'`, `'{"eval_id"'`, "not JSON"},
		{"content_type: application/json, field: encrypted_request", "content_type: 'a b', field: encrypted_request",
			"content_type"},
		{"bits: 2048", "bits: 1024", "1024"},
		{"trigger: {header: X-Payload-Encrypted", "trigger: {header: ''", "trigger"},
		{"email: optional", "email: maybe", "maybe"},
		{"one_pair_per: account", "one_pair_per: planet", "planet"},
		{"slots: 1", "slots: 3", "keys.slots: is 3"},
		{"slots: 1", "slots: -1", "keys.slots: is -1"},
		{"slots: 1", "slots: two", "slots"},
	} {
		if !strings.Contains(string(source), c.from) {
			t.Fatalf("the profile has no %q", c.from)
		}
		p, err := profile.Parse([]byte(strings.Replace(string(source), c.from, c.to, 1)))
		if err == nil || p != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
	for name, data := range map[string]string{
		"second document": string(source) + "\n---\nname: x\n", "empty": "", "not YAML": "{", "a list": "[]",
		"too large": string(source) + "#" + strings.Repeat("x", 64<<10),
		"plain both ways": strings.Split(string(rdx), "request:")[0] +
			"request: {body: {content_type: a/b}}\nresponse: {body: {content_type: a/b}}\n",
		"aliases": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nname: " +
			"[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]",
	} {
		if p, err := profile.Parse([]byte(data)); err == nil || p != nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestOwnFile(t *testing.T) {
	source, err := profile.Source("rdx")
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(source), "body: {content_type: application/jose, accept: [any]}",
		"body: {content_type: application/json, field: EncryptedPayload, others: ignore}", 1)
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := profile.Load(file); err != nil || p.Request.Body.Field != "EncryptedPayload" {
		t.Errorf("%v %+v", err, p)
	}
	if _, err := profile.Load("unknown"); err == nil || !strings.Contains(err.Error(), "riskos") {
		t.Error(err)
	}
	if _, err := profile.Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a missing file was loaded")
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range profile.Names() {
		source, err := profile.Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profile.Parse(data)
		if (err == nil) != (p != nil) {
			t.Error("a profile and an error, or neither")
		}
		if err == nil {
			p.Find("POST", &url.URL{Path: "/api/evaluation"})
			p.Errors.Recognize(400, p.Errors.Render("id", "text"))
		}
	})
}

// An error body is refused if the identifier cannot be found in it again.
func TestErrorBodiesThatRenderWrong(t *testing.T) {
	source, err := profile.Source("riskos")
	if err != nil {
		t.Fatal(err)
	}
	const body = `'{"eval_id":"$id","error":"$text"}'`
	for _, wrong := range []string{`'{"eval_id":"\u0024id","error":"$text"}'`, `'{"$id":"$id","error":"$text"}'`,
		`'{"eval_id":"$id","error":"$text","again":"$text"}'`} {
		changed := strings.Replace(string(source), body, wrong, 1)
		if changed == string(source) {
			t.Fatal("the profile has another error body")
		}
		if _, err := profile.Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), "errors.body") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
