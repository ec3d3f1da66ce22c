//go:build linux

package stream_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bulla/stream"
)

// TestSalvageDevice reads a block device that has bad sectors, as the kernel's
// device mapper makes one. That takes root and a kernel with a device mapper,
// which containers for continuous integration do not have: it is skipped there,
// too. TestSalvageBadSectors does the same with a source that only behaves so.
func TestSalvageDevice(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making a device with bad sectors takes root")
	}
	if err := exec.Command("dmsetup", "version").Run(); err != nil {
		t.Skip("no device mapper here: dmsetup version: ", err)
	}
	v, plain := new(vault), plaintext(20*chunk+1000)
	container := encrypt(t, plain, v, stream.WriterOptions{})
	const sector, page = 512, 4096
	backing := filepath.Join(t.TempDir(), "backing")
	sectors := (len(container) + page - 1) / page * (page / sector)
	if err := os.WriteFile(backing, append(bytes.Clone(container), make([]byte, sectors*sector-len(container))...), 0o600); err != nil {
		t.Fatal(err)
	}
	loop := strings.TrimSpace(command(t, "", "losetup", "--find", "--show", backing))
	t.Cleanup(func() { exec.Command("losetup", "--detach", loop).Run() })

	// Pages of it fail: one in the head, one in a chunk, one across two.
	w := newWreck(container)
	var table strings.Builder
	next := 0
	for _, off := range []int{0, at(5) + 20000, at(12)} {
		bad := off / page * (page / sector)
		if bad > next {
			fmt.Fprintf(&table, "%d %d linear %s %d\n", next, bad-next, loop, next)
		}
		fmt.Fprintf(&table, "%d %d error\n", bad, page/sector)
		w.zero(bad*sector, page)
		next = bad + page/sector
	}
	fmt.Fprintf(&table, "%d %d linear %s %d\n", next, sectors-next, loop, next)
	name := fmt.Sprintf("bulla-test-%d", os.Getpid())
	command(t, table.String(), "dmsetup", "create", name)
	t.Cleanup(func() { exec.Command("dmsetup", "remove", "--retry", name).Run() })

	f, err := os.Open("/dev/mapper/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 1), int64(at(5)+20000)); err == nil {
		t.Fatal("the device has no bad sector")
	}
	got, s := salvage(t, f, len(container), v, stream.SalvageOptions{})
	want, lost, _ := w.want(t, plain)
	if !s.SizeKnown || !bytes.Equal(got, want) || fmt.Sprint(s.Lost) != fmt.Sprint(lost) {
		t.Errorf("%d bytes of %d, lost %v, not %v", len(got), len(want), s.Lost, lost)
	}
}

// command runs a program that must succeed, and returns what it says.
func command(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}
