//go:build linux && !android && amd64 && (cgo || sealane_dlopen)

package multibuffer

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/rsabatch"
	"github.com/sealane/sealane/internal/testkey"
)

// double compiles a double of the library with macros, and returns its file.
func double(t *testing.T, macros ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libcrypto_mb.so")
	arguments := append([]string{"-shared", "-fPIC", "-O1", "-w", "-o", path}, macros...)
	arguments = append(arguments, "testdata/double.c", "-l:libcrypto.so.3")
	if out, err := exec.Command("gcc", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return path
}

// engineWith returns a batching engine with a library and OpenSSL, and what it reports.
func engineWith(t testing.TB, l *Library,
	change func(*rsabatch.Config)) (e *rsabatch.Engine, reports func() []string) {
	t.Helper()
	single, err := libcrypto.Load()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var list []string
	c := rsabatch.Config{
		Kernel:  l,
		Private: func(k *rsa.PrivateKey) (rsabatch.Single, error) { return single.NewKey(k) },
		Public:  func(k *rsa.PublicKey) (rsabatch.Single, error) { return single.NewPublicKey(k) },
		Places:  1,
		// A batch takes as long as one operation here, so that batches begin with two.
		Clock: func() time.Duration { mu.Lock(); defer mu.Unlock(); tick += time.Millisecond; return tick },
		Report: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, text)
		},
	}
	if change != nil {
		change(&c)
	}
	if e, err = rsabatch.New(c); err != nil {
		t.Fatal(err)
	}
	return e, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

var tick time.Duration

// flood signs many messages at once with a key, and checks every signature.
func flood(t *testing.T, k *rsabatch.Key, n int) {
	t.Helper()
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			digest := sha256.Sum256(fmt.Appendf(nil, "message %d", i))
			signature, err := k.Sign(nil, digest[:], crypto.SHA256)
			if err != nil {
				t.Error(err)
				return
			}
			public := k.Public().(*rsa.PublicKey)
			if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func keyOf(t *testing.T, e *rsabatch.Engine) *rsabatch.Key {
	t.Helper()
	k, err := e.NewKey(testkey.Fixed())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// TestRefusedLibraries: what is not crypto_mb of a known interface is not used.
func TestRefusedLibraries(t *testing.T) {
	for says, macros := range map[string][]string{
		"only interfaces 11 to 13": {`-DVERSION="crypto_mb (ver: 3.0.0 (14.0) build: tomorrow)"`},
		"interface 10.2":           {`-DVERSION="crypto_mb (ver: 1.0.0 (10.2) build: yesterday)"`},
		"is not one of crypto_mb":  {`-DVERSION="another library"`},
		"has not eight slots":      {"-DNO_SLOTS"},
		"mbx_rsa_public_mb8":       {"-Dmbx_rsa_public_mb8=other"},
	} {
		l, err := open(double(t, macros...), instructions())
		if l != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, not %q", macros, err, says)
		}
	}
	for _, path := range []string{"/etc/passwd", "/nonexistent/libcrypto_mb.so"} {
		if l, err := open(path, false); l != nil || err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if instructions() {
		open := filepath.Join(t.TempDir(), "l.so")
		if err := errors.Join(os.WriteFile(open, nil, 0o600), os.Chmod(open, 0o666)); err != nil {
			t.Fatal(err)
		}
		if l, err := Load(open); l != nil || err == nil || !strings.Contains(err.Error(), "can write to it") {
			t.Errorf("a file that all can write: %v", err)
		}
	} else if l, err := Load(""); l != nil || err == nil || !strings.Contains(err.Error(), "AVX-512 IFMA") {
		t.Errorf("without the instructions: %v", err)
	}
}

// TestDouble: a library that works performs batches, and its memory is wiped.
func TestDouble(t *testing.T) {
	l, err := open(double(t), instructions())
	if err != nil {
		t.Fatal(err)
	}
	if l.Version() != "0.0.1 (interface 13.0)" {
		t.Errorf("version %q", l.Version())
	}
	e, reports := engineWith(t, l, nil)
	k := keyOf(t, e)
	flood(t, k, 64)
	if got := e.Stats(); got.Batches == 0 || got.Wrong != 0 || got.Off != "" || len(reports()) != 0 {
		t.Errorf("%+v, %q", got, reports())
	}
	checkWiped(t, l)
}

// checkWiped performs a batch and looks at the memory of the unit and the key.
func checkWiped(t *testing.T, l *Library) {
	t.Helper()
	key := testkey.Fixed()
	n, err := l.NewNumbers(key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := l.NewUnit()
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	slots := make([]rsabatch.Slot, rsabatch.Slots)
	for i := range slots {
		slots[i] = rsabatch.Slot{Numbers: n, In: bytes.Repeat([]byte{1}, 256), Out: make([]byte, 256)}
	}
	made.Private(2048, slots)
	if !slots[7].Good || bytes.Equal(slots[7].Out, make([]byte, 256)) {
		t.Error("a slot has no result")
	}
	if memory := made.(*unit).memory; !bytes.Equal(memory, make([]byte, len(memory))) {
		t.Error("the memory of a batch is not wiped")
	}
	memory := n.(*numbers).memory
	if bytes.Equal(memory, make([]byte, len(memory))) {
		t.Error("the key has no numbers")
	}
	n.Close()
	if !bytes.Equal(memory, make([]byte, len(memory))) {
		t.Error("the numbers of a closed key are not wiped")
	}
	made.Private(2048, slots)
	for _, s := range slots {
		if s.Good {
			t.Error("a closed key has a result")
		}
	}
}

// TestWrongSlotOfDouble: a library that returns one wrong slot in every full batch harms nobody, and is
// switched off after three.
func TestWrongSlotOfDouble(t *testing.T) {
	l, err := open(double(t, "-DWRONG=5", "-DGOOD=100"), instructions()) // the self-test has fewer
	if err != nil {
		t.Fatal(err)
	}
	e, reports := engineWith(t, l, nil)
	k := keyOf(t, e)
	for range 200 { // each has some full batches
		if flood(t, k, 64); e.Stats().Off != "" {
			break
		}
	}
	flood(t, k, 16)
	if got := e.Stats(); got.Wrong != 3 || got.Off == "" {
		t.Errorf("%+v", got)
	}
	if got := reports(); len(got) != 1 || !strings.Contains(got[0], "3 results were wrong") {
		t.Errorf("reports: %q", got)
	}
}

// TestWrongFromTheStart: a library that is wrong in the self-test is not used.
func TestWrongFromTheStart(t *testing.T) {
	l, err := open(double(t, "-DWRONG=0", "-DGOOD=0"), instructions())
	if err != nil {
		t.Fatal(err)
	}
	single, err := libcrypto.Load()
	if err != nil {
		t.Fatal(err)
	}
	e, err := rsabatch.New(rsabatch.Config{Kernel: l, Clock: Clock,
		Private: func(k *rsa.PrivateKey) (rsabatch.Single, error) { return single.NewKey(k) },
		Public:  func(k *rsa.PublicKey) (rsabatch.Single, error) { return single.NewPublicKey(k) },
	})
	if e != nil || err == nil || !strings.Contains(err.Error(), "2048 bits") {
		t.Errorf("got %v, %v", e, err)
	}
}

// TestHangingDouble: a batch in a library that does not return costs its callers a bounded time.
func TestHangingDouble(t *testing.T) {
	l, err := open(double(t, "-DHANG", "-DGOOD=100"), instructions())
	if err != nil {
		t.Fatal(err)
	}
	e, reports := engineWith(t, l, func(c *rsabatch.Config) { c.Stall = 100 * time.Millisecond })
	k := keyOf(t, e)
	for range 200 {
		if flood(t, k, 64); e.Stats().Off != "" {
			break
		}
	}
	flood(t, k, 16)
	if got := reports(); e.Stats().Off == "" || len(got) != 1 || !strings.Contains(got[0], "not return within 100ms") {
		t.Errorf("%+v, %q", e.Stats(), got)
	}
}
