package storage

import (
	"bytes"
	"errors"
	"io"
)

// ErrDiffers is what a [Kept] ends with where an output has something else.
var ErrDiffers = errors.New("the output has something else")

// A Kept compares what is written to it with what there is of an output that was
// reopened. What an earlier run has left proves nothing by itself, and after a power
// failure may not be what was written.
type Kept struct {
	Same int64 // how many bytes from the beginning on were equal

	output *Pending
	buf    []byte
}

// Kept returns a Kept of an output that was reopened.
func (p *Pending) Kept() *Kept { return &Kept{output: p} }

// Write fails with ErrDiffers at the first byte that is not what the output has.
func (k *Kept) Write(p []byte) (int, error) {
	if len(k.buf) < len(p) {
		k.buf = make([]byte, len(p))
	}
	n, err := k.output.file.ReadAt(k.buf[:len(p)], k.Same)
	if err != nil && err != io.EOF {
		return 0, err
	}
	there := k.buf[:n]
	if bytes.Equal(there, p) {
		k.Same += int64(n)
		return n, nil
	}
	same := 0
	for same < n && there[same] == p[same] {
		same++
	}
	k.Same += int64(same)
	return same, ErrDiffers
}

// Cut drops what there is beyond what was equal, and has the output written from
// there on.
func (k *Kept) Cut() error {
	if err := k.output.file.Truncate(k.Same); err != nil {
		return err
	}
	_, err := k.output.file.Seek(k.Same, io.SeekStart)
	return err
}
