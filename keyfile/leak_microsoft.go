package keyfile

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"
)

// microsoft finds private keys in the forms of Windows' two libraries: PRIVATEKEYBLOB,
// with what wraps it (.snk, .pvk), and BCRYPT_RSAPRIVATE_BLOB with its fuller sister.
func (s *search) microsoft(b []byte) {
	const (
		older = "a private key in Microsoft's form (PRIVATEKEYBLOB)"
		newer = "a private key in Microsoft's form (BCRYPT_RSAPRIVATE_BLOB)"
	)
	seen := false
	for at := 0; ; at++ {
		next := bytes.Index(b[at:], []byte("RSA"))
		if next < 0 {
			break
		}
		at += next
		kind, numbers := older, blobNumbers
		switch {
		case isPrivateBlob(b[:at], b[at:]):
		case isBCryptBlob(b[at:]):
			kind, numbers = newer, bcryptNumbers
		default:
			continue
		}
		seen = true
		s.add(&PrivateKeyError{Kind: kind, PublicKeySHA256: s.owner(func() string { return numbers(b[at:]).owner() })})
	}
	// An encrypted .pvk shows its head only.
	if head := []byte{0x1e, 0xf1, 0xb5, 0xb0, 0, 0, 0, 0}; !seen && bytes.HasPrefix(b, head) {
		s.add(&PrivateKeyError{Kind: "a private key in Microsoft's form (PVK)"})
	}
}

// isPrivateBlob knows an RSAPUBKEY by its magic and the BLOBHEADER before it.
func isPrivateBlob(before, b []byte) bool {
	return bytes.HasPrefix(b, []byte("RSA2")) &&
		(bytes.HasSuffix(before, []byte{7, 2, 0, 0, 0, 0xa4, 0, 0}) || bytes.HasSuffix(before, []byte{7, 2, 0, 0, 0, 0x24, 0, 0}))
}

// littleEndian reads so many numbers of four octets, or gives nil.
func littleEndian(b []byte, n int) []int {
	if len(b) < 4*n {
		return nil
	}
	out := make([]int, n)
	for i := range out {
		out[i] = int(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// blobNumbers reads what is there of: magic, bits and exponent; then n, p, q, dP, dQ,
// q's inverse and d, the lowest octet first.
func blobNumbers(b []byte) rsaNumbers {
	const head = 12
	fields := littleEndian(b, head/4)
	if fields == nil || fields[1] < 0 || fields[1]%16 != 0 || fields[1] > largestProven {
		return rsaNumbers{}
	}
	whole, half := fields[1]/8, fields[1]/16
	list := cutNumbers(b[head:], []int{whole, half, half, half, half, half, whole}, true)
	return rsaNumbers{n: list[0], e: big.NewInt(int64(fields[2])), primes: list[1:3], exponents: []*big.Int{list[6], list[3], list[4]}}
}

// isBCryptBlob knows a BCRYPT_RSAKEY_BLOB by its magic and by lengths that fit.
func isBCryptBlob(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("RSA2")) && !bytes.HasPrefix(b, []byte("RSA3")) {
		return false
	}
	f := littleEndian(b, 6) // magic, bits, and the octets of e, n, p and q
	return f != nil && f[1] >= 512 && f[1] <= 1<<14 && f[2] >= 1 && f[2] <= 8 && f[3] == (f[1]+7)/8 &&
		f[4] > 0 && f[4] <= f[3] && f[5] > 0 && f[5] <= f[3]
}

func bcryptNumbers(b []byte) rsaNumbers {
	f := littleEndian(b, 6)
	list := cutNumbers(b[4*6:], f[2:], false)
	return rsaNumbers{n: list[1], e: list[0], primes: list[2:4]}
}

// cutNumbers reads numbers of these lengths in octets; one that is cut is nil.
func cutNumbers(b []byte, lengths []int, lowestFirst bool) []*big.Int {
	out := make([]*big.Int, len(lengths))
	for i, n := range lengths {
		if n > len(b) {
			break
		}
		octets := bytes.Clone(b[:n])
		if lowestFirst {
			slices.Reverse(octets)
		}
		out[i], b = new(big.Int).SetBytes(octets), b[n:]
	}
	return out
}
