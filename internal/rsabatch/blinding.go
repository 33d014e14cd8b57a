package rsabatch

import (
	"crypto/rand"
	"errors"
	"math/big"
	"sync"
)

// blinding makes pairs of factors for one private key. A random r has the pair r^e, by which an input is
// multiplied, and 1/r, by which the result is. After a use both are squared, and after 32 uses r is
// chosen anew.
type blinding struct {
	modulus *modulus

	mu   sync.Mutex
	pair factors
	left int // uses until r is chosen anew
}

// factors are a pair, in Montgomery's form.
type factors struct{ in, out nat }

const blindingUses = 32

func newBlinding(n *big.Int) *blinding { return &blinding{modulus: newModulus(n)} }

// next copies a pair that no other operation gets.
func (b *blinding) next(f *factors) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		for b.renew() != nil { // as likely as finding a factor of the modulus by chance
		}
		b.left = blindingUses
	}
	*f = b.pair
	b.left--
	k := b.modulus.k
	for _, x := range [][]uint64{b.pair.in[:k], b.pair.out[:k]} {
		b.modulus.mul(x, x, x)
	}
}

var errNoInverse = errors.New("the number has no inverse")

// renew chooses r. The inverse of r is computed from that of r·s, with a second random number s: the
// time of that computation depends on r·s alone, which says nothing about r.
func (b *blinding) renew() error {
	m := b.modulus
	k := m.k
	var r, s, product nat
	m.random(r[:k])
	m.random(s[:k])
	m.mul(product[:k], r[:k], s[:k])
	bytes := make([]byte, 8*k)
	putBytes(bytes, product[:k])
	public := new(big.Int).SetBytes(bytes)
	if public.ModInverse(public, m.big()) == nil {
		return errNoInverse
	}
	out := b.pair.out[:k]
	setBytes(out, public.FillBytes(bytes)) // R/(r·s)
	m.mul(out, out, s[:k])                 // 1/r, of the r that is in Montgomery's form here
	m.mul(out, out, m.squareR)
	m.mul(out, out, m.squareR)

	in := b.pair.in[:k]
	copy(in, r[:k])
	for range 16 { // Exponent is 2 to the power of 16, plus 1
		m.mul(in, in, in)
	}
	m.mul(in, in, r[:k])
	clear(r[:])
	clear(s[:])
	return nil
}

// wipe is called when nothing uses the key any more.
func (b *blinding) wipe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pair, b.left = factors{}, 0
}

// random sets x to a random number below the modulus. Numbers that are not below it are thrown away,
// which says nothing about the one that is kept.
func (m *modulus) random(x []uint64) {
	bytes := make([]byte, 8*m.k)
	defer clear(bytes)
	for {
		rand.Read(bytes)
		if m.contains(bytes) {
			setBytes(x, bytes)
			return
		}
	}
}

func (m *modulus) big() *big.Int {
	bytes := make([]byte, 8*m.k)
	putBytes(bytes, m.n)
	return new(big.Int).SetBytes(bytes)
}
