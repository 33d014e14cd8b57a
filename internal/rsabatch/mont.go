package rsabatch

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/sealane/sealane/internal/rsapad"
)

// maxLimbs is the length of the longest modulus in words of 64 bits.
const maxLimbs = rsapad.MaxModulus / 8

// nat is a number below a modulus, the least significant word first. Words behind the modulus's length
// are zero.
type nat [maxLimbs]uint64

// modulus multiplies modulo an odd number whose length is a multiple of 64 bits and whose first bit is
// 1, in Montgomery's form: R is 2 to the power of that length. Time and memory access depend on the
// length alone.
type modulus struct {
	k        int // in words
	n        []uint64
	negative uint64   // -1/n modulo 2 to the power of 64
	squareR  []uint64 // R·R modulo n
}

func newModulus(n *big.Int) *modulus {
	m := &modulus{k: n.BitLen() / 64}
	words := make([]uint64, 2*m.k)
	m.n, m.squareR = words[:m.k], words[m.k:]
	setBytes(m.n, n.FillBytes(make([]byte, 8*m.k)))
	inverse := m.n[0] // correct in its last 3 bits; every step doubles them
	for range 5 {
		inverse *= 2 - m.n[0]*inverse
	}
	m.negative = -inverse
	r := new(big.Int).Lsh(big.NewInt(1), uint(128*m.k))
	setBytes(m.squareR, r.Mod(r, n).FillBytes(make([]byte, 8*m.k)))
	return m
}

// mul sets z to x·y/R. z may be x or y.
func (m *modulus) mul(z, x, y []uint64) {
	var t [2 * maxLimbs]uint64
	k, n := m.k, m.n
	x, y = x[:k], y[:k]
	carry := uint64(0)
	for i, w := range x {
		row := t[i : i+k]
		high := addMul(row, y, w)
		low := addMul(row, n, row[0]*m.negative)
		t[i+k], carry = bits.Add64(high, low, carry)
	}
	// The result is t or t - n.
	var less [maxLimbs]uint64
	borrow := uint64(0)
	for i := range k {
		less[i], borrow = bits.Sub64(t[k+i], n[i], borrow)
	}
	keep := -(borrow &^ carry) // all ones: t is below n
	for i := range k {
		z[i] = t[k+i]&keep | less[i]&^keep
	}
}

// mulBytes sets out to in·y/R, both in big-endian order.
func (m *modulus) mulBytes(out, in []byte, y []uint64) {
	var x nat
	setBytes(x[:m.k], in)
	m.mul(x[:m.k], x[:m.k], y)
	putBytes(out, x[:m.k])
	clear(x[:])
}

// contains reports whether a number is below the modulus. The time depends on nothing but its length.
func (m *modulus) contains(in []byte) bool {
	var x nat
	setBytes(x[:m.k], in)
	borrow := uint64(0)
	for i := range m.k {
		_, borrow = bits.Sub64(x[i], m.n[i], borrow)
	}
	clear(x[:])
	return borrow == 1
}

// setBytes sets x from big-endian bytes, of which there are 8 for each word.
func setBytes(x []uint64, from []byte) {
	for i := range x {
		at := len(from) - 8*(i+1)
		x[i] = binary.BigEndian.Uint64(from[at : at+8])
	}
}

// putBytes is the inverse of setBytes.
func putBytes(to []byte, x []uint64) {
	for i, w := range x {
		at := len(to) - 8*(i+1)
		binary.BigEndian.PutUint64(to[at:], w)
	}
}
