package storage

import (
	"io"
	"os"
	"syscall"
)

// A patient file waits where a plain one fails because it should "try again". A
// descriptor that the caller passed on is shared: any process that has it, too, may
// make it nonblocking at any time, as ssh does with its terminal and pipes.
type patient struct{ file *os.File }

// Patient returns f as what a shared pipe, socket or terminal is read from and
// written to. It is a [syscall.Conn], too.
func Patient(f *os.File) io.ReadWriter { return patient{f} }

func (p patient) Read(b []byte) (int, error) {
	for {
		n, err := p.file.Read(b)
		if n > 0 || !isNotNow(err) {
			return n, err
		}
		if err := wait(p.file, false); err != nil {
			return 0, err
		}
	}
}

func (p patient) Write(b []byte) (written int, err error) {
	for {
		n, err := p.file.Write(b[written:])
		written += n
		if err == nil || !isNotNow(err) {
			return written, err
		}
		if err := wait(p.file, true); err != nil {
			return written, err
		}
	}
}

func (p patient) SyscallConn() (syscall.RawConn, error) { return p.file.SyscallConn() }

// shared is f, as a patient file if it is one that others may share.
func shared(f *os.File) io.ReadWriter {
	if st, err := f.Stat(); err == nil && (st.Mode().IsRegular() || isBlockDevice(st.Mode())) {
		return f // never nonblocking, and some readers and writers treat files well
	}
	return patient{f}
}
