package hostile_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"sync"
)

// RSA pairs that no sound generator makes. All of them are thrown away: their
// private halves are in the corpus, for everybody to read.

var one = big.NewInt(1)

const soundExponent = 65537

// pair is the numbers of a private key, whether they fit each other or not.
type pair struct{ n, e, d, p, q, dp, dq, qi *big.Int }

// pairOf completes the numbers. Where e has no inverse, d is that of 65537.
func pairOf(p, q *big.Int, e int64) pair {
	k := pair{p: p, q: q, n: new(big.Int).Mul(p, q), e: big.NewInt(e)}
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	phi := new(big.Int).Mul(p1, q1)
	if p.Cmp(q) == 0 {
		phi.Mul(p, p1)
	}
	if k.d = new(big.Int).ModInverse(k.e, phi); k.d == nil {
		k.d = new(big.Int).ModInverse(big.NewInt(soundExponent), phi)
	}
	k.dp, k.dq = new(big.Int).Mod(k.d, p1), new(big.Int).Mod(k.d, q1)
	if k.qi = new(big.Int).ModInverse(q, p); k.qi == nil {
		k.qi = one
	}
	return k
}

// prime has its upper two bits set, and p-1 shares no factor with 3 or 65537.
func prime(size int) *big.Int {
	for {
		p, err := rand.Prime(rand.Reader, size)
		if err != nil {
			panic(err)
		}
		p1 := new(big.Int).Sub(p, one)
		if new(big.Int).GCD(nil, nil, p1, big.NewInt(3*soundExponent)).Cmp(one) == 0 {
			return p
		}
	}
}

func sized(p, q int) pair { return pairOf(prime(p), prime(q), soundExponent) }

var (
	soundPair = sync.OnceValue(func() pair { return sized(1024, 1024) })
	otherPair = sync.OnceValue(func() pair { return sized(1024, 1024) })
	issuing   = sync.OnceValue(func() pair { return sized(1024, 1024) })
	hugePair  = sync.OnceValue(func() pair { return sized(4096, 4096) })
)

func sound() pair { return soundPair() }

func exponentPair(e int64) pair { return pairOf(sound().p, sound().q, e) }

// closePair has primes that differ in their last bits only.
var closePair = sync.OnceValue(func() pair {
	p := prime(1024)
	q := new(big.Int).Add(p, big.NewInt(1<<16))
	for q.SetBit(q, 0, 1); !q.ProbablyPrime(20); {
		q.Add(q, big.NewInt(2))
	}
	return pairOf(p, q, soundExponent)
})

var squarePair = sync.OnceValue(func() pair { p := prime(1024); return pairOf(p, p, soundExponent) })

// factorPair is three times a prime of 2046 bits: 2048 in all.
var factorPair = sync.OnceValue(func() pair {
	q := prime(2046)
	return pairOf(q, big.NewInt(3), soundExponent)
})

// rocaPair has primes of the form k·M + 65537^a mod M (CVE-2017-15361), M the
// product of the first 126 primes.
var rocaPair = sync.OnceValue(func() pair {
	m, count := big.NewInt(1), 0
	for c := int64(2); count < 126; c++ {
		if x := big.NewInt(c); x.ProbablyPrime(0) {
			m.Mul(m, x)
			count++
		}
	}
	low := new(big.Int).Lsh(big.NewInt(3), 1022) // the upper two bits
	low.Div(low, m).Add(low, one)
	span := new(big.Int).Lsh(one, 1024)
	span.Div(span, m).Sub(span, low)
	draw := func(below *big.Int) *big.Int {
		x, err := rand.Int(rand.Reader, below)
		if err != nil {
			panic(err)
		}
		return x
	}
	find := func() *big.Int {
		for {
			p := new(big.Int).Exp(big.NewInt(soundExponent), draw(m), m)
			k := draw(span)
			p.Add(p, k.Add(k, low).Mul(k, m))
			if p.ProbablyPrime(20) {
				return p
			}
		}
	}
	return pairOf(find(), find(), soundExponent)
})

// pkcs1 is the RSAPrivateKey of RFC 8017, appendix A.1.2.
func (k pair) pkcs1() []byte {
	out := small(0)
	for _, x := range []*big.Int{k.n, k.e, k.d, k.p, k.q, k.dp, k.dq, k.qi} {
		out = append(out, integer(x)...)
	}
	return sequence(out)
}

var rsaEncryption = sequence(oid("1.2.840.113549.1.1.1"), null)

func wrapPKCS8(algorithm, key []byte) []byte { return sequence(small(0), algorithm, octets(key)) }
func (k pair) pkcs8() []byte                 { return wrapPKCS8(rsaEncryption, k.pkcs1()) }
func (k pair) pkcs8PEM() []byte              { return pemBlock("PRIVATE KEY", k.pkcs8()) }
func (k pair) pkcs1PEM() []byte              { return pemBlock("RSA PRIVATE KEY", k.pkcs1()) }
func (k pair) publicPKCS1() []byte           { return sequence(integer(k.n), integer(k.e)) }
func (k pair) spki() []byte                  { return sequence(rsaEncryption, bits(k.publicPKCS1())) }
func (k pair) spkiPEM() []byte               { return pemBlock("PUBLIC KEY", k.spki()) }
func (k pair) public() *rsa.PublicKey        { return &rsa.PublicKey{N: k.n, E: int(k.e.Int64())} }

func (k pair) publicMembers() []member {
	return []member{text("kty", "RSA"), text("kid", "hostile"), text("n", url64(k.n.Bytes())),
		text("e", url64(k.e.Bytes()))}
}

func (k pair) members() []member {
	m := k.publicMembers()
	for _, x := range []struct {
		name string
		n    *big.Int
	}{{"d", k.d}, {"p", k.p}, {"q", k.q}, {"dp", k.dp}, {"dq", k.dq}, {"qi", k.qi}} {
		m = append(m, text(x.name, url64(x.n.Bytes())))
	}
	return m
}

func (k pair) jwk(others ...member) []byte       { return object(with(k.members(), others...)) }
func (k pair) publicJWK(others ...member) []byte { return object(with(k.publicMembers(), others...)) }

// private is the same key for packages that want a sound one.
func (k pair) private() *rsa.PrivateKey {
	key := &rsa.PrivateKey{PublicKey: *k.public(), D: k.d, Primes: []*big.Int{k.p, k.q}}
	key.Precompute()
	return key
}

// prefixes of DigestInfo (RFC 8017, section 9.2, note 1).
var digestInfo = map[crypto.Hash]string{
	crypto.MD5:    "1.2.840.113549.2.5",
	crypto.SHA1:   "1.3.14.3.2.26",
	crypto.SHA256: "2.16.840.1.101.3.4.2.1",
}

// sign is RSASSA-PKCS1-v1_5 by the bare numbers, with any hash.
func (k pair) sign(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	info := sequence(sequence(oid(digestInfo[hash]), null), octets(h.Sum(nil)))
	size := (k.n.BitLen() + 7) / 8
	padded := make([]byte, size-len(info)-3)
	for i := range padded {
		padded[i] = 0xff
	}
	block := append(append(append([]byte{0, 1}, padded...), 0), info...)
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, k.d, k.n).FillBytes(make([]byte, size))
}

func (k pair) signSHA256(message []byte) []byte { return k.sign(crypto.SHA256, message) }

var _ = sha256.New // registers the hash
