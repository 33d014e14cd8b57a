package keyfile

import (
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
)

// Whoever is told the public key of a leak blocks it for good. So a key is named
// only where the file shows that its private part is there: numbers that somebody
// wrote beside a partner's public key show nothing.

const (
	largestProven = 4096 // bits of a modulus: no larger key is taken, so none needs blocking
	mostProven    = 8    // private keys of one file that are tried: each takes exponentiations
)

// rsaNumbers are those of an RSA private key, whether they fit each other or not.
// What is not there is nil, or missing in its list.
type rsaNumbers struct {
	n, e      *big.Int
	exponents []*big.Int // d, or d modulo a prime less one
	primes    []*big.Int
}

// owner is the SHA-256 of the public key, or empty if no number shows that the
// private part is there.
func (k rsaNumbers) owner() string {
	if k.n == nil || k.e == nil || k.n.BitLen() > largestProven || k.n.Bit(0) == 0 {
		return ""
	}
	if !k.e.IsInt64() || k.e.Int64() < 3 || k.e.Int64() > 1<<31-1 { // under e = 1 every number is its own root
		return ""
	}
	for _, p := range k.primes {
		if p != nil && p.Cmp(big.NewInt(1)) > 0 && p.Cmp(k.n) < 0 && new(big.Int).Rem(k.n, p).Sign() == 0 {
			return k.sum()
		}
	}
	for _, x := range k.exponents {
		if x != nil && x.Sign() > 0 && x.BitLen() <= k.n.BitLen() && k.inverts(x) {
			return k.sum()
		}
	}
	return ""
}

// inverts is true of an x that undoes e modulo n or modulo one of its primes.
func (k rsaNumbers) inverts(x *big.Int) bool {
	two := big.NewInt(2)
	rest := new(big.Int).Exp(two, new(big.Int).Mul(k.e, x), k.n)
	rest.Sub(rest, two)
	return rest.GCD(nil, nil, rest.Abs(rest), k.n).Cmp(big.NewInt(1)) > 0
}

func (k rsaNumbers) sum() string {
	object := map[string]any{"kty": "RSA", "n": encodeUint(k.n), "e": encodeUint(k.e)}
	pub, _, err := rsaFromJWK(object)
	if err != nil {
		return ""
	}
	return spkiSHA256(pub)
}

// pkcs1Numbers reads an RSAPrivateKey (RFC 8017, appendix A.1.2) as far as it is whole.
func pkcs1Numbers(der []byte) rsaNumbers {
	var numbers [8]*big.Int // version, n, e, d, p, q, dP, dQ
	top, err := firstElement(der)
	if err != nil {
		return rsaNumbers{}
	}
	for i, e := range firstElements(top.body, len(numbers)) {
		if !e.indefinite && e.length == len(e.body) {
			numbers[i] = positive(e)
		}
	}
	return rsaNumbers{
		n: numbers[1], e: numbers[2],
		exponents: []*big.Int{numbers[3], numbers[6], numbers[7]},
		primes:    []*big.Int{numbers[4], numbers[5]},
	}
}

// pkcs1In returns as much of the RSAPrivateKey in a PKCS#8 as there is, or nil if
// the key is of another kind.
func pkcs1In(der []byte) []byte {
	top, err := firstElement(der)
	if err != nil {
		return nil
	}
	parts := firstElements(top.body, 3)
	if len(parts) < 3 || parts[2].tag != tagOctets {
		return nil
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(parts[1].body, &oid); err != nil || !oid.Equal(oidRSA) {
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

// base64Number reads either alphabet, with padding or without: other readers do,
// and a leaked key is one in any writing. It returns nil for what is no number.
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
