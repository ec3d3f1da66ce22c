package storage

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A Sparse writes to a new output and leaves out what is zero, so that a file
// with holes takes no more room than it did.
type Sparse struct {
	file *os.File
	size int64
}

// Write writes p, or goes on behind it if it is all zero.
func (s *Sparse) Write(p []byte) (n int, err error) {
	if bytes.Count(p, []byte{0}) < len(p) {
		n, err = s.file.Write(p)
		s.size += int64(n)
		return n, err
	}
	if err := s.Skip(int64(len(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Skip makes the next n bytes a hole.
func (s *Sparse) Skip(n int64) error {
	_, err := s.file.Seek(n, io.SeekCurrent)
	if err == nil {
		s.size += n
	}
	return err
}

// End makes the output as long as what was written to it.
func (s *Sparse) End() error { return s.file.Truncate(s.size) }

func sameBase(x, y string) bool { return strings.EqualFold(filepath.Base(x), filepath.Base(y)) }
