package format

import "strings"

// A Clause is the identifier of one MUST, SHOULD or MAY of spec/bulla.md,
// such as "HEAD-7". There is one constant for each.
type Clause string

// The container as a whole (spec section 2).
const (
	FILE1 Clause = "FILE-1" // head, at least one chunk, tail, nothing else
	FILE2 Clause = "FILE-2" // chunk sizes
	FILE3 Clause = "FILE-3" // at most 2^46 chunks
	FILE4 Clause = "FILE-4" // nothing after the tail
)

// A copy of the head (spec section 3), in the order of the checks.
const (
	HEAD1  Clause = "HEAD-1"  // magic
	HEAD3  Clause = "HEAD-3"  // pages
	HEAD16 Clause = "HEAD-16" // copy pages
	HEAD4  Clause = "HEAD-4"  // a copy is C bytes long
	HEAD5  Clause = "HEAD-5"  // checksum
	HEAD2  Clause = "HEAD-2"  // version
	HEAD6  Clause = "HEAD-6"  // suite
	HEAD7  Clause = "HEAD-7"  // coding
	ROLE1  Clause = "ROLE-1"  // role
	HEAD8  Clause = "HEAD-8"  // what the role does not have is zero
	HEAD9  Clause = "HEAD-9"  // generation
	HEAD10 Clause = "HEAD-10" // slot count
	HEAD11 Clause = "HEAD-11" // slots end before the MAC
	HEAD12 Clause = "HEAD-12" // padding is zero
	HEAD13 Clause = "HEAD-13" // MAC
	HEAD14 Clause = "HEAD-14" // writer: fresh salt
	HEAD15 Clause = "HEAD-15" // writer: room for two more slots

	ROLE2 Clause = "ROLE-2" // reader: what is no file is not given as data
)

// Keys (spec section 4).
const (
	KEY1 Clause = "KEY-1" // commitment
	KEY2 Clause = "KEY-2" // writer: fresh CEK
	KEY3 Clause = "KEY-3" // writer: what each key seals
)

// Slots (spec section 5).
const (
	SLOT1 Clause = "SLOT-1" // reader: unknown types are skipped
	SLOT2 Clause = "SLOT-2" // reader: every slot is tried with every identity
	SLOT3 Clause = "SLOT-3" // reader: no key fits
	SLOT4 Clause = "SLOT-4" // writer: post-quantum and classical apart
	SLOT5 Clause = "SLOT-5" // writer: fresh slot salt

	HPKE1 Clause = "HPKE-1" // body length

	PASS1 Clause = "PASS-1" // body length
	PASS2 Clause = "PASS-2" // passes
	PASS3 Clause = "PASS-3" // memory
	PASS4 Clause = "PASS-4" // reader: commit first
	PASS5 Clause = "PASS-5" // reader: what costs too much is passed over
	PASS6 Clause = "PASS-6" // writer: default cost
	PASS7 Clause = "PASS-7" // slots of this type in a copy
	PASS8 Clause = "PASS-8" // writer: no slot that a reader passes over

	AGE1 Clause = "AGE-1" // body length and first line
	AGE2 Clause = "AGE-2" // no scrypt stanza
	AGE3 Clause = "AGE-3" // 32 bytes of plaintext
	AGE4 Clause = "AGE-4" // reader: interactive attempts

	KEK1 Clause = "KEK-1" // body length
	KEK2 Clause = "KEK-2" // reader: commit first
)

// Payload, tail, reading (spec sections 6 to 8).
const (
	CHUNK1 Clause = "CHUNK-1" // every chunk opens
	CHUNK2 Clause = "CHUNK-2" // reader: which chunk is final
	CHUNK3 Clause = "CHUNK-3" // reader: only authenticated bytes
	CHUNK4 Clause = "CHUNK-4" // writer: sealed once

	TAIL1 Clause = "TAIL-1" // the tail is a valid copy
	TAIL2 Clause = "TAIL-2" // the tail equals the head
	TAIL3 Clause = "TAIL-3" // reader: warning or violation

	COPY1 Clause = "COPY-1" // the intact copies are of one container

	READ1 Clause = "READ-1" // reader: which copy counts
	READ2 Clause = "READ-2" // reader: looking for the tail
	READ3 Clause = "READ-3" // reader: bounds before allocation
	READ4 Clause = "READ-4" // reader: detached heads
)

// Coding 1 and rewrap (spec sections 9 and 10).
const (
	ZSTD1 Clause = "ZSTD-1" // frame content sizes
	ZSTD2 Clause = "ZSTD-2" // frame headers
	ZSTD3 Clause = "ZSTD-3" // number of frames
	ZSTD4 Clause = "ZSTD-4" // seek table
	ZSTD5 Clause = "ZSTD-5" // table and frames agree
	ZSTD6 Clause = "ZSTD-6" // frames decode
	ZSTD7 Clause = "ZSTD-7" // reader: bounds before allocation

	WRAP1 Clause = "WRAP-1" // writer: preamble kept, generation raised
	WRAP2 Clause = "WRAP-2" // writer: never the only good copy first
	WRAP3 Clause = "WRAP-3" // writer: slots that nobody named are kept
)

// Sets (spec/set.md).
const (
	SET1  Clause = "SET-1"  // the parts are there
	SET2  Clause = "SET-2"  // role, set id and number
	SET3  Clause = "SET-3"  // codings
	SET4  Clause = "SET-4"  // one slot, for the set key
	SET5  Clause = "SET-5"  // a root's length and magic
	SET6  Clause = "SET-6"  // a root's layout
	SET7  Clause = "SET-7"  // the coding it states
	SET8  Clause = "SET-8"  // its set id
	SET9  Clause = "SET-9"  // its V
	SET10 Clause = "SET-10" // writer: fresh secrets
	SET11 Clause = "SET-11" // an index's length and magic
	SET12 Clause = "SET-12" // an index's layout
	SET13 Clause = "SET-13" // its MAC
	SET14 Clause = "SET-14" // reserved bytes are zero
	SET15 Clause = "SET-15" // its set id, n and V
	SET16 Clause = "SET-16" // sizes of content
	SET17 Clause = "SET-17" // the volume is the one that the index lists
	SET18 Clause = "SET-18" // its size and content
	SET19 Clause = "SET-19" // reader: root and index first
	SET20 Clause = "SET-20" // reader: a volume is checked before it is released
	SET21 Clause = "SET-21" // reader: no other bytes for a part that does not open
	SET22 Clause = "SET-22" // writer: root first, index last
	SET23 Clause = "SET-23" // writer: volumes are made whole or anew
	SET24 Clause = "SET-24" // writer: not too many volumes
)

// Grants (spec/grant.md).
const (
	GRANT1  Clause = "GRANT-1"  // coding 0
	GRANT2  Clause = "GRANT-2"  // magic
	GRANT3  Clause = "GRANT-3"  // layout and reserved bytes
	GRANT4  Clause = "GRANT-4"  // its parts, and its size
	GRANT5  Clause = "GRANT-5"  // V and the identities
	GRANT6  Clause = "GRANT-6"  // sizes of a container
	GRANT7  Clause = "GRANT-7"  // from and to, and the order of parts
	GRANT8  Clause = "GRANT-8"  // begin, end and frames
	GRANT9  Clause = "GRANT-9"  // writer: no other keys
	GRANT10 Clause = "GRANT-10" // writer: what it states was opened
	GRANT11 Clause = "GRANT-11" // reader: the target is the one it is for
	GRANT12 Clause = "GRANT-12" // reader: chunks are opened, and nothing else is given
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
