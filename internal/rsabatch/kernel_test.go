package rsabatch

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/rsapad"
)

// goKernel performs batches with math/big. Its hooks change what it does.
type goKernel struct {
	before func(bits int, private bool, slots []Slot) // may block, or look at the slots
	after  func(bits int, private bool, slots []Slot) // may change results

	mu     sync.Mutex
	closed int // numbers
	units  int
}

type goNumbers struct {
	kernel *goKernel
	key    *rsa.PrivateKey
}

func (k *goKernel) NewNumbers(key *rsa.PrivateKey) (Numbers, error) { return &goNumbers{k, key}, nil }

func (n *goNumbers) Close() {
	n.kernel.mu.Lock()
	defer n.kernel.mu.Unlock()
	n.kernel.closed++
	n.key = nil // a batch that still uses it panics
}

func (k *goKernel) NewUnit() (Unit, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.units++
	return goUnit{k}, nil
}

type goUnit struct{ kernel *goKernel }

func (goUnit) Close() {}

func (u goUnit) Private(bits int, slots []Slot) {
	u.run(bits, true, slots, func(s *Slot) { privateInGo(s.Out, s.In, s.Numbers.(*goNumbers).key) })
}

func (u goUnit) Public(bits int, slots []Slot) {
	u.run(bits, false, slots, func(s *Slot) {
		publicInGo(s.Out, s.In, &rsa.PublicKey{N: new(big.Int).SetBytes(s.Modulus), E: Exponent})
	})
}

func (u goUnit) run(bits int, private bool, slots []Slot, do func(*Slot)) {
	if u.kernel.before != nil {
		u.kernel.before(bits, private, slots)
	}
	for i := range slots {
		do(&slots[i])
		slots[i].Good = true
	}
	if u.kernel.after != nil {
		u.kernel.after(bits, private, slots)
	}
}

func privateInGo(out, in []byte, key *rsa.PrivateKey) {
	c, p := new(big.Int).SetBytes(in), key.Precomputed
	m1 := new(big.Int).Exp(c, p.Dp, key.Primes[0])
	m2 := new(big.Int).Exp(c, p.Dq, key.Primes[1])
	h := new(big.Int).Sub(m1, m2)
	h.Mul(h, p.Qinv).Mod(h, key.Primes[0])
	h.Mul(h, key.Primes[1]).Add(h, m2).FillBytes(out)
}

func publicInGo(out, in []byte, key *rsa.PublicKey) {
	x := new(big.Int).SetBytes(in)
	x.Exp(x, big.NewInt(int64(key.E)), key.N).FillBytes(out)
}

// goSingle performs one operation with math/big. before may block.
type goSingle struct {
	private *rsa.PrivateKey
	public  *rsa.PublicKey
	before  func()
}

func (s goSingle) Raw(out, in []byte) error {
	if s.before != nil {
		s.before()
	}
	if s.private != nil {
		privateInGo(out, in, s.private)
	} else {
		publicInGo(out, in, s.public)
	}
	return nil
}

func (goSingle) Close() error { return nil }

// setting is a kernel with what an engine needs in addition.
type setting struct {
	kernel  *goKernel
	single  func() // is called before each single operation
	reports []string
	mu      sync.Mutex
}

func (s *setting) config() Config {
	return Config{
		Kernel: s.kernel,
		Private: func(k *rsa.PrivateKey) (Single, error) {
			return goSingle{private: k, before: s.before}, nil
		},
		Public: func(k *rsa.PublicKey) (Single, error) {
			return goSingle{public: k, before: s.before}, nil
		},
		Places: 1,
		Clock:  alternating(),
		Report: func(text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reports = append(s.reports, text)
		},
	}
}

func (s *setting) before() {
	if s.single != nil {
		s.single()
	}
}

func (s *setting) reported() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reports)
}

// alternating is a clock with which a batch takes as long as 2.5 operations: it is worth its time from
// three on.
func alternating() func() time.Duration {
	var now time.Duration
	calls := 0
	return func() time.Duration {
		now += []time.Duration{0, 25, 10}[calls%3]
		calls++
		return now
	}
}

// engine returns an engine without the self-test, whose batches begin with three operations.
func (s *setting) engine() *Engine {
	e := s.config().engine()
	for class := range e.even {
		e.even[class] = 3
	}
	return e
}

// testKey returns the test key of a size, which takes no time to make.
func testKey(bits int) *rsa.PrivateKey {
	return knownAnswers[slices.Index(Sizes[:], bits)].key(bits)
}

func newKey(t testing.TB, e *Engine, key *rsa.PrivateKey) *Key {
	t.Helper()
	k, err := e.NewKey(key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// signs signs with a key and checks the signature.
func signs(ctx context.Context, t *testing.T, k *Key, message string) {
	digest := sha256.Sum256([]byte(message))
	signature, err := k.SignContext(ctx, digest[:], crypto.SHA256)
	if err != nil {
		t.Errorf("%s: %v", message, err)
		return
	}
	if err := rsa.VerifyPKCS1v15(k.public, crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("%s: %v", message, err)
	}
}

var _ rsapad.Raw = private{}
