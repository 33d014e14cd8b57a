package keyfile

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
)

// A leaked key pair is blocked permanently. So a pair is identified only if the file
// proves that the private part is there. Otherwise anybody could get a partner's key
// blocked by writing some numbers next to its public key.

const (
	largestProven = 4096 // bits of a modulus; a larger key is never accepted, so it needs no blocking
	maxOwners     = 8    // keys of one file that are examined; each takes several exponentiations
)

// ownerOf identifies the pair of an unencrypted private key. It returns zero if the key
// does not prove which pair it belongs to.
func ownerOf(k kind, der []byte) SPKIHash {
	if len(der) > maxKeyDER {
		return SPKIHash{}
	}
	var key any
	var err error
	switch k {
	case kindPKCS8:
		if pkcs1 := pkcs1In(der); pkcs1 != nil {
			return pkcs1Numbers(pkcs1).owner()
		}
		key, err = x509.ParsePKCS8PrivateKey(der) // computes the public key of other kinds
	case kindPKCS1:
		return pkcs1Numbers(der).owner()
	case kindSEC1:
		key, err = x509.ParseECPrivateKey(der)
	default:
		return SPKIHash{}
	}
	owner, ok := key.(interface{ Public() crypto.PublicKey })
	if err != nil || !ok {
		return SPKIHash{}
	}
	return hashSPKI(owner.Public())
}

// rsaNumbers are those of an RSA private key, whether they fit each other or not. A
// missing number is nil, or missing in its list.
type rsaNumbers struct {
	n, e      *big.Int
	exponents []*big.Int // d, or d modulo a prime minus one
	primes    []*big.Int
}

// owner identifies the pair of n and e. It returns zero unless one of the private
// numbers fits them.
func (k rsaNumbers) owner() SPKIHash {
	if k.n == nil || k.e == nil || k.n.BitLen() > largestProven || k.n.Bit(0) == 0 {
		return SPKIHash{}
	}
	if !k.e.IsInt64() || k.e.Int64() < 3 || k.e.Int64() > 1<<31-1 { // with e = 1 every number is its own root
		return SPKIHash{}
	}
	for _, p := range k.primes {
		if p != nil && p.Cmp(big.NewInt(1)) > 0 && p.Cmp(k.n) < 0 && new(big.Int).Rem(k.n, p).Sign() == 0 {
			return k.hash()
		}
	}
	for _, x := range k.exponents {
		if x != nil && x.Sign() > 0 && x.BitLen() <= k.n.BitLen() && k.inverts(x) {
			return k.hash()
		}
	}
	return SPKIHash{}
}

// inverts reports whether x is an inverse of e modulo n or modulo one of its primes.
func (k rsaNumbers) inverts(x *big.Int) bool {
	two := big.NewInt(2)
	rest := new(big.Int).Exp(two, new(big.Int).Mul(k.e, x), k.n)
	rest.Sub(rest, two)
	return rest.GCD(nil, nil, rest.Abs(rest), k.n).Cmp(big.NewInt(1)) > 0
}

func (k rsaNumbers) hash() SPKIHash {
	return hashSPKI(&rsa.PublicKey{N: k.n, E: int(k.e.Int64())})
}

// pkcs1Numbers reads an RSAPrivateKey (RFC 8017, appendix A.1.2) as far as it is whole.
func pkcs1Numbers(der []byte) rsaNumbers {
	var numbers [8]*big.Int // version, n, e, d, p, q, dP, dQ
	top, err := firstElement(der)
	if err != nil {
		return rsaNumbers{}
	}
	for i, e := range firstElements(top.body, len(numbers)) {
		if e.whole() {
			numbers[i] = positive(e)
		}
	}
	return rsaNumbers{
		n: numbers[1], e: numbers[2],
		exponents: []*big.Int{numbers[3], numbers[6], numbers[7]},
		primes:    []*big.Int{numbers[4], numbers[5]},
	}
}

// pkcs1In returns as much of the RSAPrivateKey in a PKCS#8 as there is, or nil if the
// key is of another kind.
func pkcs1In(der []byte) []byte {
	top, err := firstElement(der)
	if err != nil {
		return nil
	}
	parts := firstElements(top.body, 3)
	if len(parts) < 3 || parts[2].tag != tagOctets || !isRSA(parts[1]) {
		return nil
	}
	return parts[2].body
}

// jwkNumbers reads the members of a JWK that are numbers.
func jwkNumbers(object map[string]any) rsaNumbers {
	number := func(name string) *big.Int {
		text, _ := object[name].(string)
		return base64Number(text)
	}
	return rsaNumbers{
		n: number("n"), e: number("e"),
		exponents: []*big.Int{number("d"), number("dp"), number("dq")},
		primes:    []*big.Int{number("p"), number("q")},
	}
}

// base64Number accepts either alphabet, with padding or without, unlike decodeUint:
// other readers do, and then the key is leaked. It returns nil for anything else.
func base64Number(text string) *big.Int {
	const longest = largestProven/6 + 8
	text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
	if text == "" || len(text) > longest {
		return nil
	}
	octets, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return new(big.Int).SetBytes(octets)
}
