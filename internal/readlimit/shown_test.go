package readlimit_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/readlimit"
)

// TestSecretFile: what was given in place of the name of a file with a secret is not shown.
func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"hunter2", "S3cret/with+slashes=", filepath.Join(dir, "hunter2"), filepath.Join(dir, "none", "a/hunter2"),
		"hunter2\x7f", strings.Repeat("S3cret", 100), "/hunter2", "hunter2.", "eyJh.eyJi.hunter2",
	} {
		_, err := readlimit.SecretFile(name, 10)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "S3cret") {
			t.Errorf("%q: %v", name, err)
		}
		if len(name) < 100 && !errors.Is(err, fs.ErrNotExist) && !strings.Contains(name, "\x7f") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := readlimit.SecretFile(filepath.Join(dir, "hunter2"), 10); !strings.Contains(err.Error(), dir) {
		t.Errorf("the folder is not shown: %v", err)
	}
	if _, err := readlimit.SecretFile(filepath.Join(dir, "api.key"), 10); !strings.Contains(err.Error(), "api.key") {
		t.Errorf("the name is not shown: %v", err)
	}
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("more than ten bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readlimit.SecretFile(there, 10); err == nil || !strings.Contains(err.Error(), there) {
		t.Errorf("a file that is there is not named: %v", err)
	}
	if data, err := readlimit.SecretFile(there, 100); err != nil || string(data) != "more than ten bytes" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestShownVariable(t *testing.T) {
	t.Setenv("hunter2set", "x")
	for name, want := range map[string]string{
		"API_KEY": "API_KEY", "KEY2": "KEY2", "hunter2set": "hunter2set", "hunter2": "…", "Hunter": "…", "": "…",
		"A__B": "…", "A=B": "…", "S3CRET+/": "…",
	} {
		if got := readlimit.ShownVariable(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestContentForAName: a key in place of the name of its file is recognized.
func TestContentForAName(t *testing.T) {
	for _, content := range []string{
		`{"kty":"RSA","d":"hunter2"}`, " {", `file:{"kty":"RSA"}`, "MII" + strings.Repeat("Evg/", 40),
		strings.Repeat("a", 256), "x/" + strings.Repeat("a", 300) + "/y",
	} {
		if _, err := readlimit.File(content, 5); !errors.Is(err, readlimit.ErrContent) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
	for _, name := range []string{"MIIx.key", "a{b}", strings.Repeat("a", 255)} {
		if err := readlimit.CheckName(name); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}
