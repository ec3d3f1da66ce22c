package format

import "strings"

// A Clause is the identifier of one MUST, SHOULD or MAY of spec/bulla.md,
// such as "HEAD-7". There is one constant for each. What it says, the text has, which
// spec.Lookup of this module gives.
type Clause string

// Those of spec/bulla.md, in the order of its text, and of a copy of the head in the order
// of the checks; then those of spec/set.md and spec/grant.md.
const (
	FILE1, FILE2, FILE3, FILE4 Clause = "FILE-1", "FILE-2", "FILE-3", "FILE-4"

	HEAD1, HEAD3, HEAD16, HEAD4, HEAD5, HEAD2    Clause = "HEAD-1", "HEAD-3", "HEAD-16", "HEAD-4", "HEAD-5", "HEAD-2"
	HEAD6, HEAD7                                 Clause = "HEAD-6", "HEAD-7"
	ROLE1                                        Clause = "ROLE-1"
	HEAD8, HEAD9, HEAD10, HEAD11, HEAD12, HEAD13 Clause = "HEAD-8", "HEAD-9", "HEAD-10", "HEAD-11", "HEAD-12", "HEAD-13"
	HEAD14, HEAD15                               Clause = "HEAD-14", "HEAD-15"
	ROLE2                                        Clause = "ROLE-2"

	KEY1, KEY2, KEY3 Clause = "KEY-1", "KEY-2", "KEY-3"

	SLOT1, SLOT2, SLOT3, SLOT4, SLOT5        Clause = "SLOT-1", "SLOT-2", "SLOT-3", "SLOT-4", "SLOT-5"
	HPKE1                                    Clause = "HPKE-1"
	PASS1, PASS2, PASS3, PASS4, PASS5, PASS6 Clause = "PASS-1", "PASS-2", "PASS-3", "PASS-4", "PASS-5", "PASS-6"
	PASS7, PASS8                             Clause = "PASS-7", "PASS-8"
	AGE1, AGE2, AGE3, AGE4                   Clause = "AGE-1", "AGE-2", "AGE-3", "AGE-4"
	KEK1, KEK2                               Clause = "KEK-1", "KEK-2"

	CHUNK1, CHUNK2, CHUNK3, CHUNK4 Clause = "CHUNK-1", "CHUNK-2", "CHUNK-3", "CHUNK-4"
	TAIL1, TAIL2, TAIL3            Clause = "TAIL-1", "TAIL-2", "TAIL-3"
	COPY1                          Clause = "COPY-1"
	READ1, READ2, READ3, READ4     Clause = "READ-1", "READ-2", "READ-3", "READ-4"

	ZSTD1, ZSTD2, ZSTD3, ZSTD4, ZSTD5, ZSTD6 Clause = "ZSTD-1", "ZSTD-2", "ZSTD-3", "ZSTD-4", "ZSTD-5", "ZSTD-6"
	ZSTD7                                    Clause = "ZSTD-7"
	WRAP1, WRAP2, WRAP3                      Clause = "WRAP-1", "WRAP-2", "WRAP-3"

	SET1, SET2, SET3, SET4, SET5, SET6       Clause = "SET-1", "SET-2", "SET-3", "SET-4", "SET-5", "SET-6"
	SET7, SET8, SET9, SET10, SET11, SET12    Clause = "SET-7", "SET-8", "SET-9", "SET-10", "SET-11", "SET-12"
	SET13, SET14, SET15, SET16, SET17, SET18 Clause = "SET-13", "SET-14", "SET-15", "SET-16", "SET-17", "SET-18"
	SET19, SET20, SET21, SET22, SET23, SET24 Clause = "SET-19", "SET-20", "SET-21", "SET-22", "SET-23", "SET-24"

	GRANT1, GRANT2, GRANT3, GRANT4, GRANT5, GRANT6    Clause = "GRANT-1", "GRANT-2", "GRANT-3", "GRANT-4", "GRANT-5", "GRANT-6"
	GRANT7, GRANT8, GRANT9, GRANT10, GRANT11, GRANT12 Clause = "GRANT-7", "GRANT-8", "GRANT-9", "GRANT-10", "GRANT-11", "GRANT-12"
)

// FileClauses are the clauses with a MUST that a container can break, and a
// verifier therefore answers for, in the order of the text. The others bind
// writers or readers.
var FileClauses = []Clause{
	FILE1, FILE2, FILE3, FILE4,
	HEAD1, HEAD3, HEAD16, HEAD4, HEAD5, HEAD2, HEAD6, HEAD7, ROLE1, HEAD8, HEAD9, HEAD10, HEAD11, HEAD12, HEAD13,
	KEY1,
	HPKE1, PASS1, PASS2, PASS3, PASS7, AGE1, AGE2, AGE3, KEK1,
	CHUNK1, COPY1, TAIL1, TAIL2,
	ZSTD1, ZSTD2, ZSTD3, ZSTD4, ZSTD5, ZSTD6,
}

// SetClauses are those of sets, beside FileClauses.
var SetClauses = []Clause{SET1, SET2, SET3, SET4, SET5, SET6, SET7, SET8, SET9, SET11, SET12, SET13, SET14, SET15, SET16, SET17, SET18}

// AboutHead reports whether c is about a copy of the head and not about the
// content: a container that violates no other clause has all of its content, and
// a rewrap mends it.
func (c Clause) AboutHead() bool {
	family, _, _ := strings.Cut(string(c), "-")
	_, slot := SlotTypeOf(c)
	return slot || family == "HEAD" || family == "KEY" || family == "TAIL"
}
