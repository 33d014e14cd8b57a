//go:build linux && !android && amd64 && (cgo || sealane_dlopen)

#include "textflag.h"

GLOBL ·alignedABI0(SB), NOPTR|RODATA, $8
DATA ·alignedABI0(SB)/8, $aligned(SB)

// aligned is a function of C that makes a call: DI points to it. The library spills 512-bit registers to
// the stack, and it is up to a third slower if the stack is not aligned as it likes, which differs by
// size. Afterwards the function wipes what the library left: 16 KiB of the stack, and the registers.
TEXT aligned(SB), NOSPLIT|NOFRAME, $0
	PUSHQ BP
	MOVQ  SP, BP
	PUSHQ BX
	PUSHQ R12
	MOVQ  DI, BX
	ANDQ  $~63, SP
	SUBQ  $192, SP
	ADDQ  8(BX), SP

	// Arguments 7 to 10 are on the stack.
	MOVQ 64(BX), R10
	MOVQ R10, 0(SP)
	MOVQ 72(BX), R10
	MOVQ R10, 8(SP)
	MOVQ 80(BX), R10
	MOVQ R10, 16(SP)
	MOVQ 88(BX), R10
	MOVQ R10, 24(SP)
	MOVQ 16(BX), DI
	MOVQ 24(BX), SI
	MOVQ 32(BX), DX
	MOVQ 40(BX), CX
	MOVQ 48(BX), R8
	MOVQ 56(BX), R9
	MOVQ 0(BX), AX
	CALL AX
	MOVQ AX, R12

	MOVQ $2048, CX
	LEAQ -16384(SP), DI
	XORL AX, AX
	CLD
	REP; STOSQ

	CMPQ 96(BX), $0
	JEQ  done
	VZEROALL
	VPXORQ Z16, Z16, Z16
	VPXORQ Z17, Z17, Z17
	VPXORQ Z18, Z18, Z18
	VPXORQ Z19, Z19, Z19
	VPXORQ Z20, Z20, Z20
	VPXORQ Z21, Z21, Z21
	VPXORQ Z22, Z22, Z22
	VPXORQ Z23, Z23, Z23
	VPXORQ Z24, Z24, Z24
	VPXORQ Z25, Z25, Z25
	VPXORQ Z26, Z26, Z26
	VPXORQ Z27, Z27, Z27
	VPXORQ Z28, Z28, Z28
	VPXORQ Z29, Z29, Z29
	VPXORQ Z30, Z30, Z30
	VPXORQ Z31, Z31, Z31

done:
	MOVQ R12, AX
	LEAQ -16(BP), SP
	POPQ R12
	POPQ BX
	POPQ BP
	RET
