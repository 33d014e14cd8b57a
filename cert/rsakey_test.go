package cert_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
)

func TestCheckKeyFindsWeaknesses(t *testing.T) {
	good := testcert.Key().N
	shifted := func(n *big.Int, by int64) *big.Int { return new(big.Int).Add(n, big.NewInt(by)) }
	for name, tt := range map[string]struct {
		pub  *rsa.PublicKey
		want error
	}{
		"nil":           {nil, cert.ErrKeySize},
		"no modulus":    {&rsa.PublicKey{E: 65537}, cert.ErrKeySize},
		"negative":      {&rsa.PublicKey{N: new(big.Int).Neg(good), E: 65537}, cert.ErrKeySize},
		"1024 bits":     {&rsa.PublicKey{N: new(big.Int).Rsh(good, 1024), E: 65537}, cert.ErrKeySize},
		"2047 bits":     {&rsa.PublicKey{N: new(big.Int).Rsh(good, 1), E: 65537}, cert.ErrKeySize},
		"2056 bits":     {&rsa.PublicKey{N: new(big.Int).Lsh(good, 8), E: 65537}, cert.ErrKeySize},
		"8192 bits":     {&rsa.PublicKey{N: new(big.Int).Lsh(good, 6144), E: 65537}, cert.ErrKeySize},
		"e = 1":         {&rsa.PublicKey{N: good, E: 1}, cert.ErrKeyExponent},
		"e = 3":         {&rsa.PublicKey{N: good, E: 3}, cert.ErrKeyExponent},
		"even e":        {&rsa.PublicKey{N: good, E: 65536}, cert.ErrKeyExponent},
		"even modulus":  {&rsa.PublicKey{N: shifted(good, 1), E: 65537}, cert.ErrSmallFactor},
		"factor 3":      {&rsa.PublicKey{N: multipleOf(3), E: 65537}, cert.ErrSmallFactor},
		"factor 16381":  {&rsa.PublicKey{N: multipleOf(16381), E: 65537}, cert.ErrSmallFactor},
		"ROCA":          {&rsa.PublicKey{N: rocaModulus(t), E: 65537}, cert.ErrROCA},
		"close primes":  {&rsa.PublicKey{N: closeModulus(t, 2), E: 65537}, cert.ErrClosePrimes},
		"close primes2": {&rsa.PublicKey{N: closeModulus(t, 1<<20), E: 65537}, cert.ErrClosePrimes},
		"square":        {&rsa.PublicKey{N: squareModulus(t), E: 65537}, cert.ErrClosePrimes},
	} {
		if err := cert.CheckKey(tt.pub); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, wanted %v", name, err, tt.want)
		}
	}
}

func TestCheckKeyPassesSoundKeys(t *testing.T) {
	for range 20 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(t, err)
		if err := cert.CheckKey(&key.PublicKey); err != nil {
			t.Errorf("N=%x: %v", key.N, err)
		}
	}
}

// multipleOf returns an odd 2048-bit multiple of an odd prime.
func multipleOf(p int64) *big.Int {
	factor := big.NewInt(p)
	q := new(big.Int).Div(testcert.Key().N, factor)
	q.SetBit(q, 0, 1)
	return q.Mul(q, factor)
}

// rocaModulus follows the published form k·M + (65537^a mod M) for both primes.
func rocaModulus(t *testing.T) *big.Int {
	m := big.NewInt(1)
	for p, count := int64(2), 0; count < 126; p++ {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
			count++
		}
	}
	// Between 1.5·2^1023 and 2^1024, so that the product has 2048 bits.
	low := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 1022), m)
	high := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 1024), m)
	span := new(big.Int).Sub(high, low)
	prime := func() *big.Int {
		for {
			k, err := rand.Int(rand.Reader, span)
			must(t, err)
			a, err := rand.Int(rand.Reader, m)
			must(t, err)
			p := new(big.Int).Exp(big.NewInt(65537), a, m)
			p.Add(p, k.Add(k, low).Mul(k, m))
			if p.BitLen() == 1024 && p.ProbablyPrime(10) {
				return p
			}
		}
	}
	return new(big.Int).Mul(prime(), prime())
}

// highPrime returns a 1024-bit prime with its upper two bits set.
func highPrime(t *testing.T) *big.Int {
	p, err := rand.Prime(rand.Reader, 1024)
	must(t, err)
	return p
}

func closeModulus(t *testing.T, gap int64) *big.Int {
	p := highPrime(t)
	q := new(big.Int).Add(p, big.NewInt(gap))
	q.SetBit(q, 0, 1)
	for !q.ProbablyPrime(10) {
		q.Add(q, big.NewInt(2))
	}
	return q.Mul(q, p)
}

func squareModulus(t *testing.T) *big.Int {
	p := highPrime(t)
	return p.Mul(p, p)
}

func TestCheckKeyIsCheap(t *testing.T) {
	// No 4096-bit pair is made: for the time, a product of the right size does.
	n := new(big.Int).Mul(testcert.Key().N, testcert.OtherKey().N)
	if n.BitLen() != 4096 {
		n.SetBit(n, 4095, 1)
	}
	pub := &rsa.PublicKey{N: n, E: 65537}
	best := time.Hour
	for range 5 {
		start := time.Now()
		_ = cert.CheckKey(pub)
		best = min(best, time.Since(start))
	}
	if best > 50*time.Millisecond { // ten times the budget: the race detector and busy machines
		t.Errorf("a check takes %s", best)
	}
}

func BenchmarkCheckKey(b *testing.B) {
	n := new(big.Int).Mul(testcert.Key().N, testcert.OtherKey().N)
	pub := &rsa.PublicKey{N: n.SetBit(n, 4095, 1), E: 65537}
	for b.Loop() {
		_ = cert.CheckKey(pub)
	}
}
