package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNoDumps has the program itself killed by what would leave a core dump.
func TestNoDumps(t *testing.T) {
	dir := workDir(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	w.Write(make([]byte, 1000))
	c := &command{Cmd: exec.Command("/bin/sh", "-c", "ulimit -S -c unlimited; exec bulla-main encrypt -o out"), t: t}
	c.Dir, c.Stdin, c.Stderr = dir, r, &c.errs
	c.Env = append(os.Environ(), "GOTRACEBACK=crash", envConfigDir+"="+filepath.Join(dir, ".config"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	begun(t, filepath.Join(dir, "out"))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(limits), "Max core file size")
	if f := strings.Fields(line); len(f) < 2 || f[0] != "0" {
		t.Errorf("core dumps of up to %.40s", line)
	}
	c.Process.Signal(syscall.SIGABRT)
	c.Wait()
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.CoreDump() {
		t.Errorf("signalled %v, a core dump %v", status.Signaled(), status.CoreDump())
	}
}
