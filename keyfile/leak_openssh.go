package keyfile

import (
	"bytes"
	"encoding/binary"
	"math/big"
)

// openSSHNumbers reads an RSA key in OpenSSH's own form, where it is not encrypted.
func openSSHNumbers(b []byte) rsaNumbers {
	b, ok := bytes.CutPrefix(b, []byte("openssh-key-v1\x00"))
	text := func() []byte {
		if ok = ok && len(b) >= 4; !ok {
			return nil
		}
		n := int(binary.BigEndian.Uint32(b))
		if ok = n <= len(b)-4; !ok {
			return nil
		}
		out := b[4 : 4+n]
		b = b[4+n:]
		return out
	}
	skip := func(n int) {
		if ok = ok && len(b) >= n; ok {
			b = b[n:]
		}
	}
	cipher := string(text())
	text() // how the key of the cipher is derived,
	text() // and its parameters
	skip(4)
	text() // the public key, which proves nothing
	skip(4 + 8)
	if kind := string(text()); !ok || cipher != "none" || kind != "ssh-rsa" {
		return rsaNumbers{}
	}
	var list [6]*big.Int // n, e, d, q's inverse, p, q
	for i := range list {
		if octets := text(); ok {
			list[i] = new(big.Int).SetBytes(octets)
		}
	}
	return rsaNumbers{n: list[0], e: list[1], exponents: list[2:3], primes: list[4:]}
}
