package batchgcd

import (
	"math/big"
	"math/bits"
)

// reduction reduces numbers modulo m without dividing, which takes most of the time of a
// multiplication modulo m. In H·2^k + L, it replaces 2^k by its remainder. The number becomes
// about as much shorter as H is long; each fold halves what it has more than m.
type reduction struct {
	m     *big.Int
	short int    // words: no number is longer after all folds
	long  int    // words: a number of this length becomes short
	folds []fold // in their order
}

// fold is one step: what it does with 2^k, where k is at words.
type fold struct {
	at        int
	remainder *big.Int // of 2^k, modulo m
}

// folds is how often a product is made shorter: the numbers that are multiplied are longer than m
// by a seventh then. More folds cost as much as they save.
const folds = 3

func newReduction(m *big.Int) *reduction {
	n := len(m.Bits())
	short, at := n, places(n, n)
	for at[folds] > short { // the number is still longer after the last fold
		short++
		at = places(n, short)
	}
	r := &reduction{m: m, short: short, long: short + n}
	for _, k := range at[:folds] {
		power := new(big.Int).Lsh(big.NewInt(1), uint(k*bits.UintSize))
		r.folds = append(r.folds, fold{k, power.Rem(power, m)})
	}
	return r
}

// places returns where a number of short+n words is folded, and its length in words after that.
func places(n, short int) []int {
	size, at := short+n, []int(nil)
	for range folds {
		// H has size-k words, and the remainder n. Neither their product nor L is longer than k
		// then, so the sum has one word more at most.
		k := (size + n + 1) / 2
		at, size = append(at, k), k+1
	}
	return append(at, size)
}

// residue is the product of numbers, or another number that has the same remainder modulo m.
type residue struct {
	*reduction
	value big.Int // at most short words

	other, high, low big.Int // reused
}

func (r *residue) multiply(n *big.Int) {
	from, to := &r.other, &r.value
	from.Mul(&r.value, n)
	if len(from.Bits()) > r.long {
		to.Rem(from, r.m)
		return
	}
	for _, f := range r.folds {
		words := from.Bits()
		if len(words) <= f.at {
			continue
		}
		r.high.SetBits(words[f.at:])
		r.low.SetBits(words[:f.at])
		to.Add(to.Mul(&r.high, f.remainder), &r.low)
		from, to = to, from
	}
	if from != &r.value {
		r.value, r.other = r.other, r.value
	}
}
