//go:build unix

package locked

import "golang.org/x/sys/unix"

// What fails here leaves the secret where it would be without it.
func lock(b []byte)   { unix.Mlock(b) }
func unlock(b []byte) { unix.Munlock(b) }

// NoDumps has the process, and whatever it runs, write no core dumps. What it runs may
// allow itself some again.
func NoDumps() {
	noDumps()
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &r) == nil {
		r.Cur = 0
		unix.Setrlimit(unix.RLIMIT_CORE, &r)
	}
}
