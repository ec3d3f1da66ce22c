//go:build !purego

#include "textflag.h"

// The 64-bit forms only: the 16- and 32-bit forms of RDSEED give zeros marked
// as good on AMD Zen 5 (AMD-SB-7055). Carry set means that the word is good.

// func rdrand() (word uint64, ok bool)
TEXT ·rdrand(SB), NOSPLIT, $0-9
	RDRANDQ AX
	MOVQ    AX, word+0(FP)
	SETCS   ok+8(FP)
	RET

// func rdseed() (word uint64, ok bool)
TEXT ·rdseed(SB), NOSPLIT, $0-9
	RDSEEDQ AX
	MOVQ    AX, word+0(FP)
	SETCS   ok+8(FP)
	RET

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	PAUSE
	RET

// func cpuid(leaf uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	XORL CX, CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET
