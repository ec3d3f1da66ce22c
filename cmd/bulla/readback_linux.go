package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropCache has the kernel forget what it keeps of a file in memory; pages that
// are not on the disk yet it keeps.
func dropCache(f *os.File) { unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
