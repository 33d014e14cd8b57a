package registry

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sealane/sealane/cert"
)

// CheckFactors refuses a key that shares a prime with another of the registry. It
// holds up nobody's change: call it before the one that lets the key in.
func (r *Registry) CheckFactors(ctx context.Context, key *rsa.PublicKey) error {
	shared, err := r.SharedFactors(ctx, []*rsa.PublicKey{key})
	if err == nil && len(shared[0]) > 0 {
		err = SharedFactor(shared[0])
	}
	return err
}

// SharedFactor is why a key is refused that shares a prime with others.
func SharedFactor(others []string) Finding {
	return Finding{Rule: RuleSharedFactor, Level: string(cert.Refused),
		Found: "this key has a prime in common with " + strings.Join(others, ", ") + ": whoever has both can compute the private keys",
		Do:    "ask for a new key pair by another generator; whose the other is must know it, too, and replace theirs"}
}

// SharedFactors gives, of each key, the identities of what shares a prime with it, in
// the registry or among these. Thousands at once cost little more than a few, by
// products in trees (Bernstein, "How to find smooth parts of integers").
func (r *Registry) SharedFactors(ctx context.Context, keys []*rsa.PublicKey) ([][]string, error) {
	asked := map[string]*factor{}
	var leaves []*factor
	for _, key := range keys {
		name := string(key.N.Bytes())
		if asked[name] == nil { // the same key again is another rule's
			asked[name] = &factor{product: key.N}
			leaves = append(leaves, asked[name])
		}
	}
	if len(leaves) == 0 {
		return nil, nil
	}
	top := tree(leaves)
	others, err := r.othersModulo(ctx, top.product, asked)
	if err != nil {
		return nil, err
	}
	if err := top.descend(ctx, others, top.product); err != nil {
		return nil, err
	}
	shared, suspects := make([][]string, len(keys)), 0
	for i, key := range keys {
		if !asked[string(key.N.Bytes())].shared {
			continue
		}
		if suspects++; suspects > mostSuspects {
			return nil, fmt.Errorf("more than %d keys share primes: ask for them in smaller parts, and look who has made them", mostSuspects)
		}
		if shared[i], err = r.sharers(ctx, key.N, leaves); err != nil {
			return nil, err
		}
	}
	return shared, nil
}

// mostSuspects bounds how many keys are compared with each other one by one.
const mostSuspects = 100

// sharers names what has a prime in common with a modulus. What has all of it was made
// of it, which is no fault of its owner.
func (r *Registry) sharers(ctx context.Context, n *big.Int, asked []*factor) (ids []string, err error) {
	compare := func(id string, other *big.Int) {
		common := new(big.Int).GCD(nil, nil, n, other)
		if common.BitLen() > 1 && common.Cmp(n) != 0 && len(ids) < 10 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if err := r.eachModulus(ctx, compare); err != nil {
		return nil, err
	}
	for _, f := range asked {
		compare("another that came with it", f.product)
	}
	return ids, nil
}

// othersModulo multiplies the registry's moduli that are not asked about, modulo m.
func (r *Registry) othersModulo(ctx context.Context, m *big.Int, asked map[string]*factor) (*big.Int, error) {
	product := big.NewInt(1)
	chunk := make([]*factor, 0, len(asked))
	take := func() {
		if len(chunk) > 0 {
			product.Rem(product.Mul(product, tree(chunk).product), m)
			chunk = chunk[:0]
		}
	}
	err := r.eachModulus(ctx, func(_ string, n *big.Int) {
		if asked[string(n.Bytes())] == nil {
			chunk = append(chunk, &factor{product: n})
		}
		if len(chunk) == cap(chunk) {
			take()
		}
	})
	take()
	return product, err
}

// eachModulus goes through all public keys of the registry.
func (r *Registry) eachModulus(ctx context.Context, yield func(id string, n *big.Int)) error {
	var failed error
	err := r.Store.View(ctx, func(tx Tx) error {
		return tx.SPKIs(func(id string, spki []byte) bool {
			n, err := modulus(spki)
			if err != nil {
				err = fmt.Errorf("%s: %w", id, err)
			}
			if failed = errors.Join(err, ctx.Err()); failed != nil {
				return false
			}
			yield(id, n)
			return true
		})
	})
	return errors.Join(err, failed)
}

// factor is a tree of products; its leaves are moduli.
type factor struct {
	product     *big.Int
	left, right *factor
	shared      bool // of a leaf: it shares a prime
}

func tree(leaves []*factor) *factor {
	if len(leaves) == 1 {
		return leaves[0]
	}
	middle := len(leaves) / 2
	f := &factor{left: tree(leaves[:middle]), right: tree(leaves[middle:])}
	f.product = new(big.Int).Mul(f.left.product, f.right.product)
	return f
}

// descend brings two products down to each modulus N: others modulo N, and own, which
// N divides itself, modulo N². What they have in common with N is shared.
func (f *factor) descend(ctx context.Context, others, own *big.Int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	others = new(big.Int).Rem(others, f.product)
	own = new(big.Int).Rem(own, new(big.Int).Mul(f.product, f.product))
	if f.left != nil {
		return errors.Join(f.left.descend(ctx, others, own), f.right.descend(ctx, others, own))
	}
	product := own.Quo(own, f.product)
	product.Rem(product.Mul(product, others), f.product)
	f.shared = new(big.Int).GCD(nil, nil, product, f.product).BitLen() > 1
	return nil
}

// modulus reads it out of a SubjectPublicKeyInfo of the registry.
func modulus(spki []byte) (*big.Int, error) {
	var info, key, bits cryptobyte.String
	n := new(big.Int)
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.SkipASN1(asn1.SEQUENCE) || !info.ReadASN1(&bits, asn1.BIT_STRING) || !bits.Skip(1) ||
		!bits.ReadASN1(&key, asn1.SEQUENCE) || !key.ReadASN1Integer(n) || n.Sign() <= 0 {
		return nil, errors.New("its public key is damaged in the registry: restore it from a backup")
	}
	return n, nil
}
