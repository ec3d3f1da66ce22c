package set

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha512"
	"fmt"
	"io"

	"bulla/format"
	"bulla/keyslot"
)

// The keys of a set come of the secret S in its root (spec/set.md section 3):
//
//	seed = HKDF(S, set id, "bulla/v2 set key", 32)   of the set key, an identity
//	T    = HKDF(S, set id, "bulla/v2 set mac", 32)   authenticates the index
const (
	keyLabel = "bulla/v2 set key"
	macLabel = "bulla/v2 set mac"
	keySize  = 32
)

// A Shape is what it takes to write volumes of a set. It opens nothing, and makes no index.
type Shape struct {
	ID         format.SetID
	Public     string // the set key's public half, in text
	Coding     format.Coding
	VolumeSize int64 // V: bytes of content in every volume but the last
}

// An Unfinished is what it takes to go on with a set. It opens nothing, but whoever has it
// can make an index for the set: keep it private.
type Unfinished struct {
	Shape
	MACKey  [keySize]byte // T
	Volumes []Volume      // that are whole, from number 0 on
}

// Format implements [fmt.Formatter]: no verb prints the key of the index.
func (u Unfinished) Format(f fmt.State, _ rune) { io.WriteString(f, "unfinished set "+u.ID.String()) }

// keys returns the set of which r is the root, without volumes, and the set key.
func (r *root) keys() (*Unfinished, *keyslot.HPKEIdentity, error) {
	seed, err1 := hkdf.Key(sha512.New, r.Secret[:], r.ID[:], keyLabel, keySize)
	defer clear(seed)
	t, err2 := hkdf.Key(sha512.New, r.Secret[:], r.ID[:], macLabel, keySize)
	defer clear(t)
	key, err3 := keyslot.NewHPKEIdentity(seed)
	if err := cmp.Or(err1, err2, err3); err != nil { // for lengths alone that there are none of here
		return nil, nil, err
	}
	shape := Shape{ID: r.ID, Public: key.Recipient().Canonical(), Coding: r.Coding, VolumeSize: int64(r.VolumeSize)}
	return &Unfinished{Shape: shape, MACKey: [keySize]byte(t)}, key, nil
}

// Ended reports whether the last volume is there: the one that has less than V bytes.
// Nothing but the index is then missing.
func (u *Unfinished) Ended() bool {
	n := len(u.Volumes)
	return n > 0 && u.Volumes[n-1].Content < u.VolumeSize
}

// Size is how many bytes of plaintext the volumes have.
func (u *Unfinished) Size() int64 {
	n := len(u.Volumes)
	if n == 0 {
		return 0
	}
	return int64(n-1)*u.VolumeSize + u.Volumes[n-1].Content
}

// part is what stands in the preamble of a part of the set.
func (u *Shape) part(role format.Role, i int) format.Part {
	return format.Part{Role: role, Set: u.ID, Number: uint32(i)}
}
