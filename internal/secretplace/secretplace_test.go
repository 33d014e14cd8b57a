package secretplace_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/secretplace"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(" hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET_OF_TEST", "hunter2")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for _, text := range []string{
		"file:secret", "file:" + filepath.Join(dir, "secret"), "env:SECRET_OF_TEST", "credential:secret",
		"exec:cat secret",
	} {
		var p secretplace.Place
		if err := p.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, err := p.Read(t.Context(), dir); err != nil || got != "hunter2" {
			t.Errorf("%s: %q %v", text, got, err)
		}
	}
}

// TestReadRefuses: what is not the place of a secret may be the secret, and is not repeated.
func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("EMPTY_OF_TEST", " ")
	for _, text := range []string{
		"hunter2", "pass:hunter2", "file:", "env: ", "", "file:hunter2", "env:hunter2", "env:EMPTY_OF_TEST",
		"credential:../hunter2", "credential:hunter2", "exec:hunter2", "exec:./hunter2", "exec:false hunter2",
	} {
		var p secretplace.Place
		err := p.UnmarshalText([]byte(text))
		if err == nil {
			_, err = p.Read(t.Context(), dir)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[secretplace.Place]string{"file:a/b": "a/b", "env:A": ""} {
		if got, ok := text.File(); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
