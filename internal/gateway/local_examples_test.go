package gateway_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
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
