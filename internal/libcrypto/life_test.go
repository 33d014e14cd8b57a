//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
)

// TestGoroutines: thousands of concurrent operations, with several keys, good and bad
// messages mixed, need only a few threads.
func TestGoroutines(t *testing.T) {
	type party struct {
		own               *libcrypto.Key
		digest, signature []byte
		good, bad         []byte
	}
	var parties []party
	for i, bits := range []int{2048, 2048, 3072} {
		own, key := imported(t, bits)
		digest := sha256.Sum256([]byte{byte(i)})
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		good := encrypt(t, crypto.SHA256, key, []byte("message"))
		bad := bytes.Clone(good)
		bad[100] ^= 1
		parties = append(parties, party{own, digest[:], signature, good, bad})
	}
	options := &rsa.OAEPOptions{Hash: crypto.SHA256}
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3000 {
		p := parties[i%len(parties)]
		wg.Go(func() {
			<-start
			switch i % 5 {
			case 0, 1:
				s, err := p.own.Sign(rand.Reader, p.digest, crypto.SHA256)
				if err != nil || !bytes.Equal(s, p.signature) {
					t.Errorf("sign: %v", err)
				}
			case 2, 3:
				if m, err := p.own.Decrypt(rand.Reader, p.good, options); err != nil || string(m) != "message" {
					t.Errorf("decrypt: %q, %v", m, err)
				}
			default:
				if m, err := p.own.Decrypt(rand.Reader, p.bad, options); m != nil || err != rsa.ErrDecryption {
					t.Errorf("decrypt a damaged one: %v", err)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	if n := status(t, "Threads:"); n > 20+4*runtime.GOMAXPROCS(0) {
		t.Errorf("%d threads", n)
	}
}

func TestClose(t *testing.T) {
	own, key := imported(t, 2048)
	digest := sha256.Sum256(nil)
	c := encrypt(t, crypto.SHA256, key, []byte("message"))
	if _, err := own.Sign(nil, digest[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
		if s, err := own.Sign(nil, digest[:], crypto.SHA256); s != nil || !errors.Is(err, libcrypto.ErrClosed) {
			t.Errorf("sign: %v", err)
		}
		m, err := own.Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
		if m != nil || !errors.Is(err, libcrypto.ErrClosed) || errors.Is(err, rsa.ErrDecryption) {
			t.Errorf("decrypt: %v", err)
		}
	}
	if !key.PublicKey.Equal(own.Public()) {
		t.Error("the public key is gone")
	}
}

// TestCloseInUse: each operation either succeeds or is refused.
func TestCloseInUse(t *testing.T) {
	l, key := library(t), private(t, 2048)
	digest := sha256.Sum256(nil)
	want, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		own, err := l.NewKey(key)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		begun := make(chan bool, 20)
		for range 20 {
			wg.Go(func() {
				begun <- true
				s, err := own.Sign(nil, digest[:], crypto.SHA256)
				if !errors.Is(err, libcrypto.ErrClosed) && (err != nil || !bytes.Equal(s, want)) {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			<-begun
			own.Close()
		})
		wg.Wait()
	}
}

// status reads a number of /proc/self/status.
func status(t *testing.T, name string) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, name); found {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
