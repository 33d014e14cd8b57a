package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/sealane/sealane/internal/hostile"
)

// draws finds what changes a terminal or the order of its text.
func draws(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	})
}

// TestJSONKeepsNames: what cert show --json writes can go to a terminal, and
// holds the names of the certificate as they are.
func TestJSONKeepsNames(t *testing.T) {
	files, err := hostile.ReadFiles("../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	for path, name := range map[string]string{
		"certificate/common-name-escape-codes": "CN=\x1b[2J\x1b[31mbank.example\r\nApproved",
		"certificate/common-name-bidi":         "CN=bank\u202eelpmaxe.live\u202c",
	} {
		i := slices.IndexFunc(files, func(f hostile.File) bool { return f.Path == path })
		file := filepath.Join(t.TempDir(), "certificate")
		if err := os.WriteFile(file, files[i].Content, 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errors strings.Builder
		code := run(t.Context(), []string{"cert", "show", "--json", file}, strings.NewReader(""), &out, &errors)
		var facts struct{ Subject string }
		err := json.Unmarshal([]byte(out.String()), &facts)
		if err != nil || code != 0 || draws(out.String()+errors.String()) {
			t.Errorf("%s: exit code %d, %v\n%q%q", path, code, err, out.String(), errors.String())
		}
		if !strings.HasPrefix(facts.Subject, name) {
			t.Errorf("%s: %q", path, facts.Subject)
		}
	}
}

// TestCallShowsNoEscapes: what a partner puts round its answer does not draw.
func TestCallShowsNoEscapes(t *testing.T) {
	const evil = "\x1b[2J\u202e\u009b31m"
	for name, answer := range map[string]string{
		"status": "HTTP/1.1 502 Bad" + evil + "\r\n" +
			"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"content type": "HTTP/1.1 502 Bad Gateway\r\n" +
			"Content-Type: application/" + evil + "\r\nContent-Length: 2\r\n\r\n{}",
		"error text": "HTTP/1.1 400 Bad Request\r\n" +
			"Content-Type: application/json\r\nContent-Length: 27\r\n\r\n" + `{"error":"\u001b[2J\u202e"}`,
		"no HTTP": "HELO" + evil + "\r\n\r\n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := c.Write([]byte(answer)); err != nil {
				t.Error(err)
			}
		}))
		var out, errors strings.Builder
		args := []string{
			"call", "--profile", "riskos", "--plain", "--verbose", "POST", server.URL + "/api/evaluation", "{}",
		}
		code := run(t.Context(), args, strings.NewReader(""), &out, &errors)
		server.Close()
		if code == 0 || !strings.Contains(errors.String(), "sealane: ") || draws(errors.String()) {
			t.Errorf("%s: exit code %d\n%q", name, code, errors.String())
		}
	}
}
