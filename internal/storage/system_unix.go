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
	// closeToRename says that an open file cannot be renamed, or removed.
	closeToRename = false

	// openNoWait opens a pipe that has no other end, and takes no terminal.
	openNoWait = unix.O_NONBLOCK | unix.O_NOCTTY

	// openItself opens no other file by way of a link.
	openItself = unix.O_NOFOLLOW | unix.O_NONBLOCK
)

// fileID tells one file from every other on this machine.
func fileID(st fs.FileInfo) string {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%x-%d", uint64(sys.Dev), uint64(sys.Ino))
	}
	return st.Name()
}

// Links is how many names a file has; 0 if that is not known.
func Links(st fs.FileInfo) int {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Nlink)
	}
	return 0
}

// isOursAlone reports whether a file is one that no other user can read, by no
// other name.
func isOursAlone(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && st.Mode().IsRegular() && st.Mode().Perm()&0o077 == 0 && uint64(sys.Nlink) == 1 && int64(sys.Uid) == int64(os.Geteuid())
}

// lock takes f for this process, until f is closed or the process ends in whatever
// way. It fails at once, with errInUse, if another has it. That it fails otherwise
// says that there are no locks here, as on NFS without a lock daemon (ENOLCK) and
// on some FUSE file systems (EINVAL, ENOSYS), and not that anybody is in the way.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errInUse
	}
	return err
}

// flush makes a write that failed behind the program's back show: on a network
// file system only a close does, and f is still needed.
func flush(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	if err != nil {
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
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
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

// inherited returns a duplicate of descriptor n if the caller of the program passed
// it on. Everything that this program opens, and the runtime's own descriptors, are
// closed when a program is executed: a descriptor without that flag was there when
// this one began.
func inherited(n int) (fd int, err error) {
	flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
	if n < 0 || err != nil || flags&unix.FD_CLOEXEC != 0 {
		return 0, ErrNotInherited
	}
	return unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0)
}

// wait waits until f can be read or written.
func wait(f *os.File, write bool) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	events := int16(unix.POLLIN)
	if write {
		events = unix.POLLOUT
	}
	for {
		var polled error
		if err := rc.Control(func(fd uintptr) {
			_, polled = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1)
		}); err != nil {
			return err
		}
		if !errors.Is(polled, unix.EINTR) {
			return polled
		}
	}
}
