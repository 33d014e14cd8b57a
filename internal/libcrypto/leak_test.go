//go:build !race && linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNothingLeaks observes the memory of the process, because the garbage collector does
// not see OpenSSL's. The race detector's own memory grows by more than a leak would, so
// this test is not built with it; test.sh runs it separately.
func TestNothingLeaks(t *testing.T) {
	l, key := library(t), private(t, 2048)
	total, limit := int64(100_000), 10*time.Second // fewer where the machine is slow
	if testing.Short() {
		total = 5_000
	}
	digest := sha256.Sum256(nil)
	good := encrypt(t, crypto.SHA256, key, bytes.Repeat([]byte{1}, 32))
	bad := bytes.Clone(good)
	bad[9] ^= 1
	options := &rsa.OAEPOptions{Hash: crypto.SHA256}

	work := func(operations, keys int64) int64 {
		own, err := l.NewKey(key)
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		var done atomic.Int64
		stop := time.Now().Add(limit)
		var wg sync.WaitGroup
		for range 2 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for n := done.Add(1); n <= operations && time.Now().Before(stop); n = done.Add(1) {
					var err error
					switch {
					case n%10 == 0:
						if _, err = own.Decrypt(nil, bad, options); err == rsa.ErrDecryption {
							err = nil
						}
					case n%2 == 0:
						_, err = own.Decrypt(nil, good, options)
					default:
						_, err = own.Sign(nil, digest[:], crypto.SHA256)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for n := range keys {
			k, err := l.NewKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if n%2 == 0 { // the others are forgotten
				k.Close()
			}
		}
		wg.Wait()
		return min(done.Load(), operations)
	}
	resident := func() int {
		for range 20 { // cleanups run during and after a collection
			debug.FreeOSMemory()
			runtime.Gosched()
		}
		return status(t, "VmRSS:")
	}
	work(total/20, 200)
	before, start := resident(), time.Now()
	total = work(total, 1000)
	took := time.Since(start)
	after := resident()
	t.Logf("%d operations and 1000 keys in %v: %d kB before, %d kB after",
		total, took.Round(time.Millisecond), before, after)
	if grown := after - before; grown > 8<<10 {
		t.Errorf("%d kB more than before", grown)
	}
}
