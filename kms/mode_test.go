package kms_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/kms"
)

// TestModes: a private key that others can write is refused, one that they can read is
// warned of, as Kubernetes mounts secrets with mode 0644.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no modes
	}
	data, err := keyfile.EncodePrivate(testkey.RSA(t, "mode", 2048), nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.key")
	link := filepath.Join(t.TempDir(), "b.key")
	if err := errors.Join(os.WriteFile(path, data, 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{
		0o600: "fine", 0o400: "fine", 0o700: "fine", 0o640: "warned", 0o644: "warned", 0o604: "warned",
		0o444: "warned",
		0o620: "refused", 0o602: "refused", 0o666: "refused", 0o660: "refused", 0o777: "refused",
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for _, uri := range []string{path, "file:" + path, link} {
			warnings := ""
			k, err := kms.Open(t.Context(), uri, kms.Options{Warn: func(text string) { warnings += text }})
			got := "fine"
			switch {
			case errors.Is(err, kms.ErrWritable) && k == nil:
				got = "refused"
			case err != nil:
				t.Error(err)
			case warnings != "":
				got = "warned"
			}
			if got != want || strings.Contains(warnings, "PRIVATE") {
				t.Errorf("%s with mode %o: %s, want %s; %s", uri, mode, got, want, warnings)
			}
		}
	}
}

// TestNamedPipe: a pipe with a name that others can write to is refused before it is
// opened; a shell's own pipe is its reader's.
func TestNamedPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has none
	}
	path := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("mkfifo", "-m", "0666", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := kms.Open(t.Context(), path, kms.Options{}); !errors.Is(err, kms.ErrWritable) {
		t.Errorf("a pipe that anybody can write to: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := keyfile.EncodePrivate(testkey.RSA(t, "mode", 2048), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { w.Write(data); w.Close() }()
	if _, err := kms.Open(t.Context(), fmt.Sprintf("/dev/fd/%d", r.Fd()),
		kms.Options{Warn: func(text string) { t.Error(text) }}); err != nil {
		t.Errorf("a pipe of our own: %v", err)
	}
}
