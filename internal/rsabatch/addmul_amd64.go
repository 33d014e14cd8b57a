package rsabatch

import "golang.org/x/sys/cpu"

var hasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

func addMul(z, x []uint64, y uint64) (carry uint64) {
	if hasADX && len(x)%8 == 0 && len(x) > 0 && len(z) >= len(x) {
		return addMulADX(&z[0], &x[0], len(x), y)
	}
	return addMulGeneric(z, x, y)
}

// addMulADX is addMulGeneric for n words, a multiple of 8 that is not 0.
//
//go:noescape
func addMulADX(z, x *uint64, n int, y uint64) (carry uint64)
