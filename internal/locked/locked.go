// Package locked keeps secrets out of what outlives the process: swap space and core
// dumps, as far as the system lets it. SECURITY.md says what that comes to.
package locked

import "os"

// Bytes returns n zero bytes that are not swapped out, if the system allows it (on Linux
// within RLIMIT_MEMLOCK). They lie on pages of their own: Go's collector moves nothing, and
// packs nothing beside so many. Free them.
func Bytes(n int) []byte {
	page := os.Getpagesize()
	b := make([]byte, (n+page-1)/page*page)
	lock(b)
	return b[:n]
}

// Free overwrites what Bytes returned, and unlocks it. It may be called again.
func Free(b []byte) {
	b = b[:cap(b)]
	clear(b)
	if len(b) > 0 {
		unlock(b)
	}
}
