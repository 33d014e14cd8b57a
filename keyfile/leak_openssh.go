package keyfile

import "math/big"

const labelOpenSSH = "OPENSSH PRIVATE KEY"

// openSSHNumbers reads an RSA key in OpenSSH's own format, if it is not encrypted.
func openSSHNumbers(b []byte) rsaNumbers {
	const (
		number  = 4     // octets of a count or length
		checked = 4 + 4 // two equal numbers, to detect a wrong passphrase
	)
	r := reader{rest: b}
	if string(r.take(uint32(len(openSSHHead)))) != openSSHHead {
		return rsaNumbers{}
	}
	cipher := string(r.string())
	r.string()     // how the cipher's key is derived
	r.string()     // and its parameters
	r.take(number) // how many keys
	r.string()     // the public key, which proves nothing
	r.take(number + checked)
	if kind := string(r.string()); r.short || cipher != "none" || kind != "ssh-rsa" {
		return rsaNumbers{}
	}
	var list [6]*big.Int // n, e, d, q's inverse, p, q
	for i := range list {
		if octets := r.string(); !r.short {
			list[i] = new(big.Int).SetBytes(octets)
		}
	}
	return rsaNumbers{n: list[0], e: list[1], exponents: list[2:3], primes: list[4:]}
}
