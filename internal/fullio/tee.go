package fullio

import (
	"io"
	"syscall"
)

// Tee is [io.TeeReader] of what may be a pipe: it is a [syscall.Conn] if src is, by which package
// stream widens it.
func Tee(src io.Reader, to io.Writer) io.Reader {
	r := io.TeeReader(src, to)
	if c, ok := src.(syscall.Conn); ok {
		return struct {
			io.Reader
			syscall.Conn
		}{r, c}
	}
	return r
}

// A Keeper may keep a buffer that is written to it, and gives another for it.
type Keeper interface {
	io.Writer

	// Keep is Write of all of p, which is the Keeper's then. instead is as long, and the caller's:
	// another buffer, or p itself. After an error it is p.
	Keep(p []byte) (instead []byte, err error)
}

// Both is a [Keeper] that writes to dst, and then to also. To package stream it is the file or the
// pipe that dst is: what is written to a file begins to go to the disk early, and a pipe is widened.
func Both(dst io.Writer, also Keeper) Keeper {
	w := both{io.MultiWriter(dst, also), dst, also}
	switch dst := dst.(type) {
	case file:
		return struct {
			both
			file
		}{w, dst}
	case syscall.Conn:
		return struct {
			both
			syscall.Conn
		}{w, dst}
	}
	return w
}

type both struct {
	io.Writer
	dst  io.Writer
	also Keeper
}

func (w both) Keep(p []byte) ([]byte, error) {
	if _, err := WriteAll(w.dst, p); err != nil {
		return p, err
	}
	return w.also.Keep(p)
}
