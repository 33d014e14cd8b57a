package keyfile

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"
)

// microsoft finds private keys in the formats of Windows: PRIVATEKEYBLOB, also within
// .snk and .pvk files, and BCRYPT_RSAPRIVATE_BLOB with BCRYPT_RSAFULLPRIVATE_BLOB. It
// looks for the owner of the former only.
func (s *search) microsoft(b []byte) {
	seen := false
	for at := 0; ; at++ {
		next := bytes.Index(b[at:], []byte("RSA"))
		if next < 0 {
			break
		}
		at += next
		leak := Leak{Kind: "a private key in Microsoft's form (BCRYPT_RSAPRIVATE_BLOB)"}
		switch {
		case isPrivateBlob(b[:at], b[at:]):
			leak.Kind = "a private key in Microsoft's form (PRIVATEKEYBLOB)"
			leak.PublicKey = s.owner(func() SPKIHash { return blobNumbers(b[at:]).owner() })
		case isBCryptBlob(b[at:]):
		default:
			continue
		}
		seen = true
		s.add(leak)
	}
	// An encrypted .pvk shows its head only.
	if head := []byte{0x1e, 0xf1, 0xb5, 0xb0, 0, 0, 0, 0}; !seen && bytes.HasPrefix(b, head) {
		s.add(Leak{Kind: "a private key in Microsoft's form (PVK)"})
	}
}

// isPrivateBlob recognizes an RSAPUBKEY by its magic and by the BLOBHEADER before it.
func isPrivateBlob(before, b []byte) bool {
	keyExchange, signature := []byte{7, 2, 0, 0, 0, 0xa4, 0, 0}, []byte{7, 2, 0, 0, 0, 0x24, 0, 0}
	return bytes.HasPrefix(b, []byte("RSA2")) &&
		(bytes.HasSuffix(before, keyExchange) || bytes.HasSuffix(before, signature))
}

// isBCryptBlob recognizes a BCRYPT_RSAKEY_BLOB by its magic and by lengths that fit.
func isBCryptBlob(b []byte) bool {
	if !bytes.HasPrefix(b, []byte("RSA2")) && !bytes.HasPrefix(b, []byte("RSA3")) {
		return false
	}
	f := littleEndian(b, 6) // magic, bits, and the octets of e, n, p and q
	return f != nil && f[1] >= 512 && f[1] <= 1<<14 && f[2] >= 1 && f[2] <= 8 && f[3] == (f[1]+7)/8 &&
		f[4] > 0 && f[4] <= f[3] && f[5] > 0 && f[5] <= f[3]
}

// littleEndian returns the first n numbers of four octets, or nil if there are fewer.
func littleEndian(b []byte, n int) []uint32 {
	if len(b) < 4*n {
		return nil
	}
	out := make([]uint32, n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}

// blobNumbers reads what there is of magic, bits and exponent, and then of n, p, q, dP,
// dQ, q's inverse and d, each with the lowest octet first.
func blobNumbers(b []byte) rsaNumbers {
	const head = 12
	fields := littleEndian(b, head/4)
	if fields == nil || fields[1]%16 != 0 || fields[1] > largestProven {
		return rsaNumbers{}
	}
	whole, half := int(fields[1]/8), int(fields[1]/16)
	var list [7]*big.Int
	b = b[head:]
	for i, n := range []int{whole, half, half, half, half, half, whole} {
		if n > len(b) {
			break
		}
		octets := bytes.Clone(b[:n])
		slices.Reverse(octets)
		list[i], b = new(big.Int).SetBytes(octets), b[n:]
	}
	return rsaNumbers{
		n: list[0], e: big.NewInt(int64(fields[2])),
		primes: list[1:3], exponents: []*big.Int{list[6], list[3], list[4]},
	}
}
