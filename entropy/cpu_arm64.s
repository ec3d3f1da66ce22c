//go:build !purego && (linux || freebsd)

#include "textflag.h"

// The assembler has no name for the register RNDR (S3_3_C2_C4_0); the word is
// MRS R0, RNDR. The instruction sets the flags: Z clear means that the word is
// good (Arm ARM, "RNDR, Random Number").

// func rndr() (word uint64, ok bool)
TEXT ·rndr(SB), NOSPLIT, $0-9
	WORD $0xd53b2400
	CSET NE, R1
	MOVD R0, word+0(FP)
	MOVB R1, ok+8(FP)
	RET

// func yield()
TEXT ·yield(SB), NOSPLIT, $0-0
	YIELD
	RET
