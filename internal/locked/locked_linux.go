package locked

import "golang.org/x/sys/unix"

// noDumps also keeps debuggers of the same user out, and dumps that go to a program
// (core_pattern), which know no limit. A program that this process runs is not concerned.
func noDumps() { unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
