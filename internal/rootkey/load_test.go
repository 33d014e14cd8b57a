package rootkey_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/rootkey"
)

func write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secret is a key's bytes, the first of which is no character.
func secret() []byte {
	b := make([]byte, rootkey.Size)
	_, _ = rand.Read(b)
	b[0] = 0x80
	return b
}

// TestFiles: all ways to write a key are one key.
func TestFiles(t *testing.T) {
	b := secret()
	std, url := base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b)
	small, large := hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b))
	want, err := rootkey.Load(t.Context(), "file:"+write(t, b))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{std, std + "\n", std + "\r\n", url, small, large + "\n", "\ufeff" + std + "\r\n"} {
		got, err := rootkey.Load(t.Context(), "file:"+write(t, []byte(text)))
		if err != nil || got.Matches(want.CheckValue()) != nil {
			t.Errorf("%d bytes: %v", len(text), err)
		}
		t.Setenv("SEALANE_TEST_ROOTKEY", text)
		got, err = rootkey.Load(t.Context(), "env:SEALANE_TEST_ROOTKEY")
		if err != nil || got.Matches(want.CheckValue()) != nil {
			t.Errorf("%d bytes in the environment: %v", len(text), err)
		}
	}
}

func TestNotLoaded(t *testing.T) {
	b := secret()
	std := base64.StdEncoding.EncodeToString(b)
	t.Setenv("SEALANE_TEST_SHORT", std[:40])
	t.Setenv("SEALANE_TEST_RAW", string(bytes.Repeat([]byte{0x81, 'a', 'b', 'c', 'd', 'e', 'f', 'g'}, 4)))
	for _, c := range []struct{ spec, says string }{
		{"", "one of file:PATH, env:NAME and passphrase:"},
		{std, "one of file:PATH, env:NAME and passphrase:"},
		{"file:", "one of file:PATH, env:NAME and passphrase:"},
		{"passphrase:" + std, "one of file:PATH, env:NAME and passphrase:"},
		{"env:SEALANE_TEST_NONE", "not set, or empty"},
		{"env:SEALANE_TEST_SHORT", "not 32 bytes in base64 or hexadecimal"},
		{"env:SEALANE_TEST_RAW", "not 32 bytes in base64 or hexadecimal"},
		{"file:" + t.TempDir(), "not a regular file"},
		{"file:" + filepath.Join(t.TempDir(), "none"), "…: no such file"},
		{"file:" + write(t, b[:31]), "not 32 bytes"},
		{"file:" + write(t, append(b, b...)), "not 32 bytes"},
		{"file:" + write(t, nil), "not 32 bytes"},
		{"file:" + write(t, []byte(hex.EncodeToString(b[:16]))), "not 32 bytes"},
		{"file:" + write(t, []byte(std+std)), "not 32 bytes"},
		{"file:" + write(t, []byte(std[:43]+"!")), "not 32 bytes"},
		{"file:" + write(t, []byte(strings.Repeat("zz", 32))), "not 32 bytes"},
		{"file:" + write(t, make([]byte, 32)), "it is not random"},
		{"file:" + write(t, []byte(strings.Repeat("0", 64))), "it is not random"},
		{"file:" + write(t, []byte(strings.Repeat("\n", 5000))), "larger than 4096 bytes"},
	} {
		k, err := rootkey.Load(t.Context(), c.spec)
		if err == nil || k != nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(),
			std[:20]) || strings.Contains(err.Error(), "make one") {
			t.Errorf("%s: %v", c.spec, err)
		}
	}
	if _, err := rootkey.Load(t.Context(), "passphrase:"); !errors.Is(err, rootkey.ErrPassphraseNeeded) {
		t.Error(err)
	}
	if _, err := rootkey.Load(t.Context(), "file:"+filepath.Join(t.TempDir(), "none")); !errors.Is(err,
		fs.ErrNotExist) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rootkey.Load(ended, "file:"+write(t, b)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	k, err := rootkey.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rootkey.Load(t.Context(), "file:"+path)
	if err != nil || again.Matches(k.CheckValue()) != nil {
		t.Error(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if k, err := rootkey.Create(path); k != nil || !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwritten: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("changed: %v", err)
	}
	if other, err := rootkey.Create(filepath.Join(t.TempDir(), "other")); err != nil || other.ID() == k.ID() {
		t.Errorf("the same key twice, or %v", err)
	}
	if _, err := rootkey.Create(filepath.Join(t.TempDir(), "none", "root.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzLoad: a file results in a key or an error, never both, and never anything of the
// file in the error.
func FuzzLoad(f *testing.F) {
	b := secret()
	for _, seed := range [][]byte{b, []byte(hex.EncodeToString(b)), []byte(base64.StdEncoding.EncodeToString(b) +
		"\n"), []byte(base64.RawURLEncoding.EncodeToString(b)), nil, make([]byte, 32)} {
		f.Add(seed)
	}
	path := write(f, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := rootkey.Load(t.Context(), "file:"+path)
		if (k == nil) != (err != nil) {
			t.Fatal(k, err)
		}
		if err != nil {
			if text := string(bytes.TrimSpace(data)); len(text) > 20 && strings.Contains(err.Error(), text) {
				t.Errorf("%q tells it", err)
			}
			return
		}
		if len(data) == rootkey.Size {
			data = []byte(hex.EncodeToString(data))
		}
		if len(bytes.TrimSpace(data)) < 43 || len(bytes.TrimSpace(data)) > 64 {
			t.Errorf("%d bytes are a key", len(data))
		}
		if _, err := k.Open(seal(t, k, private, place), place); err != nil {
			t.Error(err)
		}
	})
}

// A file that a person has typed, or that a program has counted, is no root key.
func TestKeysThatAreNotRandom(t *testing.T) {
	counting, squares := make([]byte, 32), make([]byte, 32)
	for i := range counting {
		counting[i], squares[i] = byte(7*i), byte(i*i)
	}
	broken := bytes.Clone(counting)
	broken[5] = 200
	for name, text := range map[string]string{
		"a pattern in hexadecimal": strings.Repeat("0123456789abcdef", 4),
		"a long pattern":           hex.EncodeToString(append(counting[:16:16], counting[:16]...)),
		"counting":                 hex.EncodeToString(counting),
		"counting, but for one":    hex.EncodeToString(broken),
		"counting down":            "201f1e1d1c1b1a191817161514131211100f0e0d0c0b0a090807060504030201",
		"a pattern in base64":      base64.StdEncoding.EncodeToString([]byte(strings.Repeat("sealane!", 4))),
	} {
		if _, err := rootkey.Load(t.Context(), "file:"+write(t, []byte(text))); err == nil ||
			!strings.Contains(err.Error(), "it is not random") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2000 { // none that is random is refused
		secret := make([]byte, 32)
		rand.Read(secret)
		t.Setenv("ROOT", hex.EncodeToString(secret))
		if _, err := rootkey.Load(t.Context(), "env:ROOT"); err != nil {
			t.Fatalf("%x: %v", secret, err)
		}
	}
	for _, weak := range []string{"abcdefghabcdefgh", "abcdefghijklmnop", "aaaaaaaabbbbbbbbcdefgh"} {
		if _, _, err := rootkey.NewPassphrase([]byte(weak)); err == nil {
			t.Errorf("passphrase %q is accepted", weak)
		}
	}
}
