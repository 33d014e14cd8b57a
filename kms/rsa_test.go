package kms_test

import (
	"crypto/fips140"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// engines gives every way to do RSA that this machine has.
func engines(t *testing.T) map[string]kms.RSA {
	t.Helper()
	list := map[string]kms.RSA{"zero": {}}
	for _, choice := range []string{kms.Auto, kms.Go, kms.OpenSSL} {
		r, err := kms.ChooseRSA(choice)
		if err != nil {
			if choice != kms.OpenSSL {
				t.Fatalf("%s: %v", choice, err)
			}
			t.Skipf("libcrypto.so.3 is missing: %v", err)
		}
		list[choice] = r
	}
	return list
}

func TestChoices(t *testing.T) {
	list := engines(t)
	if got := list[kms.Auto].String(); !strings.HasPrefix(got, "OpenSSL 3.") || !strings.Contains(got, "/libcrypto.so.3") {
		t.Errorf("auto is %s", got)
	}
	if got := list[kms.Go].String(); got != "Go crypto/rsa (as chosen)" {
		t.Errorf("go is %s", got)
	}
	if _, err := kms.ChooseRSA("fastest"); err == nil || !strings.Contains(err.Error(), "auto, go or openssl") {
		t.Error(err)
	}
}

// TestKeysOfEveryEngine: the ring takes them, and they are the same key.
func TestKeysOfEveryEngine(t *testing.T) {
	key := testkey.RSA(t, "key", 2048)
	data, err := cert.EncodePrivate(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := file(t, data)
	for engine, r := range engines(t) {
		opened, err := kms.Open(t.Context(), name, kms.Options{RSA: r})
		if err != nil {
			t.Fatal(engine, err)
		}
		operations, err := r.Public(&key.PublicKey)
		if err != nil {
			t.Fatal(engine, err)
		}
		ring, err := keyring.New(keyring.Key{State: keyring.Active, ID: "k", Private: opened.Private, PublicOps: operations})
		if err != nil {
			t.Fatal(engine, err)
		}
		if signer, ok := ring.Signer(); !ok || !signer.Public.Equal(&key.PublicKey) {
			t.Errorf("%s: another key", engine)
		}
	}
}

// TestFIPS: in FIPS mode auto means Go, and OpenSSL has to have its own provider.
func TestFIPS(t *testing.T) {
	if !fips140.Enabled() {
		c := exec.Command(os.Args[0], "-test.run=^TestFIPS$", "-test.v")
		c.Env = append(os.Environ(), "GODEBUG=fips140=on")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFIPS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	r, err := kms.ChooseRSA(kms.Auto)
	if err != nil || r.String() != "Go crypto/rsa (FIPS 140-3 mode is on)" {
		t.Errorf("auto is %s, %v", r, err)
	}
	if _, err := kms.ChooseRSA(kms.OpenSSL); errors.Is(err, libcrypto.ErrNotHere) {
		return // a build without it
	}
	if r, err := kms.ChooseRSA(kms.OpenSSL); err == nil && !strings.Contains(r.String(), "FIPS provider") || err != nil && errors.Is(err, os.ErrNotExist) == strings.Contains(err.Error(), "FIPS provider") {
		t.Errorf("openssl is %s, %v", r, err)
	}
}
