#include "textflag.h"

// WORD adds x·y of one word, and the high word before it in R8, to z. The sum with the high word is
// carried in CF and the sum with z in OF.
#define WORD(at, high, next) \
	MULXQ at(SI), R9, next; \
	ADCXQ high, R9;         \
	ADOXQ at(DI), R9;       \
	MOVQ  R9, at(DI)

// func addMulADX(z, x *uint64, n int, y uint64) (carry uint64)
TEXT ·addMulADX(SB), NOSPLIT, $0-40
	MOVQ z+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ y+24(FP), DX
	XORQ R8, R8

loop:
	XORQ  AX, AX // clears CF and OF
	WORD(0, R8, R10)
	WORD(8, R10, R8)
	WORD(16, R8, R10)
	WORD(24, R10, R8)
	WORD(32, R8, R10)
	WORD(40, R10, R8)
	WORD(48, R8, R10)
	WORD(56, R10, R8)
	ADCXQ AX, R8
	ADOXQ AX, R8
	ADDQ  $64, SI
	ADDQ  $64, DI
	SUBQ  $8, CX
	JNZ   loop

	MOVQ R8, carry+32(FP)
	RET
