package profile_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/profile"
)

// FuzzFile: an accepted file, encoded again, is accepted as the same profile; and every
// rendered error of its table is recognized.
func FuzzFile(f *testing.F) {
	for _, name := range profile.Names() {
		source, err := profile.Source(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
		p, err := profile.Parse(source)
		if err != nil {
			f.Fatal(err)
		}
		plain, err := yaml.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain) // without comments and anchors, for the fuzzer to get at the values
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profile.Parse(data)
		if err != nil {
			if p != nil {
				t.Error("a profile and an error")
			}
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		written, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(written) > 64<<10 {
			return // aliases are written out: more than a file may have
		}
		again, err := profile.Parse(written)
		if err != nil {
			t.Fatalf("written again it is refused: %v\n%s", err, written)
		}
		if twice, err := yaml.Marshal(again); err != nil || !bytes.Equal(written, twice) {
			t.Fatalf("%v; written once:\n%s\nand twice:\n%s", err, written, twice)
		}
		for _, row := range p.Errors.Table {
			on, id, text, ok := p.Errors.Recognize(row.Status, p.Errors.Render("the-id", row.Text))
			if first, _ := p.Errors.Row(on); !ok || id != "the-id" || text != row.Text || first.Status != row.Status {
				t.Errorf("row %q is recognized as %q, %q, %q, %t", row.On, on, id, text, ok)
			}
		}
	})
}

// FuzzRecognize: errors from a partner are read as encoding/json reads them; an outcome is
// in the table with that status and text; and what we render for any identifier and text is
// recognized with both.
func FuzzRecognize(f *testing.F) {
	var dialects []*profile.Profile
	for _, name := range profile.Names() {
		p, err := profile.Load(name)
		if err != nil {
			f.Fatal(err)
		}
		dialects = append(dialects, p)
		for _, row := range p.Errors.Table {
			f.Add(row.Status, p.Errors.Render("id-1", row.Text), "id-1", row.Text)
		}
	}
	for _, s := range []string{`{"eval_id":1,"error":"x"}`, `{"error":["x"]}`, `{"Error":{"Description":"x"}}`,
		`{"Error":"x"}`, `[]`, `null`, ``, "{\"error\":\"\xff\"}"} {
		f.Add(400, []byte(s), `"$text"`, `$id","x":"`)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, id, text string) {
		for _, p := range dialects {
			on, gotID, gotText, ok := p.Errors.Recognize(status, body)
			if !ok && (on != "" || gotID != "" || gotText != "") {
				t.Errorf("%s: %q, %q, %q and false", p.Name, on, gotID, gotText)
			}
			if ok && (!json.Valid(body) || !says(body, gotText) || gotID != "" && !says(body, gotID)) {
				t.Errorf("%s: %q and %q are not in %q", p.Name, gotID, gotText, body)
			}
			if row, listed := p.Errors.Row(on); on != "" && (!listed || status != 0 && row.Status != status) {
				t.Errorf("%s: %q with status %d", p.Name, on, status)
			}
			// Bytes that are not UTF-8 become U+FFFD in JSON, one for each.
			wantID, wantText := string([]rune(id)), string([]rune(text))
			if _, gotID, gotText, ok := p.Errors.Recognize(status, p.Errors.Render(id, text)); !ok ||
				gotID != wantID || gotText != wantText {
				t.Errorf("%s: rendered from %q and %q, recognized as %q and %q", p.Name, wantID, wantText, gotID,
					gotText)
			}
		}
	})
}

// says reports whether a string occurs anywhere in the JSON.
func says(body []byte, want string) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if token == want {
			return true
		}
	}
}

// FuzzFind: a path that names an endpoint, built again from the endpoint's pattern and the
// variables, is unescaped to the same path by other readers; and no plain endpoint may be
// listed for it.
func FuzzFind(f *testing.F) {
	p, err := profile.Load("riskos")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{
		"/api/evaluation", "/api/evaluation/", "/api/evaluation/v1", "/api/evaluation/e%2F1", "/api/evaluation/%2e%2e",
		"/api//evaluation", "/api/./evaluation",
		"/api/%65valuation", "/api/evaluation/a%00b", "/api/evaluation/{eval_id}",
		"/api/evaluation/a%20b?c=/api/evaluation", "*", "", "//host/api/evaluation", "/api/evaluation/ä;v=1",
	} {
		f.Add("POST", path)
		f.Add("PATCH", path)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		e, vars, ok := p.Find(method, u)
		if !ok {
			if e != nil || vars != nil {
				t.Error("an endpoint and false")
			}
			return
		}
		segments := strings.Split(e.Path, "/")
		for i, s := range segments {
			if value, isVar := vars[strings.Trim(s, "{}")]; isVar {
				if value == "" || value == "." || value == ".." || strings.ContainsAny(value, "/\\\x00\r\n") {
					t.Errorf("variable %s is %q", s, value)
				}
				segments[i] = url.PathEscape(value)
			}
		}
		again, err := url.ParseRequestURI(strings.Join(segments, "/"))
		if err != nil {
			t.Fatal(err)
		}
		if again.Path != u.Path {
			t.Errorf("%q is another path: %q", again.Path, u.Path)
		}
		if other, _, ok := p.Find(method, again); !ok || other != e {
			t.Errorf("%q names %v, %q %v", u.EscapedPath(), e, again.EscapedPath(), other)
		}
		if !p.Seals(method, u.EscapedPath()) || !profile.MatchEndpoint(e.Method+" "+e.Path, method, u) {
			t.Errorf("%s %q is an endpoint, and its pattern does not say so", method, u.EscapedPath())
		}
	})
}
