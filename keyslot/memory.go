package keyslot

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
)

// A MemoryError is a passphrase that takes more memory to stretch than the control
// group of this process may have: Linux would kill the process in the middle.
type MemoryError struct{ Need, Limit uint64 } // in bytes

func (e *MemoryError) Error() string {
	return fmt.Sprintf("a passphrase takes %d MiB of memory here, and the limit is %d MiB", e.Need>>20, e.Limit>>20)
}

const (
	ownMemory = 8 << 20       // in bytes, what a program has besides, at least
	noLimit   = math.MaxInt64 // two of them can be added
	cgroups   = "sys/fs/cgroup"
)

// CheckMemory returns a [*MemoryError] if so many bytes do not fit the limits of the
// process's control group and those above it (cgroup v2). Swap counts as memory.
// What cannot be read limits nothing, and so it is on other systems.
func CheckMemory(need uint64) error { return checkMemory(os.DirFS("/"), need) }

func checkMemory(root fs.FS, need uint64) error {
	own, _ := fs.ReadFile(root, "proc/self/cgroup")
	_, group, ok := strings.Cut("\n"+string(own), "\n0::")
	if !ok {
		return nil
	}
	group, _, _ = strings.Cut(group, "\n")
	swap := readNumber(root, "proc/meminfo", "SwapFree:") << 10
	for dir := path.Join(cgroups, path.Join("/", group)); strings.HasPrefix(dir, cgroups); dir = path.Dir(dir) {
		limit := readNumber(root, dir+"/memory.max", "") + min(swap, readNumber(root, dir+"/memory.swap.max", ""))
		if need+ownMemory > limit {
			return &MemoryError{need, limit}
		}
	}
	return nil
}

// readNumber is the number after a word in a file; noLimit if there is none.
func readNumber(root fs.FS, name, word string) uint64 {
	b, _ := fs.ReadFile(root, name)
	_, rest, _ := strings.Cut(string(b), word)
	var n uint64
	if _, err := fmt.Sscan(rest, &n); err != nil { // it is "max", or not there
		return noLimit
	}
	return min(n, noLimit)
}
