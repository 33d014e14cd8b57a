//go:build !amd64

package rsabatch

func addMul(z, x []uint64, y uint64) (carry uint64) { return addMulGeneric(z, x, y) }
