package entropy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/cryptotest"
)

// Two processes with the same frozen operating system generator still get
// different keys, without any hardware: unique tells them apart.
func TestTwoProcesses(t *testing.T) {
	const child = "BULLA_TEST_CHILD"
	if os.Getenv(child) != "" {
		cryptotest.SetGlobalRandom(t, 1)
		m, err := New(&Options{Sources: []string{"unique"}})
		if err != nil {
			t.Fatal(err)
		}
		out := fill(t, m)
		fmt.Printf("key=%s\n", hex.EncodeToString(out[:]))
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skipf("cannot start this test again: %v", err)
	}
	run := func() string {
		cmd := exec.Command(exe, "-test.run=^TestTwoProcesses$", "-test.count=1")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.Output()
		if errors.Is(err, syscall.ENOEXEC) { // this processor is emulated, the system's is not
			t.Skipf("cannot start this test again: %v", err)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var key string
		if _, err := fmt.Sscanf(string(out), "key=%64s", &key); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
		return key
	}
	if a, b := run(), run(); a == b {
		t.Errorf("both processes made the key %s", a)
	}
}

func TestUnique(t *testing.T) {
	src, err := probeUnique()
	if err != nil {
		t.Fatal(err)
	}
	var a, b [uniqueSize]byte
	src.Fill(a[:])
	src.Fill(b[:])
	if [8]byte(a[24:]) == [8]byte(b[24:]) {
		t.Error("the count of draws stands still")
	}
	if [8]byte(a[16:]) != [8]byte(b[16:]) || [32]byte(a[32:]) != [32]byte(b[32:]) {
		t.Error("the process or the machine changed")
	}
}
