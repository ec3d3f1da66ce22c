package set

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"bulla/format"
)

// Limits of a set (spec/set.md sections 1 and 2).
const (
	MaxVolumes    = 131072  // so that a set has less than 2^62 bytes
	VolumeUnit    = 2 << 20 // the content of a volume is a multiple of this
	MaxVolumeSize = 1 << 45 // bytes of content
)

const (
	rootMagic  = "bullaset"
	indexMagic = "bullaidx"
	layout     = 1
)

// A root is the plaintext of a root, as it is encoded (section 2).
type root struct {
	Magic      [8]byte // rootMagic
	Layout     byte
	Coding     format.Coding // of every volume
	Zero       [6]byte
	ID         format.SetID
	Zero2      [4]byte
	Secret     [32]byte // S
	VolumeSize uint64   // V
}

// An indexHeader begins the plaintext of an index, as it is encoded (section 4). The
// entries follow, and the first macSize bytes of HMAC-SHA-512 under T of all that.
type indexHeader struct {
	Magic      [8]byte // indexMagic
	Layout     byte
	Zero       [7]byte
	ID         format.SetID
	N          uint32
	VolumeSize uint64 // V
}

// A Volume is an entry of an index: which container a volume is.
type Volume struct {
	Identity [format.IdentitySize]byte // bytes 0 to 95 of its head
	Size     int64                     // of the container, in bytes
	Content  int64                     // bytes of plaintext
}

const (
	rootSize  = 72
	headSize  = 40 // of an index
	entrySize = 112
	macSize   = 32
)

func newRoot(volumeSize int64, coding format.Coding) *root {
	return &root{Magic: [8]byte([]byte(rootMagic)), Layout: layout, Coding: coding, VolumeSize: uint64(volumeSize)}
}

// encode returns v, which has a fixed size, as it stands in a part.
func encode(v ...any) (b []byte) {
	for _, v := range v {
		b, _ = binary.Append(b, binary.BigEndian, v) // fails for no type of a fixed size
	}
	return b
}

// parseRoot reads the plaintext of the root whose preamble has that id.
func parseRoot(b []byte, id format.SetID) (*root, error) {
	r := new(root)
	_, err := binary.Decode(b, binary.BigEndian, r)
	switch {
	case err != nil || len(b) != rootSize || string(r.Magic[:]) != rootMagic:
		return nil, bad(format.SET5, "root", 0, format.ErrMalformed, "it does not hold what a root holds")
	case r.Layout != layout || r.Zero != [6]byte{} || r.Zero2 != [4]byte{}:
		return nil, bad(format.SET6, "layout", 8, format.ErrUnsupported, "a layout that this program does not know")
	case !r.Coding.Known():
		return nil, bad(format.SET7, "coding", 9, format.ErrUnsupported, "a coding that this program does not know")
	case r.ID != id:
		return nil, bad(format.SET8, "set id", 16, format.ErrMalformed, "it is not that of the preamble")
	case r.VolumeSize == 0 || r.VolumeSize > MaxVolumeSize || r.VolumeSize%VolumeUnit != 0:
		return nil, bad(format.SET9, "V", 64, format.ErrMalformed, "no volumes have this size")
	}
	return r, nil
}

// encodeIndex returns the plaintext of the index of u.
func (u *Unfinished) encodeIndex() []byte {
	b := encode(indexHeader{Magic: [8]byte([]byte(indexMagic)), Layout: layout, ID: u.ID, N: uint32(len(u.Volumes)), VolumeSize: uint64(u.VolumeSize)}, u.Volumes)
	return append(b, indexMAC(b, u.MACKey[:])...)
}

func indexMAC(b, key []byte) []byte {
	h := hmac.New(sha512.New, key)
	h.Write(b)
	return h.Sum(nil)[:macSize]
}

// volumesIn is how many volumes an index of that many bytes lists; 0 if none has so many.
func volumesIn(size int64) int {
	n := (size - headSize - macSize) / entrySize
	if n < 1 || n > MaxVolumes || size != headSize+n*entrySize+macSize {
		return 0
	}
	return int(n)
}

// parseIndex reads the plaintext of the index of u.
func (u *Unfinished) parseIndex(b []byte) ([]Volume, error) {
	var h indexHeader
	_, err := binary.Decode(b, binary.BigEndian, &h)
	n := volumesIn(int64(len(b)))
	switch end := max(0, len(b)-macSize); {
	case err != nil || n == 0 || string(h.Magic[:]) != indexMagic:
		return nil, bad(format.SET11, "index", 0, format.ErrMalformed, "it does not hold what an index holds")
	case h.Layout != layout:
		return nil, bad(format.SET12, "layout", 8, format.ErrUnsupported, "a layout that this program does not know")
	case !hmac.Equal(indexMAC(b[:end], u.MACKey[:]), b[end:]): // in constant time
		return nil, bad(format.SET13, "MAC", end, format.ErrForged, "this index was made or changed by someone who does not have the set's key for that")
	case h.Zero != [7]byte{}:
		return nil, bad(format.SET14, "reserved", 9, format.ErrUnsupported, "reserved bytes are not zero")
	case h.ID != u.ID || h.N != uint32(n) || h.VolumeSize != uint64(u.VolumeSize):
		return nil, bad(format.SET15, "set", 16, format.ErrMalformed, "it is not the index of this set")
	}
	volumes := make([]Volume, n)
	binary.Decode(b[headSize:], binary.BigEndian, volumes) // which there are n of
	for i := range volumes {
		content, last := uint64(volumes[i].Content), i == n-1
		if last && content >= h.VolumeSize || !last && content != h.VolumeSize {
			return nil, bad(format.SET16, fmt.Sprintf("entry %d", i), headSize+i*entrySize, format.ErrMalformed, "no volume in this place has this much content")
		}
	}
	return volumes, nil
}

func bad(c format.Clause, field string, off int, kind error, reason string) error {
	return &format.ParseError{Clause: c, Field: field, Offset: int64(off), Kind: kind, Reason: reason}
}
