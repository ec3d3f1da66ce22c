package main

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// What a mixer that fails has left in the buffer is not written.
func TestMixedFails(t *testing.T) {
	fails, draws := errors.New("the source failed"), 0
	src := mixed(func(_ string, out []byte) error {
		if draws++; draws > 1 {
			return fails
		}
		for i := range out {
			out[i] = 1
		}
		return nil
	})
	var out bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&out}, struct{ io.Reader }{src}, make([]byte, 64))
	if err != fails || out.Len() != 64 {
		t.Errorf("%d bytes written, then %v; want 64, then %v", out.Len(), err, fails)
	}
}
