//go:build linux || darwin || freebsd

package storage

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Free is how many bytes fit where the output is going to be, if that can be told.
func (p *Pending) Free() (n int64, ok bool) {
	var st unix.Statfs_t
	if p.path == "" || unix.Statfs(filepath.Dir(p.path), &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
