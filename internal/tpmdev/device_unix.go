//go:build !windows

package tpmdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// systemDevices are the places where the system keeps the TPM. The first one
// on Linux goes through the kernel's resource manager, which keeps programs'
// keys and sessions apart and flushes them when the program ends.
var systemDevices = map[string][]string{
	"linux":   {"/dev/tpmrm0", "/dev/tpm0"},
	"freebsd": {"/dev/tpm0"},
}

func openSystem() (path string, c conn, err error) {
	return openFirst(systemDevices[runtime.GOOS])
}

// openFirst opens the first device that exists. On an error the path is that of
// the device it is about.
func openFirst(devices []string) (path string, c conn, err error) {
	if len(devices) == 0 {
		return runtime.GOOS, nil, fmt.Errorf("%w: this system has no interface to it", fs.ErrNotExist)
	}
	for _, device := range devices {
		c, openErr := openDevice(device)
		if openErr == nil {
			return device, c, nil
		}
		if !os.IsNotExist(openErr) {
			return device, nil, openErr
		}
		if err == nil { // none exists: name the one that ought to
			path, err = device, openErr
		}
	}
	return path, nil, err
}

// etime is the error of Linux's driver for a TPM that does not answer it. Other
// systems have no name for it.
const etime = syscall.Errno(62)

// systemKind knows the causes that only one system has.
func systemKind(err error) error {
	if runtime.GOOS == "linux" && errors.Is(err, etime) {
		return ErrHang
	}
	return nil
}

// device is the kernel's character device. The file is in blocking mode: the
// write then returns when the TPM has executed the command, and the read gives
// the whole response. (In non-blocking mode, which os.OpenFile would choose, a
// read that comes too early returns 0 bytes and looks like end of file.)
type device struct{ file *os.File }

func openDevice(path string) (conn, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return device{os.NewFile(uintptr(fd), path)}, nil
	}
}

func (d device) exchange(cmd []byte) ([]byte, error) {
	if _, err := d.file.Write(cmd); err != nil {
		return nil, err
	}
	return readResponse(d.file)
}

func (d device) Close() error { return d.file.Close() }

// managed knows the resource manager by the device's name, /dev/tpmrm0.
func (d device) managed() bool {
	return strings.HasPrefix(filepath.Base(d.file.Name()), "tpmrm")
}
