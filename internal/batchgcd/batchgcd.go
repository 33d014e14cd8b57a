// Package batchgcd finds RSA moduli that share a prime with others.
//
// If two moduli have a common prime, their greatest common divisor factors both. Bad random
// generators have caused this for thousands of keys in use (Heninger, Durumeric, Wustrow
// and Halderman, "Mining Your Ps and Qs", USENIX Security 2012). Testing each pair takes
// quadratic time. [Find] instead multiplies all moduli in a tree and computes the remainder
// of the product for each modulus (Bernstein, "How to find smooth parts of integers",
// 2004): many new moduli cost little more than one.
package batchgcd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"
)

// Shared describes the moduli with which a modulus shares a prime.
type Shared struct {
	Known []string // the names of at most MaxNames known moduli
	New   bool     // also with another of the new moduli

	// Whole are the names of at most MaxNames known moduli that divide this one, which was made
	// of them: they have no divisor from it. NewWhole: another of the new moduli divides it.
	Whole    []string
	NewWhole bool
}

// Find compares only so many moduli one by one, and names only so many others.
const (
	MaxShared = 100
	MaxNames  = 10
)

// ErrTooMany means that more than [MaxShared] of the new moduli share primes.
var ErrTooMany = fmt.Errorf("batchgcd: more than %d moduli share primes", MaxShared)

// Find reports for each new modulus whether it shares a prime with a known one, or with
// another new one. It ranges over known once, and once more for each modulus that shares a
// prime. Known moduli are big-endian bytes, which must stay as they are.
//
// A modulus that is equal to another is not reported, and neither is one of which the other
// is a multiple, since the multiple is not a product of two primes.
func Find(ctx context.Context, moduli []*big.Int, known iter.Seq2[string, []byte]) ([]Shared, error) {
	leaves := map[string]*node{}
	var all []*node
	for _, n := range moduli {
		if name := string(n.Bytes()); leaves[name] == nil {
			leaves[name] = &node{product: n}
			all = append(all, leaves[name])
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	top := tree(all)
	others, err := product(ctx, top.product, leaves, known)
	if err != nil {
		return nil, err
	}
	if err := top.descend(ctx, others, top.product); err != nil {
		return nil, err
	}
	found, count := make([]Shared, len(moduli)), 0
	for i, n := range moduli {
		if !leaves[string(n.Bytes())].shares {
			continue
		}
		if count++; count > MaxShared {
			return nil, ErrTooMany
		}
		if found[i], err = name(ctx, n, all, known); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// name finds the moduli that share a prime with n, or divide it.
func name(ctx context.Context, n *big.Int, all []*node, known iter.Seq2[string, []byte]) (s Shared, err error) {
	other := new(big.Int)
	for id, bytes := range known {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		switch prime, whole := shared(n, other.SetBytes(bytes)); {
		case whole && len(s.Whole) < MaxNames:
			s.Whole = append(s.Whole, id)
		case prime && len(s.Known) < MaxNames:
			s.Known = append(s.Known, id)
		}
	}
	for _, leaf := range all {
		prime, whole := shared(n, leaf.product)
		s.New, s.NewWhole = s.New || prime, s.NewWhole || whole
	}
	return s, nil
}

// shared reports whether n and other have a common divisor other than 1 and n: a part of other
// (prime), or all of it (whole).
func shared(n, other *big.Int) (prime, whole bool) {
	common := big.Int{}
	common.GCD(nil, nil, n, other)
	if common.BitLen() <= 1 || common.Cmp(n) == 0 {
		return false, false
	}
	whole = common.Cmp(other) == 0
	return !whole, whole
}

// node is a tree of products. Its leaves are moduli.
type node struct {
	product     *big.Int
	left, right *node
	shares      bool // of a leaf: it shares a prime
}

func tree(leaves []*node) *node {
	if len(leaves) == 1 {
		return leaves[0]
	}
	middle := len(leaves) / 2
	n := &node{left: tree(leaves[:middle]), right: tree(leaves[middle:])}
	n.product = new(big.Int).Mul(n.left.product, n.right.product)
	return n
}

// descend reduces two products for each modulus N: others modulo N, and own, which N
// divides, modulo N². A common divisor with N is shared.
func (n *node) descend(ctx context.Context, others, own *big.Int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	others = new(big.Int).Rem(others, n.product)
	own = new(big.Int).Rem(own, new(big.Int).Mul(n.product, n.product))
	if n.left != nil {
		return errors.Join(n.left.descend(ctx, others, own), n.right.descend(ctx, others, own))
	}
	product := own.Quo(own, n.product)
	product.Rem(product.Mul(product, others), n.product)
	n.shares = new(big.Int).GCD(nil, nil, product, n.product).BitLen() > 1
	return nil
}
