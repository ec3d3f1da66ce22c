package locked

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lockedKB is what /proc says this process has locked.
func lockedKB(t *testing.T) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmLck:")
	fmt.Sscan(rest, &n)
	return n
}

func TestBytes(t *testing.T) {
	before := lockedKB(t)
	b := Bytes(20_000)
	if len(b) != 20_000 {
		t.Errorf("%d bytes", len(b))
	}
	if got := lockedKB(t) - before; got != 20 {
		t.Errorf("%d kB are locked, want 20", got)
	}
	copy(b, "secret")
	Free(b)
	if got := lockedKB(t); got != before {
		t.Errorf("%d kB are locked after Free, %d before Bytes", got, before)
	}
	if strings.HasPrefix(string(b), "secret") {
		t.Error("Free left the secret")
	}
	Free(b)
	Free(nil)
}

// A process that may lock nothing has its bytes nevertheless.
func TestNotAllowed(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &old)
	unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 0, Max: old.Max})
	b := Bytes(64)
	copy(b, "secret")
	Free(b)
	if b[0] != 0 {
		t.Error("Free left the secret")
	}
}

func TestNoDumps(t *testing.T) {
	NoDumps()
	if got, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); got != 0 || err != nil {
		t.Errorf("dumpable: %d, %v", got, err)
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil || r.Cur != 0 {
		t.Errorf("core dumps of up to %d bytes, %v", r.Cur, err)
	}
}
