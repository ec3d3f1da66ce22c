package stream

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// setPipeSize asks for a pipe of n bytes; what is not a pipe, or not allowed,
// stays as it is.
func setPipeSize(f syscall.Conn, n int) {
	rc, err := f.SyscallConn()
	if err != nil {
		return
	}
	rc.Control(func(fd uintptr) {
		if have, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err == nil && have < n {
			unix.FcntlInt(fd, unix.F_SETPIPE_SZ, n)
		}
	})
}

// A writeback starts the writing of a regular file's dirty pages to the disk
// while the file grows, so that the fsync at its end has little left to do.
type writeback struct {
	f       file  // nil: nothing to do
	started int64 // offset up to which writeback has been started
	written int64 // offset up to which the file has been written
}

func (b *writeback) start(f file) {
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return
	}
	b.f, b.started, b.written = f, at, at
}

func (b *writeback) wrote(n int) {
	if b.f == nil {
		return
	}
	b.written += int64(n)
	if b.written-b.started < writebackStride {
		return
	}
	rc, err := b.f.SyscallConn()
	if err == nil {
		rc.Control(func(fd uintptr) {
			err = unix.SyncFileRange(int(fd), b.started, b.written-b.started, unix.SYNC_FILE_RANGE_WRITE)
		})
	}
	if err != nil {
		b.f = nil // only a hint: fsync says what matters
	}
	b.started = b.written
}
