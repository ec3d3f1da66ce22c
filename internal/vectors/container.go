package vectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"

	"bulla/format"
)

// A Recipe says how a container is put together where its bytes are too many to
// be kept. The zero Recipe means that they are the body of the vector's file.
type Recipe struct {
	Parts []Part
	Xors  []Xor // applied to what the parts make
	Cut   int64 // then all is cut off from this offset on; 0 means nothing
	Size  int64 // of the result, for checking
	Sum   *[sha256.Size]byte
}

// A Part is a run of bytes of a container.
type Part struct {
	Kind          string
	Count         int64 // of bytes or chunks
	First         int64 // chunk
	PlaintextSize int64 // of the chunk
	Final         bool
}

// Kinds of [Part].
const (
	PartBytes  = "bytes"  // the next Count bytes of the body
	PartZeros  = "zeros"  // Count zeros
	PartChunk  = "chunk"  // chunk First, of PlaintextSize bytes, sealed as final or not
	PartChunks = "chunks" // Count full chunks from First on, not final

	PartZeroChunks = "zero-chunks" // the same, of a plaintext of zeros
)

// An Xor changes the bytes at an offset.
type Xor struct {
	Offset int64
	Mask   []byte
}

// A Container is the bytes of a container, of which runs of zeros take no room.
// It is safe for concurrent use.
type Container struct {
	pieces []piece
	size   int64
}

// A piece is n bytes from offset off on.
type piece struct {
	off, n int64
	b      []byte // nil: zeros
}

// hugeSize is from where on a container is sparse, in bytes.
const hugeSize = 1 << 30

// Huge reports whether the vector's container is too large to be read whole.
func (v *Vector) Huge() bool { return v.recipe.Size > hugeSize }

// Container puts the vector's container together: at most some 25 MiB in memory.
func (v *Vector) Container() (*Container, error) {
	c := &Container{}
	if len(v.recipe.Parts) == 0 {
		c.add(v.body, int64(len(v.body)))
		return c, nil
	}
	if err := c.assemble(v); err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	return c, nil
}

func (c *Container) assemble(v *Vector) error {
	var seed byte
	var s *Schedule
	seeded := v.Value(valuePlaintext) != ""
	if v.Value(valueCEK) != "" {
		cek, err1 := hex.DecodeString(v.Value(valueCEK))
		preamble, err2 := hex.DecodeString(v.Value(valuePreamble))
		var err3 error
		if seeded {
			_, err3 = fmt.Sscan(v.Value(valuePlaintext), &seed)
		}
		if err := errors.Join(err1, err2, err3); err != nil || len(preamble) != format.PreambleSize {
			return errors.Join(err, errors.New("the values that chunks are sealed with are incomplete"))
		}
		s = NewSchedule(cek, preamble)
	}
	body := v.body
	for _, p := range v.recipe.Parts {
		switch {
		case p.Kind == PartBytes && p.Count <= int64(len(body)):
			c.add(bytes.Clone(body[:p.Count]), p.Count)
			body = body[p.Count:]
		case p.Kind == PartZeros:
			c.add(nil, p.Count)
		case p.Kind == PartChunk && s != nil && seeded:
			b := s.Seal(nil, p.First, p.Final, Plaintext(seed, p.First*format.ChunkSize, p.PlaintextSize))
			c.add(b, int64(len(b)))
		case p.Kind == PartChunks && s != nil && seeded, p.Kind == PartZeroChunks && s != nil:
			b := make([]byte, 0, p.Count*format.SealedChunkSize)
			for i := p.First; i < p.First+p.Count; i++ {
				plain := make([]byte, format.ChunkSize)
				if p.Kind == PartChunks {
					plain = Plaintext(seed, i*format.ChunkSize, format.ChunkSize)
				}
				b = s.Seal(b, i, false, plain)
			}
			c.add(b, int64(len(b)))
		default:
			return fmt.Errorf("part %q cannot be made", p.Kind)
		}
	}
	for _, x := range v.recipe.Xors {
		if err := c.xor(x); err != nil {
			return err
		}
	}
	if v.recipe.Cut > 0 {
		c.size = min(c.size, v.recipe.Cut)
	}
	return c.check(&v.recipe)
}

func (c *Container) add(b []byte, n int64) {
	if n > 0 {
		c.pieces = append(c.pieces, piece{c.size, n, b})
	}
	c.size += n
}

// xor changes bytes that are stored, not zeros.
func (c *Container) xor(x Xor) error {
	for i, m := range x.Mask {
		at := x.Offset + int64(i)
		p := c.find(at)
		if p == nil || p.b == nil {
			return fmt.Errorf("there is nothing to change at offset %d", at)
		}
		p.b[at-p.off] ^= m
	}
	return nil
}

func (c *Container) find(at int64) *piece {
	for i := range c.pieces {
		if p := &c.pieces[i]; at >= p.off && at < p.off+p.n {
			return p
		}
	}
	return nil
}

func (c *Container) check(r *Recipe) error {
	if c.size != r.Size {
		return fmt.Errorf("the parts make %d bytes, not %d", c.size, r.Size)
	}
	if r.Sum == nil {
		return nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, c.Reader()); err != nil {
		return err
	}
	if [sha256.Size]byte(h.Sum(nil)) != *r.Sum {
		return errors.New("the parts make another container")
	}
	return nil
}

// Size is the length of the container in bytes.
func (c *Container) Size() int64 { return c.size }

// Reader reads the container from its beginning.
func (c *Container) Reader() io.Reader { return io.NewSectionReader(c, 0, c.size) }

// Bytes returns the whole container, which must not be huge. The result is the
// caller's.
func (c *Container) Bytes() []byte {
	if c.size > hugeSize {
		panic("vectors: a huge container does not fit into memory")
	}
	b := make([]byte, c.size)
	if _, err := c.ReadAt(b, 0); err != nil && err != io.EOF {
		panic("vectors: internal error: " + err.Error())
	}
	return b
}

// ReadAt implements [io.ReaderAt].
func (c *Container) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 || off > math.MaxInt64-int64(len(b)) {
		return 0, errors.New("vectors: offset out of range")
	}
	if off+int64(len(b)) > c.size {
		b, err = b[:max(0, c.size-off)], io.EOF
	}
	for n < len(b) {
		at := off + int64(n)
		p := c.find(at)
		part := b[n:min(int64(len(b)), int64(n)+p.off+p.n-at)]
		if p.b == nil {
			clear(part)
		} else {
			copy(part, p.b[at-p.off:])
		}
		n += len(part)
	}
	return n, err
}
