package rsabatch

import "math/bits"

// addMulGeneric adds x·y to z, which has the length of x, and returns the word that is carried out.
func addMulGeneric(z, x []uint64, y uint64) (carry uint64) {
	z = z[:len(x)]
	for i, w := range x {
		high, low := bits.Mul64(w, y)
		var c uint64
		low, c = bits.Add64(low, carry, 0)
		high += c
		z[i], c = bits.Add64(low, z[i], 0)
		carry = high + c
	}
	return carry
}
