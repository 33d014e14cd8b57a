package keyfile

import (
	"bytes"
	"iter"
	"math/big"
	"regexp"
)

var (
	printedNumber = regexp.MustCompile(
		`(?i)\b(modulus|public[ _-]?exponent|private[ _-]?exponent|prime ?[1pq]|prime ?2)` +
			`["']?\s*[:=]\s*((?:0x)?[0-9a-f]+(?:\s*:\s*[0-9a-f]{2})*)`,
	)
	notHex = regexp.MustCompile(`[\s:]|0x`)
)

// printedNumbers reads the numbers of an RSA key as openssl rsa -text and Java print them, around
// the private exponent.
func printedNumbers(text []byte, exponent int) (k rsaNumbers) {
	const reach = 16 << 10 // characters before and behind
	text = text[max(0, exponent-reach):min(len(text), exponent+reach)]
	for _, m := range printedNumber.FindAllSubmatch(text, 16) {
		digits := string(notHex.ReplaceAll(m[2], nil))
		base := 16
		if !bytes.ContainsAny(m[2], "abcdefxABCDEFX:") {
			base = 10
		}
		n, ok := new(big.Int).SetString(digits, base)
		if !ok || n.BitLen() > largestProven {
			continue
		}
		switch label := bytes.ToLower(m[1]); {
		case label[0] == 'm':
			k.n = n
		case bytes.HasPrefix(label, []byte("public")):
			k.e = n
		case bytes.HasPrefix(label, []byte("private")):
			k.exponents = append(k.exponents, n)
		default:
			k.primes = append(k.primes, n)
		}
	}
	return k
}

// longHex returns what each long number in hexadecimal in text decodes to: solid, or with blanks,
// colons, commas, hyphens, line ends or 0x between the octets.
func longHex(text []byte) iter.Seq[[]byte] {
	const least = 64 // octets; no private key is shorter
	return func(yield func([]byte) bool) {
		var octets []byte
		var high, digits, signs int
		flush := func() bool {
			ok := len(octets) < least || yield(octets)
			octets, digits, signs = nil, 0, 0
			return ok
		}
		for _, c := range text {
			value := hexValue(c)
			switch {
			case value >= 0 && digits%2 == 0:
				high = value
				digits++
			case value >= 0:
				octets = append(octets, byte(high<<4|value))
				digits++
			case c == 'x' && digits%2 == 1 && high == 0: // 0x
				digits--
			case digits%2 == 0 && signs < 4 && bytes.IndexByte([]byte(" \t\r\n:,-"), c) >= 0:
				signs++
				continue
			default:
				if !flush() {
					return
				}
				continue
			}
			signs = 0
		}
		flush()
	}
}

// hexValue returns the value of a hexadecimal digit, or -1.
func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
