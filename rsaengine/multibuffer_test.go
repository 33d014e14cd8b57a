package rsaengine_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// TestWithoutMultibuffer: where crypto_mb cannot be used, the engine is OpenSSL or Go and says why.
func TestWithoutMultibuffer(t *testing.T) {
	const choice = rsaengine.Multibuffer + ":/nonexistent/libcrypto_mb.so"
	e, err := rsaengine.Select(choice)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := rsaengine.Select(choice); again != e {
		t.Error("the same choice returns another engine")
	}
	text := e.String()
	if !strings.Contains(text, "no batches: ") && !strings.Contains(text, "no crypto_mb without OpenSSL: ") {
		t.Errorf("the engine is %s", text)
	}
	if e.Batches() != nil || e.Concurrency() != runtime.GOMAXPROCS(0) {
		t.Errorf("%+v, %d at once", e.Batches(), e.Concurrency())
	}
	use(t, e, testkey.Fixed(), 1)
	for _, choice := range []string{"multibuffer:", "multibuffers", "go:x", "openssl:/usr/lib"} {
		if _, err := rsaengine.Select(choice); !errors.Is(err, rsaengine.ErrUnknown) {
			t.Errorf("%s: %v", choice, err)
		}
	}
}

// use signs, verifies, encrypts and decrypts n messages at once, and compares with crypto/rsa.
func use(t *testing.T, e *rsaengine.Engine, key *rsa.PrivateKey, n int) {
	t.Helper()
	private, err := e.PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := e.PublicOps(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			if err := both(private, public, key, fmt.Appendf(nil, "message %d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

func both(private keyring.Private, public keyring.PublicOps, key *rsa.PrivateKey, message []byte) error {
	digest := sha256.Sum256(message)
	pss := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
	signature, err := private.Sign(rand.Reader, digest[:], crypto.SHA256)
	salted, saltedErr := private.Sign(rand.Reader, digest[:], pss)
	if err := errors.Join(err, saltedErr,
		rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature),
		rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest[:], salted, pss)); err != nil {
		return err
	}
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, message, nil)
	if err != nil {
		return err
	}
	options := &rsa.OAEPOptions{Hash: crypto.SHA256}
	if got, err := private.Decrypt(rand.Reader, sealed, options); err != nil || !bytes.Equal(got, message) {
		return fmt.Errorf("decrypt: %w", err)
	}
	sealed[len(sealed)/2] ^= 1
	if _, err := private.Decrypt(rand.Reader, sealed, options); err != rsa.ErrDecryption {
		return fmt.Errorf("decrypt what was changed: %w", err)
	}
	if public == nil {
		return nil
	}
	if sealed, err = public.EncryptOAEP(crypto.SHA256, message); err != nil {
		return err
	}
	if got, err := key.Decrypt(nil, sealed, options); err != nil || !bytes.Equal(got, message) {
		return fmt.Errorf("encrypt: %w", err)
	}
	err, saltedErr = public.Verify(digest[:], signature, crypto.SHA256), public.Verify(digest[:], salted, pss)
	signature[9] ^= 1
	if public.Verify(digest[:], signature, crypto.SHA256) != rsa.ErrVerification {
		return errors.New("a changed signature holds")
	}
	return errors.Join(err, saltedErr)
}

// TestRealLibrary uses the library that SEALANE_TEST_CRYPTO_MB names; test.sh makes it. It needs a
// processor with AVX-512 IFMA, and so does the test of that name in internal/gateway.
func TestRealLibrary(t *testing.T) {
	if !cpu.X86.HasAVX512IFMA {
		t.Skip("the processor has no AVX-512 IFMA")
	}
	path := os.Getenv("SEALANE_TEST_CRYPTO_MB")
	if path == "" || !rsaengine.OpenSSLBuilt {
		t.Skip("SEALANE_TEST_CRYPTO_MB names no library, or this build cannot load it")
	}
	e, err := rsaengine.Select(rsaengine.Multibuffer + ":" + path)
	if err != nil {
		t.Fatal(err)
	}
	if text := e.String(); !strings.HasPrefix(text, "Intel crypto_mb ") || !strings.Contains(text, path) ||
		!strings.Contains(text, ", and OpenSSL 3.") {
		t.Fatalf("the engine is %s", text)
	}
	t.Log(e)
	if e.Concurrency() < 16 {
		t.Errorf("%d operations at once", e.Concurrency())
	}
	for _, bits := range []int{2048, 3072, 4096} {
		use(t, e, testkey.RSA(t, "real", bits), 100)
	}
	got := e.Batches()
	t.Logf("%+v", *got)
	if got.Batches == 0 || got.Operations < 2*got.Batches || got.Wrong != 0 || got.Off != "" {
		t.Errorf("%+v", *got)
	}
	private, err := e.PrivateKey(testkey.Fixed())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	signer := private.(keyring.ContextSigner)
	if _, err := signer.SignContext(ctx, make([]byte, sha256.Size), crypto.SHA256); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}
