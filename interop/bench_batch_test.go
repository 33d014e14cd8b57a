package interop

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// BenchmarkBatch compares the engine with batches (crypto_mb, which SEALANE_TEST_CRYPTO_MB names) with
// OpenSSL, go-jose and jwx, with many clients at once: a sealed request and its sealed answer, 1 KiB each,
// through a sealhttp.Handler in this process, with the keys of eight partners. go-jose and jwx open and seal as
// much, without a handler and with one partner's keys.
//
// It reports requests/s, the processor's time for a request (cpu-ns/op), and the median and the 99th
// percentile of the time that a client waits (p50-ns, p99-ns). For batches it also reports their mean
// number of operations (fill), and how many operations OpenSSL performs for a request (single/op), of
// four. Run it pinned, as "taskset -c 0" with
// -cpu 1, or as "taskset -c 0,1" with -cpu 2.
func BenchmarkBatch(b *testing.B) {
	choices := []string{rsaengine.OpenSSL}
	if path := os.Getenv("SEALANE_TEST_CRYPTO_MB"); path != "" {
		choices = append(choices, rsaengine.Multibuffer+":"+path)
	}
	for _, bits := range benchBits {
		for _, clients := range []int{1, 8, 32} {
			for i, choice := range choices {
				name := []string{"openssl", "batch"}[i]
				b.Run(fmt.Sprintf("rsa=%d/clients=%d/impl=%s", bits, clients, name), func(b *testing.B) {
					engine, err := rsaengine.Select(choice)
					if err != nil {
						b.Skip(err)
					}
					callers := batchCallers(b, bits, engine)
					before := engine.Batches()
					benchClients(b, clients, callers)
					after := engine.Batches()
					if after == nil {
						return
					}
					if after.Off != "" {
						b.Error(after.Off)
					}
					if n := after.Batches - before.Batches; n > 0 {
						b.ReportMetric(float64(after.Operations-before.Operations)/float64(n), "fill")
					}
					b.ReportMetric(float64(after.Single-before.Single)/float64(b.N), "single/op")
				})
			}
			if clients < 32 {
				continue
			}
			for _, peer := range []struct {
				name string
				make func(testing.TB, int) (codec, error)
			}{{"go-jose", benchGoJOSE}, {"jwx", benchJWX}} {
				b.Run(fmt.Sprintf("rsa=%d/clients=%d/impl=%s", bits, clients, peer.name), func(b *testing.B) {
					c, err := peer.make(b, bits)
					if err != nil {
						b.Fatal(err)
					}
					benchClients(b, clients, peerCallers(b, c))
				})
			}
		}
	}
}

const batchPartners = 8

// batchCallers returns how each client does one exchange. Clients belong to partners in turn.
func batchCallers(b *testing.B, bits int, engine *rsaengine.Engine) func(client int) func() error {
	dialect, err := profile.Load("riskos")
	if err != nil {
		b.Fatal(err)
	}
	var exchanges []*exchange
	for p := range batchPartners {
		theirs, ours := fmt.Sprint("customer ", p), fmt.Sprint("provider ", p)
		lane := func(side sealane.Side, own, other string) *sealane.Lane {
			private, err := engine.PrivateKey(testkey.RSA(b, own, bits))
			public := &testkey.RSA(b, other, bits).PublicKey
			operations, opsErr := engine.PublicOps(public)
			ring, ringErr := keyring.New(keyring.Key{State: keyring.Active, ID: "other", Public: public,
				PublicOps: operations})
			if err := errors.Join(err, opsErr, ringErr); err != nil {
				b.Fatal(err)
			}
			l, err := sealane.New(sealane.Config{Profile: dialect, Side: side, MaxPayload: benchMaxPayload,
				Ours: testkey.Ours(b, "own", private), Theirs: ring})
			if err != nil {
				b.Fatal(err)
			}
			return l
		}
		client, server := lane(sealane.ClientSide, theirs, ours), lane(sealane.ServerSide, ours, theirs)
		exchanges = append(exchanges, newExchange(b, client, server))
	}
	return func(client int) func() error {
		do := exchanges[client%batchPartners].inProcess(b)
		return func() error { _, err := do(false); return err }
	}
}

// peerCallers open a request and seal an answer with another library.
func peerCallers(b *testing.B, c codec) func(client int) func() error {
	payload := benchPayload(b, "1KiB", 1<<10)
	sealed, err := c.seal(payload)
	if err != nil {
		b.Fatal(err)
	}
	return func(int) func() error {
		return func() error {
			opened, err := c.open(sealed)
			if err != nil {
				return err
			}
			if !bytes.Equal(opened, payload) {
				return errors.New("another payload")
			}
			_, err = c.seal(payload)
			return err
		}
	}
}

// benchClients runs b.N exchanges by clients that each wait for their answer.
func benchClients(b *testing.B, clients int, callers func(client int) func() error) {
	var next atomic.Int64
	waits := make([][]time.Duration, clients)
	work := make([]func() error, clients)
	for i := range clients {
		work[i] = callers(i)
		if err := work[i](); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	var wait sync.WaitGroup
	used := processorTime()
	b.ResetTimer()
	for i := range clients {
		wait.Go(func() {
			for next.Add(1) <= int64(b.N) {
				start := time.Now()
				if err := work[i](); err != nil {
					b.Error(err)
					return
				}
				waits[i] = append(waits[i], time.Since(start))
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	all := slices.Sorted(slices.Values(slices.Concat(waits...)))
	if len(all) == 0 {
		return
	}
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(processorTime()-used)/float64(len(all)), "cpu-ns/op")
	b.ReportMetric(float64(all[len(all)/2]), "p50-ns")
	b.ReportMetric(float64(all[len(all)*99/100]), "p99-ns")
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkKeyMemory imports many private keys into the engine with batches, uses each once, and reports by how much
// the memory of the process has grown for each (B/key). Run it with -benchtime 1x.
func BenchmarkKeyMemory(b *testing.B) {
	path := os.Getenv("SEALANE_TEST_CRYPTO_MB")
	if path == "" {
		b.Skip("SEALANE_TEST_CRYPTO_MB names no library")
	}
	engine, err := rsaengine.Select(rsaengine.Multibuffer + ":" + path)
	if err != nil {
		b.Fatal(err)
	}
	const keys = 500
	digest := make([]byte, crypto.SHA256.Size())
	for _, bits := range benchBits {
		b.Run(fmt.Sprintf("rsa=%d", bits), func(b *testing.B) {
			key := testkey.RSA(b, "memory", bits)
			var kept []keyring.Private
			for b.Loop() {
				before := resident(b)
				for range keys {
					k, err := engine.PrivateKey(key)
					if err == nil {
						_, err = k.Sign(nil, digest, crypto.SHA256)
					}
					if err != nil {
						b.Fatal(err)
					}
					kept = append(kept, k)
				}
				b.ReportMetric(float64(resident(b)-before)/keys, "B/key")
			}
			runtime.KeepAlive(kept)
		})
	}
}

// resident returns how many bytes of memory the process has, after a collection.
func resident(b *testing.B) int64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	var size, pages int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &pages)
	}
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
