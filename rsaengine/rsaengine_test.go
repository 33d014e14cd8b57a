package rsaengine_test

import (
	"crypto/fips140"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// engines returns every engine that this build and machine have.
func engines(t *testing.T) map[string]*rsaengine.Engine {
	t.Helper()
	list := map[string]*rsaengine.Engine{"nil": nil, "zero": {}}
	for _, choice := range []string{rsaengine.Auto, rsaengine.Go, rsaengine.OpenSSL} {
		e, err := rsaengine.Select(choice)
		switch {
		case err == nil:
			list[choice] = e
		case choice != rsaengine.OpenSSL || errors.Is(err, libcrypto.ErrNotBuilt) != !rsaengine.OpenSSLBuilt:
			t.Fatalf("%s: %v", choice, err)
		case rsaengine.OpenSSLBuilt:
			t.Skipf("libcrypto.so.3 is missing: %v", err)
		}
	}
	return list
}

func TestSelect(t *testing.T) {
	list := engines(t)
	auto := list[rsaengine.Auto].String()
	if !rsaengine.OpenSSLBuilt {
		if !strings.HasPrefix(auto, "Go crypto/rsa (OpenSSL is not compiled in: ") {
			t.Errorf("auto is %s", auto)
		}
	} else if !strings.HasPrefix(auto, "OpenSSL 3.") || !strings.Contains(auto, "/libcrypto.so.3") {
		t.Errorf("auto is %s", auto)
	}
	if got := list[rsaengine.Go].String(); got != "Go crypto/rsa (as chosen)" {
		t.Errorf("go is %s", got)
	}
	for _, name := range []string{"nil", "zero"} {
		if got := list[name].String(); got != "Go crypto/rsa" {
			t.Errorf("%s is %s", name, got)
		}
	}
	e, err := rsaengine.Select("fastest")
	if e != nil || !errors.Is(err, rsaengine.ErrUnknown) ||
		!strings.Contains(err.Error(), "auto, go, openssl, multibuffer") {
		t.Error(e, err)
	}
}

// TestKeysOfEveryEngine: the ring accepts them, and they are the same key.
func TestKeysOfEveryEngine(t *testing.T) {
	key := testkey.RSA(t, "key", 2048)
	for name, e := range engines(t) {
		private, err := e.PrivateKey(key)
		if err != nil {
			t.Fatal(name, err)
		}
		operations, err := e.PublicOps(&key.PublicKey)
		if err != nil {
			t.Fatal(name, err)
		}
		ring, err := keyring.New(keyring.Key{State: keyring.Active, ID: "k", Private: private, PublicOps: operations})
		if err != nil {
			t.Fatal(name, err)
		}
		if signer, ok := ring.Signer(); !ok || !signer.Public.Equal(&key.PublicKey) {
			t.Errorf("%s: another key", name)
		}
	}
}

// TestConcurrency: an engine can use every processor of the program.
func TestConcurrency(t *testing.T) {
	for name, e := range engines(t) {
		if got := e.Concurrency(); got < runtime.GOMAXPROCS(0) {
			t.Errorf("%s: %d operations at once", name, got)
		}
	}
}

// TestOtherKeysStay: an engine does not change a key that is not in memory.
func TestOtherKeysStay(t *testing.T) {
	remote := &struct{ keyring.Private }{testkey.RSA(t, "key", 2048)}
	for name, e := range engines(t) {
		if got, err := e.PrivateKey(remote); got != keyring.Private(remote) || err != nil {
			t.Errorf("%s: %T, %v", name, got, err)
		}
	}
}

// TestFIPS: in FIPS mode auto means Go, and OpenSSL needs its own FIPS provider.
func TestFIPS(t *testing.T) {
	if !fips140.Enabled() {
		for _, mode := range []string{"on", "only"} {
			c := exec.Command(os.Args[0], "-test.run=^TestFIPS$", "-test.v")
			c.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
			if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFIPS") {
				t.Errorf("%s: %v\n%s", mode, err, out)
			}
		}
		return
	}
	e, err := rsaengine.Select(rsaengine.Auto)
	if err != nil || e.String() != "Go crypto/rsa (FIPS 140-3 mode is on)" {
		t.Errorf("auto is %s, %v", e, err)
	}
	e, err = rsaengine.Select(rsaengine.Multibuffer)
	if e != nil || err == nil || !strings.Contains(err.Error(), "FIPS 140-3 mode is on") {
		t.Errorf("multibuffer is %s, %v", e, err)
	}
	e, err = rsaengine.Select(rsaengine.OpenSSL)
	if errors.Is(err, libcrypto.ErrNotBuilt) {
		return // a build without it
	}
	if err == nil && !strings.Contains(e.String(), "FIPS provider") ||
		err != nil && errors.Is(err, os.ErrNotExist) == strings.Contains(err.Error(), "FIPS provider") {
		t.Errorf("openssl is %s, %v", e, err)
	}
}
