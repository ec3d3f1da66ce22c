//go:build !windows

package tpmdev_test

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"bulla/internal/tpmdev"
	"bulla/internal/tpmdev/swtpmtest"
)

// bus stands between the program and the emulator, as an interposer on the bus
// of a discrete TPM does, and shows each response to meddle.
func bus(t *testing.T, emulator string, meddle func(rsp []byte)) (socket string) {
	t.Helper()
	socket = filepath.Join(filepath.Dir(emulator), "bus.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			forward(c, emulator, meddle)
			c.Close()
		}
	}()
	return socket
}

// forward carries one command and its response.
func forward(c net.Conn, emulator string, meddle func(rsp []byte)) {
	to, err := net.Dial("unix", emulator)
	if err != nil {
		return
	}
	defer to.Close()
	p := make([]byte, 4096)
	n, _ := c.Read(p)
	to.Write(p[:n])
	n, err = to.Read(p)
	if err != nil && err != io.EOF {
		return
	}
	meddle(p[:n])
	c.Write(p[:n])
}

// Who reads the bus learns nothing of the bytes, and who changes them is
// noticed.
func TestBus(t *testing.T) {
	e := swtpmtest.Start(t)
	var (
		seen []byte
		flip bool
	)
	socket := bus(t, e.Socket, func(rsp []byte) {
		seen = append(seen, rsp...)
		if flip {
			rsp[10+4+2] ^= 1 // header, length of the parameters, length of the bytes
		}
	})
	tpm, err := tpmdev.OpenPath(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer tpm.Close()
	s := session(t, tpm)

	p := make([]byte, 32)
	if err := s.Random(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for i := range len(p) - 3 {
		if bytes.Contains(seen, p[i:i+4]) {
			t.Errorf("bytes %d to %d crossed the bus in clear", i, i+4)
		}
	}
	flip = true
	if err := s.Random(t.Context(), p); err == nil || !strings.Contains(err.Error(), "HMAC") {
		t.Errorf("a flipped bit: %v, want an HMAC error", err)
	}
}
