package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDamageMapOnTerminal looks at the map on terminals of several widths: it
// fits.
func TestDamageMapOnTerminal(t *testing.T) {
	dir := workDir(t)
	name := filepath.Join(dir, "c.bulla")
	if c := start(t, dir, strings.NewReader(strings.Repeat("x", 1_000_000)), "encrypt", "-o", name); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 10), 500_000)
	f.Close()
	for _, columns := range []int{20, 40, 80, 200} {
		s := newScreen(t)
		if err := unix.IoctlSetWinsize(int(s.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
			t.Fatal(err)
		}
		c := s.run(dir, "salvage", "--force", "-o", "out", "c.bulla")
		c.Stderr = s.tty
		c.Env = append(c.Env, "TERM=xterm")
		c.begin()
		if got := c.code(); got != exitLoss {
			t.Fatalf("exit code %d: %s", got, s.text())
		}
		waitFor(t, "it has said all", func() bool { return strings.Contains(s.text(), "hint: ") })
		var line string
		for l := range strings.Lines(s.text()) {
			if strings.HasPrefix(l, "bulla: [") {
				line = strings.TrimRight(l, "\r\n")
			}
		}
		if n := len(line); n != columns-1 {
			t.Errorf("%d columns: the line has %d: %s", columns, n, line)
		}
		if !strings.HasPrefix(line, "bulla: [#") {
			t.Error(line)
		}
	}
}
