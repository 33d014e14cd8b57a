package demo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/demo"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// TestRun runs the whole demo, and looks at its report and its folder.
func TestRun(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "demo")
	var out strings.Builder
	if err := demo.Run(t.Context(), demo.Options{Folder: folder, Output: &out, Once: true}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	texts := []string{" 0 failed", "validate       answered SUCCESS"}
	for _, on := range []profile.Outcome{
		sealane.ErrNotSupported, sealane.ErrFormat, sealane.ErrNotJWE, sealane.ErrNotJWS, sealane.ErrDecryption,
		sealane.ErrSignature, sealane.ErrSealingFailed,
	} {
		texts = append(texts, testlane.ErrorText(t, "riskos", on))
	}
	for _, text := range texts {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the report has no %q", text)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("the report has colors")
	}
	keys, err := filepath.Glob(filepath.Join(folder, "*", "*", "private", "*"))
	if err != nil || len(keys) != 4 {
		t.Errorf("private keys: %v %v", keys, err)
	}
	out.Reset()
	err = demo.Run(t.Context(), demo.Options{Folder: folder, Output: &out, Once: true})
	if err == nil || !strings.Contains(err.Error(), "not empty") || out.Len() > 0 {
		t.Errorf("a second run in the same folder: %v\n%s", err, out.String())
	}
}

// TestTemporaryFolder: nothing is left of a run without a folder, even if it is ended
// early.
func TestTemporaryFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out strings.Builder
	if err := demo.Run(ctx, demo.Options{Output: &out}); err == nil {
		t.Errorf("no error\n%s", out.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}
