package vectors

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"

	"bulla/format"
)

// A bundle is a set that is being made: its parts are containers like any other.
type bundle struct {
	label   string // names its secrets
	id      [12]byte
	shape   []byte // the root's plaintext
	key     pqKey  // of the set
	mac     []byte // T
	root    *box
	volumes []*box
	index   *box
}

const (
	volumeSize = 2 << 20 // the least V
	indexPart  = ".index"
)

// bundleOf makes a set whose root is for a key-encryption key, with volumes of these
// sizes. Sets of one label have the same secrets, and those of one label and attempt the
// same volumes: of two attempts one is stale.
func bundleOf(label string, attempt int, to []byte, sizes ...int64) *bundle {
	b := &bundle{label: label, id: [12]byte(secret("set id " + label))}
	s := secret("set secret " + label)
	b.shape = append([]byte("bullaset"), 1, 0, 0, 0, 0, 0, 0, 0)
	b.shape = append(append(b.shape, b.id[:]...), 0, 0, 0, 0)
	b.shape = binary.BigEndian.AppendUint64(append(b.shape, s...), volumeSize)
	derive := func(info string) []byte { return must(hkdf.Key(sha512.New, s, b.id[:], info, 32)) }
	b.key, b.mac = pqKey(derive("bulla/v2 set key")), derive("bulla/v2 set mac")
	b.root = build(file{label: label + " root", role: 2, set: b.id, content: b.shape, slots: []slot{kek(to)}})
	for i, n := range sizes {
		b.volumes = append(b.volumes, b.volume(attempt, i, n))
	}
	b.index = b.indexOf(attempt, b.listing())
	return b
}

// volume makes volume i with n bytes of content.
func (b *bundle) volume(attempt, i int, n int64, changes ...func(*file)) *box {
	f := file{label: fmt.Sprintf("%s volume %d.%d", b.label, i, attempt), role: 1, set: b.id, number: uint32(i), plain: n, slots: []slot{pq(b.key)}}
	for _, c := range changes {
		c(&f)
	}
	return build(f)
}

// listing is the plaintext of the index, but for its MAC.
func (b *bundle) listing() []byte {
	l := append([]byte("bullaidx"), 1, 0, 0, 0, 0, 0, 0, 0)
	l = binary.BigEndian.AppendUint32(append(l, b.id[:]...), uint32(len(b.volumes)))
	l = binary.BigEndian.AppendUint64(l, volumeSize)
	for _, v := range b.volumes {
		l = append(l, v.head[:atGeneration]...)
		l = binary.BigEndian.AppendUint64(l, uint64(v.size()))
		l = binary.BigEndian.AppendUint64(l, uint64(v.plain))
	}
	return l
}

// indexOf makes an index that says what is listed.
func (b *bundle) indexOf(attempt int, listing []byte, changes ...func(*file)) *box {
	h := hmac.New(sha512.New, b.mac)
	h.Write(listing)
	f := file{label: fmt.Sprintf("%s index %d", b.label, attempt), role: 3, set: b.id, slots: []slot{pq(b.key)}}
	f.content = slices.Concat(listing, h.Sum(nil)[:format.MACSize])
	for _, c := range changes {
		c(&f)
	}
	return build(f)
}

// parts are the containers by the suffix of their names.
func (b *bundle) parts() map[string]*box {
	parts := map[string]*box{"": b.root, indexPart: b.index}
	for i, v := range b.volumes {
		parts[fmt.Sprintf(".%06d", i)] = v
	}
	return parts
}

// bytes is the whole container of x.
func (x *box) bytes() []byte {
	return bytes.Join([][]byte{x.head, x.payloadBytes(), x.tail, x.after}, nil)
}
