//go:build !linux && !darwin && !freebsd

package storage

// Free is how many bytes fit where the output is going to be, if that can be told.
func (p *Pending) Free() (n int64, ok bool) { return 0, false }
