// Package seal is the key schedule and the sealing of chunks (spec sections 4
// and 6): the only code that holds a CEK for longer than it takes to wrap it.
//
//	CEK, preamble ─Extract─▶ PRK ─Expand─▶ commitment     binds the file to one CEK
//	                              ─Expand─▶ K(head)        MACs the head
//	                              ─Expand─▶ K(slot id)     names slots to those who can open
//	                              ─Expand─▶ final key i    seals chunk i, if that is the last
//	                              ─Expand─▶ payload node   the root of the tree (see tree)
//
// Counter nonces are safe only because a key schedule is born with a fresh CEK
// and each of its chunks is sealed once. That is why this package is internal
// and takes a chunk index from nobody but the streams.
package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"bulla/format"
	"bulla/internal/locked"
)

// Labels of the key schedule (spec section 4).
const (
	labelCommitment = "bulla/v2 commitment"
	labelHead       = "bulla/v2 head"
	labelSlotID     = "bulla/v2 slot id"
	labelFinal      = "bulla/v2 final"
	labelPayload    = "bulla/v2 payload"
	labelNode       = "bulla/v2 node"
	labelSegment    = "bulla/v2 segment"

	keySize = 32
)

// Keys are the keys of one container.
type Keys struct {
	suite  format.Suite
	memory []byte // locked: what all the others lie in
	prk    []byte // nil of a grant
	tree   tree
	final  []byte // of a grant: the last chunk's key, if that is granted
}

// newKeys returns Keys without any, and locked memory of n bytes for them.
func newKeys(s format.Suite, n int) (*Keys, []byte) {
	k := &Keys{suite: s, memory: locked.Bytes(treeMemory + n)}
	k.tree.init(k.memory)
	return k, k.memory[treeMemory:]
}

// Format implements [fmt.Formatter]: no verb prints a key.
func (k *Keys) Format(f fmt.State, _ rune) { io.WriteString(f, "keys of a container") }

// NewKeys derives the keys of the container with preamble p from its CEK, of
// format.CEKSize bytes, of which it keeps nothing.
func NewKeys(cek []byte, p *format.Preamble) (*Keys, error) {
	if len(cek) != format.CEKSize {
		return nil, fmt.Errorf("seal: CEK of %d bytes", len(cek))
	}
	k, memory := newKeys(p.Suite, sha512.Size)
	h := hmac.New(sha512.New, p.Bytes()) // HKDF-Extract (RFC 5869, section 2.2)
	h.Write(cek)
	k.prk = h.Sum(memory[:0])
	h.Write(make([]byte, sha512.BlockSize)) // over the CEK in the hash's buffer
	k.tree.start(k.expand(labelPayload, nodeSize))
	return k, nil
}

// Wipe overwrites the secrets that all keys derive from. ChunkKeys that exist
// stay usable; new ones cannot be had.
func (k *Keys) Wipe() {
	k.prk = nil
	k.tree.wipe()
	locked.Free(k.memory)
}

// Commitment returns what the head must say for this CEK (KEY-1).
func (k *Keys) Commitment() [format.CommitmentSize]byte {
	return [format.CommitmentSize]byte(k.expand(labelCommitment, format.CommitmentSize))
}

// Commits reports in constant time whether c is the commitment of this CEK (KEY-1).
func (k *Keys) Commits(c *[format.CommitmentSize]byte) bool {
	want := k.Commitment()
	return subtle.ConstantTimeCompare(want[:], c[:]) == 1
}

// HeadMAC returns the MAC of a copy's bytes before its MAC (HEAD-13).
func (k *Keys) HeadMAC(input []byte) (mac [format.MACSize]byte) {
	copy(mac[:], k.hmac(labelHead, input))
	return mac
}

// VerifyHead reports in constant time whether the MAC of the encoded copy h
// was parsed from verifies (HEAD-13).
func (k *Keys) VerifyHead(h *format.Head, encoded []byte) bool {
	want := k.HeadMAC(format.MACInput(encoded))
	return subtle.ConstantTimeCompare(want[:], h.MAC[:]) == 1
}

// SlotID returns the id of the slot for the recipient with that canonical
// string (spec section 5).
func (k *Keys) SlotID(canonical string) (id [format.SlotIDSize]byte) {
	copy(id[:], k.hmac(labelSlotID, []byte(canonical)))
	return id
}

// Key returns the key of a chunk: that of its segment or, if it is the container's
// last, one of its own, which is not in the tree: whoever has all of that still cannot
// end the container. If kept, which may be nil, is that key, it is what Key returns.
//
// It fails beyond the last chunk that a container can have (FILE-3), in both
// directions: nothing is sealed or opened there. It is safe for concurrent use.
func (k *Keys) Key(chunk int64, final bool, kept *ChunkKey) (*ChunkKey, error) {
	if kept.Holds(chunk) && kept.isFinal() == final {
		return kept, nil
	}
	if chunk < 0 || chunk >= format.MaxChunks {
		return nil, &format.ParseError{Clause: format.FILE3, Field: "payload", Kind: format.ErrUnsupported, Reason: "more than 2^46 chunks"}
	}
	if k.tree.given == nil {
		k.mustHave()
	}
	var key []byte
	first, n := chunk, int64(1)
	if final && k.final != nil {
		key = slices.Clone(k.final)
	} else if final {
		key = k.expand(withIndex(labelFinal, chunk), keySize)
	} else {
		segment := chunk / format.SegmentChunks
		key = k.tree.segment(segment)
		first, n = segment*format.SegmentChunks, format.SegmentChunks
	}
	defer clear(key)
	aead, err := newAEAD(k.suite, key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &ChunkKey{aead, first, first + n}, nil
}

func (k *Keys) hmac(label string, input []byte) []byte {
	key := k.expand(label, keySize)
	defer clear(key)
	h := hmac.New(sha512.New, key)
	h.Write(input)
	return h.Sum(nil)
}

func (k *Keys) expand(info string, n int) []byte {
	k.mustHave()
	return expand(k.prk, info, n)
}

func (k *Keys) mustHave() {
	if k.prk == nil {
		panic("seal: internal error: keys used after Wipe")
	}
}

func expand(secret []byte, info string, n int) []byte {
	out, err := hkdf.Expand(sha512.New, secret, info, n)
	if err != nil {
		panic("seal: internal error: " + err.Error()) // only for an n beyond 255 hashes
	}
	return out
}

func withIndex(label string, i int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(label), uint64(i)))
}
