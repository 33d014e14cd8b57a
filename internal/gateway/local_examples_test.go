package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/sealanetest"
)

// TestLocalExamples runs the examples of docs/gateway-local.md in each language: one program seals for a partner,
// which is ourselves here, and opens it. With a token that is wrong, or for something else, each of them fails and
// prints no payload.
func TestLocalExamples(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	t.Setenv("QUEUE", queueToken)
	d, production := newDatabase(t), registry.Environment{Name: "PROD"}
	d.partner("acme", "riskos", sealane.ServerSide, production, sealanetest.ProviderKey(), sealanetest.CustomerKey())
	d.partner("risk", "riskos", sealane.ClientSide, production, sealanetest.CustomerKey(), sealanetest.ProviderKey())
	config := documented(t, "local.yaml", append(d.ofDatabase(), "127.0.0.1:8083", "127.0.0.1:0",
		"credential:batch", "env:BATCH", "credential:queue", "env:QUEUE")...)
	g := start(t, config, d.open(nil))
	page := read(t, "../../docs/gateway-local.md")
	for _, c := range []struct{ tool, fence, file, want string }{
		{"curl", "```\n", "example.sh", `{"n":1}`},
		{"python3", "```python\n", "example.py", `{"id":"order-17"}`},
		{"java", "```java\n", "Local.java", `{"id":"order-17"}`},
	} {
		t.Run(c.tool, func(t *testing.T) {
			program, err := exec.LookPath(c.tool)
			if err != nil {
				t.Skipf("%s is not installed", c.tool)
			}
			_, example, found := strings.Cut(page, c.fence)
			example, _, ends := strings.Cut(example, "\n```\n")
			if !found || !ends {
				t.Fatalf("docs/gateway-local.md has no example in %s", c.tool)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.file), strings.ReplaceAll(example, "http://127.0.0.1:8083", g.url("local")))
			write(t, filepath.Join(dir, "evaluation.json"), `{"n":1}`)
			if c.tool == "curl" {
				program = "sh"
			}
			for _, token := range []string{batchToken, batchToken + "x", queueToken} {
				command := exec.CommandContext(t.Context(), program, c.file)
				command.Dir = dir
				command.Env = append(os.Environ(), "TOKEN="+token, "SEALANE_LOCAL_TOKEN="+token,
					"SEALANE_URL="+g.url("local"))
				var errors bytes.Buffer
				command.Stderr = &errors
				out, err := command.Output()
				if got := strings.TrimSpace(string(out)); (err == nil) != (token == batchToken) ||
					(got == c.want) != (token == batchToken) || strings.Contains(got, "order-17") && err != nil {
					t.Errorf("token %s: %v: %q\n%s", token, err, out, errors.String())
				}
			}
		})
	}
}

// TestLocalFiles runs what docs/gateway-local.md tries with files: an issuer's lane folder, without a registry.
func TestLocalFiles(t *testing.T) {
	const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG"
	_, page, found := strings.Cut(read(t, "../../docs/gateway-local.md"), "## Try it with files")
	if !found {
		t.Fatal("docs/gateway-local.md has no section about files")
	}
	block := func() string {
		_, rest, found := strings.Cut(page, "```yaml\n")
		text, rest, ends := strings.Cut(rest, "```")
		if !found || !ends {
			t.Fatal("a block is missing")
		}
		page = rest
		return text
	}
	lane, config := block(), block()
	ours := testkey.RSA(t, "issuer", 4096)
	g := start(t, strings.ReplaceAll(config, "127.0.0.1:8083", "127.0.0.1:0"), func(r *running, _ *gateway.Options) {
		key, err := keyfile.EncodePrivate(ours, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(r.dir, "lane"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(r.dir, "lane", "lane.yaml"), lane)
		write(t, filepath.Join(r.dir, "lane", "ours.key"), string(key))
		write(t, filepath.Join(r.dir, "token"), batchToken+"\n")
	})
	sender := sealanetest.VCASConfig()
	sender.Theirs = testkey.Theirs(t, alias, ours)
	message, err := testlane.New(t, sender).Seal(t.Context(), []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", g.url("local")+"/open/vcas/STAG",
		bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sealane-Token", batchToken)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != `{"n":1}` || answer.Header.Get("Sealane-Message") != "unverified" {
		t.Errorf("%v: %d %q %v", err, answer.StatusCode, body, answer.Header)
	}
}
