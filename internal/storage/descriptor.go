package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNotInherited is the error for a descriptor that the caller of the program
// did not pass on. What has its number is nothing, or a file that the program
// or the runtime opened.
var ErrNotInherited = errors.New("not passed on by the caller")

// Descriptor returns the number of the descriptor that a file name stands for:
// /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N, /proc/self/fd/N, and links to
// these. It does not look whether the descriptor is open.
func Descriptor(name string) (n int, ok bool) {
	const maxLinks = 40 // as the kernel's
	if name == "" {
		return 0, false
	}
	for range maxLinks {
		name = filepath.Clean(name)
		if n, ok := standardStream(name); ok {
			return n, true
		}
		dir, base := filepath.Split(name)
		if n, ok := number(base); ok && holdsDescriptors(dir) {
			return n, true
		}
		target, err := os.Readlink(name)
		if err != nil {
			return 0, false
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		name = target
	}
	return 0, false
}

func standardStream(name string) (n int, ok bool) {
	switch name {
	case "/dev/stdin":
		return 0, true
	case "/dev/stdout":
		return 1, true
	case "/dev/stderr":
		return 2, true
	}
	return 0, false
}

// number returns the number that is written as s without sign or leading zeros.
func number(s string) (n int, ok bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && s == strconv.Itoa(n) && n >= 0
}

// holdsDescriptors reports whether the names in dir are this process's descriptors.
func holdsDescriptors(dir string) bool {
	dir = filepath.Clean(dir)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	self := "/proc/" + strconv.Itoa(os.Getpid())
	switch dir {
	case "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", self + "/fd":
		return true
	}
	// A thread has the descriptors of its process.
	return strings.HasPrefix(dir, self+"/task/") && filepath.Base(dir) == "fd"
}
