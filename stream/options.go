package stream

import (
	"cmp"
	"sync/atomic"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/ring"
	"bulla/slot"
)

// Whom containers are for, and what opens them: see package slot. Packages
// keyslot, agekey and tpmkey have those of the specification.
type (
	Recipient = slot.Recipient
	Identity  = slot.Identity
	Named     = slot.Named
)

// WriterOptions are the options of [NewWriter]. The zero value, and a nil
// pointer, are right for most uses.
type WriterOptions struct {
	// Suite seals the payload; 0 means the one this processor is fast at.
	Suite format.Suite

	// Level compresses the plaintext with Zstandard before it is sealed (coding
	// 1), at a level of 1, the fastest, to 19; 0 does not compress. Memory then
	// grows by about 10 MiB a worker, from level 10 on by 45 MiB.
	Level int

	// Workers is how many batches are sealed at a time; 0 means GOMAXPROCS.
	Workers int

	// Reserve is for how many further public-key slots the head leaves room,
	// beyond the two that it has room for anyway.
	Reserve int

	// Entropy is where keys and salts come from; nil means entropy.Default().
	Entropy *entropy.Mixer

	// Done, if not nil, grows by the bytes of plaintext taken: for showing progress.
	Done *atomic.Int64

	// AllowClassical permits recipients of a classical public-key type beside
	// post-quantum ones, which then protect nothing against a quantum computer
	// (SLOT-4).
	AllowClassical bool

	// Part says what the container is for; the zero Part is a file of its own.
	Part format.Part

	// Observer, if not nil, sees what is sealed.
	Observer Observer
}

// An Observer sees a container as it is made, for example to hash its chunks.
type Observer interface {
	// Head is called once, before anything else, with the encoded head, which must not be
	// changed or kept.
	Head(head []byte)

	// Sealed is called by the workers, several at a time and in no order, with consecutive
	// chunks and their tags, of which the first has that number. Each chunk comes once, before
	// it is written, unless the Writer fails; all but the container's last are
	// [format.SealedChunkSize] bytes long. They must not be changed or kept. An error makes
	// the Writer fail.
	Sealed(first int64, chunks []byte) error
}

// ReaderOptions are the options of [NewReader]. The zero value,
// and a nil pointer, are right for most uses.
type ReaderOptions struct {
	// Workers is how many batches are opened at a time; 0 means GOMAXPROCS.
	Workers int

	// Head is a detached head: an encoded copy that counts beside those in the
	// container.
	Head []byte

	// Done, if not nil, grows by the bytes of plaintext that were authenticated
	// in order: for showing progress.
	Done *atomic.Int64

	// Raw gives the payload's plaintext as it is, without decompressing it: with
	// coding 1 a stream that any Zstandard decoder reads.
	Raw bool

	// Role is what the container must be for (ROLE-2): a file of its own, unless
	// the caller can do with the content of another. See [RoleError].
	Role format.Role
}

// ReaderAtOptions are the options of [NewReaderAt]. The zero value, and a nil
// pointer, are right for most uses.
type ReaderAtOptions struct {
	ReaderOptions

	// AllowTruncated serves the authentic chunks of a container whose end is
	// missing. Its size is then unknown.
	AllowTruncated bool
}

// SalvageOptions are the options of [Salvage]. The zero value, and a nil pointer,
// are right for most uses.
type SalvageOptions struct {
	ReaderOptions

	// From salvages by the copy of the head in one place alone, even if the others
	// are of other containers. With "" all copies must be of one: see
	// [ConflictError].
	From format.Place

	// Uncertain writes, of a compressed payload that has lost its table, the frames
	// after a hole, too: see [Salvage].
	Uncertain bool
}

// VerifyOptions are the options of [Verify] and [VerifySlice]. The zero value,
// and a nil pointer, are right for most uses.
type VerifyOptions struct {
	// Workers is how many batches are opened at a time; 0 means GOMAXPROCS.
	Workers int

	// Head is a detached head: an encoded copy that counts beside those in the
	// container.
	Head []byte

	// Done, if not nil, grows by the bytes of plaintext that were authenticated:
	// for showing progress.
	Done *atomic.Int64

	// Ends leaves out the chunks of the segments that [ReaderAt.Segments] counts, and what
	// is compressed in them: [Granted.Verify] checks these. The report is about the rest, as
	// if nothing were wrong with them. If the container cannot be told to end where it should,
	// nothing is left out.
	Ends bool
}

// HeadOptions are the options of [EditHead]. The zero value, and a nil pointer,
// are right for most uses.
type HeadOptions struct {
	// Head is a detached head: an encoded copy that counts beside those in the
	// container.
	Head []byte

	// AllowTruncated opens the head of a container whose end is missing, too. It
	// cannot be saved into that container.
	AllowTruncated bool

	// Mend opens the head of a container in which one copy is forged (HEAD-13),
	// too, if another is good: for Save to write that over it.
	Mend bool
}

func (o *WriterOptions) orDefault() WriterOptions {
	v := *cmp.Or(o, new(WriterOptions))
	v.Workers = ring.Workers(v.Workers)
	v.Done = cmp.Or(v.Done, new(atomic.Int64))
	if v.Entropy == nil {
		v.Entropy = entropy.Default()
	}
	return v
}

// opening are the options of all that opens a container.
type opening struct {
	workers        int
	head           []byte // detached
	done           *atomic.Int64
	raw            bool
	allowTruncated bool
	mend           bool // a forged copy is going to be written over
	role           format.Role
	anyRole        bool // no plaintext is given
	ends           bool
}

func (o *ReaderOptions) orDefault() opening {
	o = cmp.Or(o, new(ReaderOptions))
	return opening{workers: ring.Workers(o.Workers), head: o.Head, done: cmp.Or(o.Done, new(atomic.Int64)), raw: o.Raw, role: o.Role}
}

func (o *ReaderAtOptions) orDefault() opening {
	o = cmp.Or(o, new(ReaderAtOptions))
	v := o.ReaderOptions.orDefault()
	v.allowTruncated = o.AllowTruncated
	return v
}

func (o *VerifyOptions) orDefault() opening {
	o = cmp.Or(o, new(VerifyOptions))
	v := (&ReaderOptions{Workers: o.Workers, Head: o.Head, Done: o.Done}).orDefault()
	v.anyRole, v.ends = true, o.Ends
	return v
}

func (o *HeadOptions) orDefault() opening {
	o = cmp.Or(o, new(HeadOptions))
	v := (&ReaderOptions{Workers: 1, Head: o.Head}).orDefault()
	v.allowTruncated, v.mend, v.anyRole = o.AllowTruncated, o.Mend, true
	return v
}
