package archive

import (
	"archive/tar"
	"bytes"
	"io"
)

// A Counter counts the members of the tar that is written to it, by the same code that
// reads any other. It looks at headers alone, and costs next to nothing where files are
// large. Of what is no tar it sees no more than the first block.
type Counter struct {
	Members int64
	Bytes   int64 // of the members' data
	IsTar   bool
	Early   bool // it breaks off: within a member, or without the blocks that end a tar

	n      int64  // bytes that were written
	zeros  bool   // and all of them are zero
	skip   int64  // bytes before the next header
	header []byte // from where a header begins, as far as it was needed
	wanted int64  // bytes of it
	over   bool   // nothing more is of interest
}

// maxHeaders is how much may stand before a member's data, or be damaged before a header,
// until a Counter gives up.
const maxHeaders = 1 << 20

// Write counts on. It keeps no part of p, and never fails.
func (c *Counter) Write(p []byte) (int, error) {
	if c.n == 0 {
		c.zeros, c.wanted = true, tarBlock
	}
	c.zeros = c.zeros && c.n <= maxEmptyTar && tarHeader(p).zero()
	c.n += int64(len(p))
	for rest := p; len(rest) > 0 && !c.over; {
		if n := min(c.skip, int64(len(rest))); n > 0 {
			c.skip, rest = c.skip-n, rest[n:]
			continue
		}
		n := min(c.wanted-int64(len(c.header)), int64(len(rest)))
		c.header, rest = append(c.header, rest[:n]...), rest[n:]
		for int64(len(c.header)) >= c.wanted && !c.over {
			c.read()
		}
	}
	return len(p), nil
}

// read reads the member whose headers there are, or wants more of them.
func (c *Counter) read() {
	b := tarHeader(c.header)
	if c.over = !c.IsTar && !b[:tarBlock].valid(); c.over {
		return
	}
	c.IsTar = true
	m, next, err := &Member{Size: b.number(124, 12)}, int64(0), error(nil)
	if b[atType] == tar.TypeReg && 0 <= m.Size && m.Size < 1<<60 && b[:tarBlock].valid() { // as most are
		next = tarBlock + m.Size + -m.Size&(tarBlock-1)
	} else {
		c.wanted = 0
		m, next, err = (&tarArchive{io.NewSectionReader(c, 0, beyond-1)}).read(0, &extended{})
		if c.wanted > int64(len(b)) { // whatever it says, it lacks something
			c.over = c.wanted > maxHeaders
			return
		}
	}
	if m != nil {
		c.Members, c.Bytes = c.Members+1, c.Bytes+m.Size
	}
	c.over, next = err == io.EOF || next < 0, max(0, next)
	n := min(next, int64(len(b)))
	c.header, c.skip, c.wanted = append(c.header[:0], b[n:]...), next-n, tarBlock
}

// ReadAt is what the headers are read by.
func (c *Counter) ReadAt(p []byte, off int64) (int, error) {
	c.wanted = max(c.wanted, off+int64(len(p)))
	return bytes.NewReader(c.header).ReadAt(p, off)
}

// End says that all was written.
func (c *Counter) End() {
	c.Early = c.IsTar && !c.over
	c.IsTar = c.IsTar || c.zeros && 2*tarBlock <= c.n && c.n <= maxEmptyTar && c.n%tarBlock == 0
}
