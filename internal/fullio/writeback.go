package fullio

import (
	"io"
	"io/fs"
	"syscall"
)

// A file is an [os.File], or what writes to one and leaves holes.
type file interface {
	io.Seeker
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

// A Writeback has the dirty pages of a regular file written to the disk while the file
// grows, so that the fsync at its end has little left to do. The zero Writeback has none.
type Writeback struct {
	f       file  // nil: nothing to do
	started int64 // offset up to which writeback has been started
	written int64 // offset up to which the file has been written
}

// stride is how many bytes of a file are gathered before their writeback is started.
const stride = 32 << 20

// Start begins where w is, if that is a file.
func (b *Writeback) Start(w any) {
	f, ok := w.(file)
	if !ok {
		return
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return
	}
	if at, err := f.Seek(0, io.SeekCurrent); err == nil {
		b.f, b.started, b.written = f, at, at
	}
}

// Wrote says that n more bytes were written.
func (b *Writeback) Wrote(n int) {
	if b.written += int64(n); b.written-b.started >= stride {
		b.Now()
	}
}

// Now starts the writeback of what has been written since.
func (b *Writeback) Now() {
	if b.f == nil || b.started == b.written {
		return
	}
	if err := writeback(b.f, b.started, b.written-b.started); err != nil {
		b.f = nil // only a hint: fsync says what matters
	}
	b.started = b.written
}
