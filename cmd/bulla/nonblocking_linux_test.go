package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPipesBecomeNonblocking has pipes that are shared with another process, which
// makes them nonblocking while a run uses them.
func TestPipesBecomeNonblocking(t *testing.T) {
	dir := workDir(t)
	plain := bytes.Repeat([]byte("0123456789abcdef"), 512<<10) // 8 MiB
	write(t, filepath.Join(dir, "plain"), string(plain))
	if c := start(t, dir, nil, "encrypt", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	sealed, err := os.ReadFile(filepath.Join(dir, "plain.bulla"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"encrypt", "-o", "-"}, {"decrypt", "-o", "-"}} {
		inR, inW, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		outR, outW, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		input := plain
		if args[0] == "decrypt" {
			input = sealed
		}
		c := &command{Cmd: exec.Command("bulla", args...), t: t}
		c.Dir, c.Env = dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"))
		c.Stdin, c.Stdout, c.Stderr = inR, outW, &c.errs
		c.begin()
		if _, err := inW.Write(input[:100]); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "it reads", func() bool {
			n, err := unix.IoctlGetInt(int(inR.Fd()), unix.TIOCINQ)
			return err == nil && n == 0
		})
		for _, f := range []*os.File{inR, outW} {
			if err := unix.SetNonblock(int(f.Fd()), true); err != nil {
				t.Fatal(err)
			}
		}
		inR.Close()
		outW.Close()
		go func() {
			half := len(input) / 2
			inW.Write(input[100:half])
			time.Sleep(50 * time.Millisecond) // it has to wait for the rest
			inW.Write(input[half:])
			inW.Close()
		}()
		time.Sleep(100 * time.Millisecond) // and for room
		got, err := io.ReadAll(outR)
		if err != nil {
			t.Fatal(err)
		}
		if code := c.code(); code != 0 {
			t.Errorf("%v: exit code %d: %s", args, code, c.errs.String())
		}
		if args[0] == "decrypt" && !bytes.Equal(got, plain) {
			t.Errorf("%v: %d bytes, not what was encrypted", args, len(got))
		}
		outR.Close()
	}
}
