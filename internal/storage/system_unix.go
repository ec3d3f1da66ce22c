//go:build unix

package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// closeToRename says that an open file cannot be renamed.
	closeToRename = false

	// openNoWait opens a pipe that has no other end, and takes no terminal.
	openNoWait = unix.O_NONBLOCK | unix.O_NOCTTY
)

// fileID tells one file from every other on this machine.
func fileID(st fs.FileInfo) string {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%x-%d", uint64(sys.Dev), uint64(sys.Ino))
	}
	return st.Name()
}

// sameDevice reports whether two files are the same device, whatever their names.
func sameDevice(x, y fs.FileInfo) bool {
	a, ok := x.Sys().(*syscall.Stat_t)
	b, okb := y.Sys().(*syscall.Stat_t)
	return ok && okb && x.Mode().Type() == y.Mode().Type() && uint64(a.Rdev) == uint64(b.Rdev)
}

// lock takes f for this process. It fails at once, with errInUse, if another has
// it; it is released when f is closed, and with it when the process ends in
// whatever way. That a lock fails otherwise says that there are none here, as on
// NFS without a lock daemon (ENOLCK) and on some FUSE file systems (EINVAL,
// ENOSYS), and not that anybody is in the way: it is no error.
func lock(f *os.File) error {
	if err := lockForChange(f); errors.Is(err, errInUse) {
		return err
	}
	return nil
}

// lockForChange keeps other runs from changing f in place, until f is closed. It
// fails with errInUse if one does so now, and in another way where the file
// system has no locks.
func lockForChange(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errInUse
	}
	return err
}

// removeUnused removes a file unless another run has locked it.
func removeUnused(at place, path string) error {
	// Without following a link, or waiting should it be a pipe by now.
	f, err := at.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close() // after the removal: until then nobody else removes it
	if err := claim(at, f, path); err != nil {
		return err
	}
	return at.Remove(path)
}

// openPartial opens and locks what an earlier run has left of an output. It
// returns nil if there is nothing, or something that is not this user's alone:
// others could read what is going to be written to it. It fails with errInUse if
// another run is busy with it.
func openPartial(at place, path string) (*os.File, error) {
	f, err := at.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil // make says what is the matter, or sees to it
	}
	err = claim(at, f, path)
	var st fs.FileInfo
	if err == nil {
		st, err = f.Stat()
	}
	if err == nil && isOursAlone(st) {
		return f, nil
	}
	f.Close()
	return nil, err
}

func isOursAlone(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && st.Mode().IsRegular() && st.Mode().Perm()&0o077 == 0 && uint64(sys.Nlink) == 1 && int64(sys.Uid) == int64(os.Geteuid())
}

// flush makes a write that failed behind the program's back show: on a network
// file system only a close does, and f is still needed.
func flush(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	if err := unix.Close(fd); err != nil {
		return &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return nil
}

// syncDir makes the names in a directory durable, where the file system has a
// way to.
func syncDir(at place, dir string) error {
	d, err := at.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// ExposedTo is who else than its owner may read or change a file: "" for nobody.
// Its group counts only if the file is this user's, as with ssh: the group of a
// file that somebody else provides is a choice.
func ExposedTo(st fs.FileInfo) string {
	sys, ok := st.Sys().(*syscall.Stat_t)
	switch mode := st.Mode().Perm(); {
	case mode&0o007 != 0:
		return "others"
	case mode&0o070 != 0 && ok && int(sys.Uid) == os.Geteuid():
		return "its group"
	}
	return ""
}

// ChangeableBy is who else than its owner may change a file, or what a directory
// holds: "" for nobody. Its group counts if group says so.
func ChangeableBy(st fs.FileInfo, group bool) string {
	switch mode := st.Mode(); {
	case !mode.IsRegular() && !mode.IsDir(), mode&fs.ModeSticky != 0:
		return ""
	case mode.Perm()&0o002 != 0:
		return "others"
	case mode.Perm()&0o020 != 0 && group:
		return "its group"
	}
	return ""
}

// NoSpace reports whether err means that a file cannot grow.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// BrokenPipe reports whether err comes of a pipe that is not read any more.
func BrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
