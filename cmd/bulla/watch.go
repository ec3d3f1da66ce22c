package main

import (
	"io"
	"syscall"

	"bulla/internal/archive"
)

// watched returns what to read src from so that c counts its members.
func watched(src io.Reader, c *archive.Counter) io.Reader {
	r := io.TeeReader(src, c)
	if conn, ok := src.(syscall.Conn); ok { // which a pipe is widened by
		return struct {
			io.Reader
			syscall.Conn
		}{r, conn}
	}
	return r
}

// tellEmpty warns of an input that is whole as far as can be told, and still not what
// its owner thinks of as a backup: a tar that holds nothing or breaks off, or no data
// from something that is not a file.
func (a *app) tellEmpty(in *input, n int64, c *archive.Counter) {
	const hint = "it was encrypted as it is; check what made it"
	switch {
	case c.IsTar && c.Members == 0:
		a.warn(in.name+" is empty: a tar without members, or nothing but zeros", hint)
	case c.IsTar && c.Early:
		a.warn(in.name+" is a tar that ends early, after "+plural(int(c.Members), "member")+": its end is missing", hint)
	case n == 0 && !in.regular:
		a.warn(in.name+" had no data at all", hint)
	}
}
