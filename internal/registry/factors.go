package registry

import (
	"context"
	"crypto/rsa"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/sealane/sealane/cert"
)

// CheckFactors refuses a key that shares a prime with another of the registry. It
// holds up nobody's change: call it before the one that lets the key in.
func (r *Registry) CheckFactors(ctx context.Context, key *rsa.PublicKey) error {
	shared, err := r.SharedFactors(ctx, []*rsa.PublicKey{key})
	if err == nil && shared[0] {
		err = ErrSharedFactor
	}
	return err
}

// ErrSharedFactor is why a key is refused that shares a prime.
var ErrSharedFactor error = Finding{Rule: RuleSharedFactor, Level: string(cert.Refused),
	Found: "this key shares a prime with another key, so that both are broken", Do: "make a new key pair with another generator, and tell whoever has the other"}

// SharedFactors says of each key whether it shares a prime with another, in the
// registry or among these. Thousands at once cost little more than a few, by products
// in trees (Bernstein, "How to find smooth parts of integers").
func (r *Registry) SharedFactors(ctx context.Context, keys []*rsa.PublicKey) ([]bool, error) {
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
	shared := make([]bool, len(keys))
	for i, key := range keys {
		shared[i] = asked[string(key.N.Bytes())].shared
	}
	return shared, nil
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
	var failed error
	err := r.Store.View(ctx, func(tx Tx) error {
		return tx.SPKIs(func(spki []byte) bool {
			n, err := modulus(spki)
			if failed = errors.Join(err, ctx.Err()); failed != nil {
				return false
			}
			if asked[string(n.Bytes())] == nil {
				chunk = append(chunk, &factor{product: n})
			}
			if len(chunk) == cap(chunk) {
				take()
			}
			return true
		})
	})
	take()
	return product, errors.Join(err, failed)
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
	f.shared = product.Sign() == 0 || new(big.Int).GCD(nil, nil, product, f.product).BitLen() > 1
	return nil
}

// modulus reads it out of a SubjectPublicKeyInfo of the registry.
func modulus(spki []byte) (*big.Int, error) {
	var info, key, bits cryptobyte.String
	n := new(big.Int)
	in := cryptobyte.String(spki)
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.SkipASN1(asn1.SEQUENCE) || !info.ReadASN1(&bits, asn1.BIT_STRING) || !bits.Skip(1) ||
		!bits.ReadASN1(&key, asn1.SEQUENCE) || !key.ReadASN1Integer(n) || n.Sign() <= 0 {
		return nil, errors.New("a public key of the registry is damaged")
	}
	return n, nil
}
