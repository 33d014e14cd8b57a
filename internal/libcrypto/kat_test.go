//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// TestKnownAnswers: crypto/rsa agrees with them, and the key is public.
func TestKnownAnswers(t *testing.T) {
	a := knownAnswers
	for text, want := range map[string]string{
		"sealane self-test, first prime: not a secret":  a.p,
		"sealane self-test, second prime: not a secret": a.q,
	} {
		if got := firstPrime(text); got != want {
			t.Errorf("the prime after %q is %s", text, got)
		}
	}
	key, err := a.key()
	if err != nil {
		t.Fatal(err)
	}
	key.Precompute()
	digest := sha256.Sum256([]byte(a.message))
	s, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil || hex.EncodeToString(s) != a.signature {
		t.Errorf("signature: %x, %v", s, err)
	}
	for h, text := range map[crypto.Hash]string{crypto.SHA256: a.oaepSHA256, crypto.SHA1: a.oaepSHA1} {
		c, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		m, err := key.Decrypt(nil, c, &rsa.OAEPOptions{Hash: h})
		if err != nil || string(m) != a.message {
			t.Errorf("%v: %q, %v", h, m, err)
		}
	}
}

func firstPrime(text string) string {
	var b []byte
	for i := range byte(4) {
		sum := sha256.Sum256(append([]byte(text), i))
		b = append(b, sum[:]...)
	}
	b[0] |= 0xc0
	b[len(b)-1] |= 1
	x := new(big.Int).SetBytes(b)
	for !x.ProbablyPrime(20) {
		x.Add(x, big.NewInt(2))
	}
	return x.Text(16)
}

// TestSelfTestCatches: a library that returns anything but the known answers is refused.
func TestSelfTestCatches(t *testing.T) {
	l := loadedHere(t)
	turned := func(s string) string {
		last := map[bool]string{true: "1", false: "0"}[s[len(s)-1] == '0']
		return s[:len(s)-1] + last
	}
	for name, change := range map[string]func(*answers){
		"message":    func(a *answers) { a.message += "." },
		"signature":  func(a *answers) { a.signature = turned(a.signature) },
		"no answer":  func(a *answers) { a.signature = "" },
		"SHA-256":    func(a *answers) { a.oaepSHA256 = turned(a.oaepSHA256) },
		"SHA-1":      func(a *answers) { a.oaepSHA1 = turned(a.oaepSHA1) },
		"exchanged":  func(a *answers) { a.oaepSHA1, a.oaepSHA256 = a.oaepSHA256, a.oaepSHA1 },
		"none":       func(a *answers) { a.oaepSHA256 = "" },
		"other text": func(a *answers) { a.oaepSHA1 = "not hexadecimal" },
		"prime":      func(a *answers) { a.p = turned(a.p) },
		"no prime":   func(a *answers) { a.q = "" },
	} {
		a := knownAnswers
		change(&a)
		got, err := open(l.path, a)
		if got != nil || err == nil || !strings.Contains(err.Error(), "self-test") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := open(l.path, knownAnswers); err != nil {
		t.Error(err)
	}
}

// TestOperationalErrors: a failure inside OpenSSL is never rsa.ErrDecryption, has OpenSSL's
// reason, and does not damage the key.
func TestOperationalErrors(t *testing.T) {
	l := loadedHere(t)
	private, err := knownAnswers.key()
	if err != nil {
		t.Fatal(err)
	}
	key, err := l.NewKey(private)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			out := make([]byte, key.public.Size())
			err := key.handle.run(decrypting, out, key.public.N.Bytes()) // not below the modulus
			if err == nil || errors.Is(err, rsa.ErrDecryption) ||
				!strings.Contains(err.Error(), "too large for modulus") {
				t.Errorf("decrypt: %v", err)
			}
			if !bytes.Equal(out, make([]byte, len(out))) {
				t.Error("a failed operation has a result")
			}
			err = key.handle.run(signing, out, make([]byte, 31))
			if err == nil || errors.Is(err, rsa.ErrDecryption) || !strings.Contains(err.Error(), "digest length") {
				t.Errorf("sign: %v", err)
			}
			if err := key.try(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	idle := key.handle.idle
	if key.handle.inUse != 0 || len(idle[signing]) > cap(l.running) || len(idle[decrypting]) > cap(l.running) {
		t.Errorf("%d in use, idle: %v", key.handle.inUse, key.handle.idle)
	}
	key.Close()
	if key.handle.pkey != 0 {
		t.Error("closed, the key is still there")
	}
}

// TestNotALibrary: a file that is not OpenSSL is refused with its name.
func TestNotALibrary(t *testing.T) {
	for _, path := range []string{"/nonexistent/libcrypto.so.3", "/etc/passwd", "/lib/x86_64-linux-gnu/libm.so.6"} {
		l, err := open(path, knownAnswers)
		if l != nil || err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestWipes: nothing of a message or a key is left in OpenSSL's memory or in ours.
func TestWipes(t *testing.T) {
	l := loadedHere(t)
	private, err := knownAnswers.key()
	if err != nil {
		t.Fatal(err)
	}
	key, err := l.NewKey(private)
	if err != nil {
		t.Fatal(err)
	}
	defer key.Close()
	c, err := hex.DecodeString(knownAnswers.oaepSHA256)
	if err != nil {
		t.Fatal(err)
	}
	m, err := key.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if cap(m) != len(m) {
		t.Errorf("a message of %d bytes has capacity %d", len(m), cap(m))
	}
	for _, jobs := range key.handle.idle {
		for _, j := range jobs {
			if j.block.in != [maxModulus]byte{} || j.block.out != [maxModulus]byte{} {
				t.Error("an idle job still has a message")
			}
		}
	}
}

// TestFIPSOnly runs the comparisons again where Go refuses algorithms that are not
// approved: SHA-1 is then an operational error, and not the message's.
func TestFIPSOnly(t *testing.T) {
	if os.Getenv("GODEBUG") == "fips140=only" {
		l := loadedHere(t)
		private, err := knownAnswers.key()
		if err != nil {
			t.Fatal(err)
		}
		key, err := l.NewKey(private)
		if err != nil {
			t.Fatal(err)
		}
		defer key.Close()
		for h, text := range map[crypto.Hash]string{
			crypto.SHA256: knownAnswers.oaepSHA256, crypto.SHA1: knownAnswers.oaepSHA1,
		} {
			c, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			_, err = key.Decrypt(nil, c, &rsa.OAEPOptions{Hash: h})
			if (err == nil) != (h == crypto.SHA256) || errors.Is(err, rsa.ErrDecryption) {
				t.Errorf("%v: %v", h, err)
			}
		}
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestFIPSOnly$", "-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := c.CombinedOutput()
	if err != nil ||
		!strings.Contains(string(out), "--- PASS: TestFIPSOnly") && !strings.Contains(string(out), "--- SKIP") {
		t.Errorf("%v\n%s", err, out)
	}
}
