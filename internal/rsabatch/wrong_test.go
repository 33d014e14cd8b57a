package rsabatch

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var ps256 = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}

// eight submits eight signatures, which form a batch.
func eight(t *testing.T, k *Key, wait *sync.WaitGroup) {
	for i := range 8 {
		wait.Go(func() { signs(t.Context(), t, k, fmt.Sprint("message ", i)) })
	}
	synctest.Wait()
}

// TestWrongSlot: no wrong result leaves the engine, whatever is wrong, and the other slots are not
// affected. The third switches the engine off, which is reported once.
func TestWrongSlot(t *testing.T) {
	for name, spoil := range map[string]func(s *Slot, modulus *big.Int){
		"a bit":            func(s *Slot, _ *big.Int) { s.Out[100] ^= 4 },
		"the status":       func(s *Slot, _ *big.Int) { s.Good = false },
		"zero":             func(s *Slot, _ *big.Int) { clear(s.Out) },
		"the input":        func(s *Slot, _ *big.Int) { copy(s.Out, s.In) },
		"too large":        func(s *Slot, _ *big.Int) { copy(s.Out, strings.Repeat("\xff", len(s.Out))) },
		"the modulus more": func(s *Slot, n *big.Int) { n.FillBytes(s.Out) },
		// A fault in one of the two halves of the computation: the result is right modulo one prime only,
		// and would reveal the key.
		"one half": func(s *Slot, n *big.Int) {
			x := new(big.Int).SetBytes(s.Out)
			x.Add(x, testKey(2048).Primes[0]).Mod(x, n).FillBytes(s.Out)
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := testKey(2048)
			s := &setting{kernel: &goKernel{}}
			s.kernel.after = func(_ int, private bool, slots []Slot) {
				if private {
					spoil(&slots[3], key.N)
				}
			}
			synctest.Test(t, func(t *testing.T) {
				e := s.engine()
				k := newKey(t, e, key)
				for round := int64(1); round <= 4; round++ {
					var wait sync.WaitGroup
					e.free-- // so that the eight wait for each other
					eight(t, k, &wait)
					e.pass()
					wait.Wait()
					synctest.Wait()
					got := e.Stats()
					off := got.Off != ""
					if got.Wrong != min(round, maxWrong) || off != (round >= maxWrong) {
						t.Errorf("round %d: %+v", round, got)
					}
				}
				if got := s.reported(); len(got) != 1 || !strings.Contains(got[0], "3 results were wrong") {
					t.Errorf("reports: %q", got)
				}
			})
		})
	}
}

// TestWrongPublicResult: a good signature is accepted though the kernel says that it does not hold.
func TestWrongPublicResult(t *testing.T) {
	s := &setting{kernel: &goKernel{}}
	s.kernel.after = func(_ int, private bool, slots []Slot) {
		if !private {
			slots[0].Out[5] ^= 1
		}
	}
	e := s.engine()
	for class := range e.even {
		e.even[class] = 1
	}
	key := testKey(2048)
	k, err := e.NewPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify(digest[:], make([]byte, 256), crypto.SHA256); err != rsa.ErrVerification {
		t.Errorf("a bad signature: %v", err)
	}
	for range 4 {
		if err := k.Verify(digest[:], signature, crypto.SHA256); err != nil {
			t.Error(err)
		}
	}
	if got := e.Stats(); got.Wrong != 3 || got.Off == "" {
		t.Errorf("%+v", got)
	}
}

// TestStalledBatch: a batch that does not return costs its callers a bounded time, and nobody else
// anything. When it returns, nothing happens.
func TestStalledBatch(t *testing.T) {
	s := &setting{kernel: &goKernel{}}
	occupied(t, s, func(t *testing.T, e *Engine, k *Key, release func(), wait *sync.WaitGroup) {
		hang := make(chan struct{})
		s.kernel.before = func(int, bool, []Slot) { <-hang }
		start := time.Now()
		eight(t, k, wait)
		release()
		synctest.Wait()
		var more sync.WaitGroup
		eight(t, k, &more) // wait behind the batch
		more.Wait()
		wait.Wait()
		if took := time.Since(start); took != e.config.Stall {
			t.Errorf("the answer came after %v", took)
		}
		if got := s.reported(); len(got) != 1 || !strings.Contains(got[0], "did not return within 5s") {
			t.Errorf("reports: %q", got)
		}
		signs(t.Context(), t, k, "later")
		if took := time.Since(start); took != e.config.Stall {
			t.Errorf("a later one waits: %v", took)
		}
		k.Close()
		close(hang)
		synctest.Wait()
		if got := e.Stats(); got.Wrong != 0 || got.Off == "" || s.kernel.closed != 1 {
			t.Errorf("%+v; numbers were wiped %d times", got, s.kernel.closed)
		}
	})
}

// TestNewRefuses: a kernel that is wrong from the start, or hangs, is an error of New.
func TestNewRefuses(t *testing.T) {
	t.Run("wrong", func(t *testing.T) {
		s := &setting{kernel: &goKernel{after: func(bits int, private bool, slots []Slot) {
			if bits == 4096 && private && len(slots) == Slots {
				slots[7].Out[0] ^= 1
			}
		}}}
		if e, err := New(s.config()); e != nil || err == nil || !strings.Contains(err.Error(), "4096 bits") {
			t.Errorf("got %v, %v", e, err)
		}
	})
	t.Run("wrong public operation", func(t *testing.T) {
		calls := 0
		s := &setting{kernel: &goKernel{after: func(_ int, private bool, slots []Slot) {
			if !private && len(slots) == Slots {
				if calls++; calls == 2 { // the first checks a private batch
					slots[2].Out[9] ^= 1
				}
			}
		}}}
		if e, err := New(s.config()); e != nil || err == nil || !strings.Contains(err.Error(), "slot 2") {
			t.Errorf("got %v, %v", e, err)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hang := make(chan struct{})
			s := &setting{kernel: &goKernel{before: func(int, bool, []Slot) { <-hang }}}
			e, err := New(s.config())
			if e != nil || err == nil || !strings.Contains(err.Error(), "did not return") {
				t.Errorf("got %v, %v", e, err)
			}
			close(hang)
		})
	})
}

// TestKeysThatTakeNoPart: a key with primes of different lengths works without batches, and that is
// said.
func TestKeysThatTakeNoPart(t *testing.T) {
	s := &setting{kernel: &goKernel{}}
	e := s.engine()
	for class := range e.even {
		e.even[class] = 1
	}
	// 2048 = 1536 + 512 bits do not exist here: 3072 = 1024 + 2048 do.
	p, q, one := testKey(2048).Primes[0], testKey(4096).Primes[0], big.NewInt(1)
	n := new(big.Int).Mul(p, q)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: Exponent},
		D: new(big.Int).ModInverse(big.NewInt(Exponent), phi), Primes: []*big.Int{p, q}}
	key.Precompute()
	signs(context.Background(), t, newKey(t, e, key), "message")
	if got := s.reported(); len(got) != 1 || !strings.Contains(got[0], "takes no part") {
		t.Errorf("reports: %q", got)
	}
	if got := e.Stats(); got.Batches != 0 {
		t.Errorf("%+v", got)
	}
}
