//go:build !windows

package tpmkey

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"bulla/entropy"
	"bulla/internal/tpmdev"
	"bulla/internal/tpmdev/swtpmtest"
)

// A counter that gets no first value, or whose value is not told, is not left in the TPM.
func TestCounterFails(t *testing.T) {
	e := swtpmtest.Start(t)
	for _, fails := range []tpm2.TPMCC{tpm2.TPMCCNVIncrement, tpm2.TPMCCNVRead} {
		serve(t, func(cmd []byte) []byte {
			if tpm2.TPMCC(binary.BigEndian.Uint32(cmd[6:])) == fails {
				return response(tpm2.TPMSTNoSessions, tpm2.TPMRCFailure, nil)
			}
			return through(e, cmd)
		})
		c, _, err := NewCounter(t.Context(), entropy.Default(), nil)
		if err == nil || c.Index == 0 {
			t.Fatalf("%v: %v, at %x", fails, err, c.Index)
		}
		tpm, err := tpmdev.OpenPath(t.Context(), e.Socket)
		if err != nil {
			t.Fatal(err)
		}
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: c.Index, PropertyCount: 1}.Execute(tpm.With(t.Context()))
		tpm.Close()
		if err != nil {
			t.Fatal(err)
		}
		if l, err := rsp.CapabilityData.Data.Handles(); err != nil || len(l.Handle) > 0 && l.Handle[0] == tpm2.TPMHandle(c.Index) {
			t.Errorf("%v: the index is still there (%v)", fails, err)
		}
	}
}

// through is what the emulator answers.
func through(e *swtpmtest.Emulator, cmd []byte) []byte {
	c, err := net.Dial("unix", e.Socket)
	if err != nil {
		return nil
	}
	defer c.Close()
	c.Write(cmd)
	p := make([]byte, 4096)
	n, _ := c.Read(p)
	return p[:n]
}

// Neither the seed nor the PIN crosses the bus in clear, when the key is made or
// when it is opened.
func TestBus(t *testing.T) {
	e := swtpmtest.Start(t)
	var mu sync.Mutex
	var all []byte
	take := func() []byte { // what was seen since the last call
		mu.Lock()
		defer mu.Unlock()
		b := all
		all = nil
		return b
	}
	serve(t, func(cmd []byte) []byte {
		rsp := through(e, cmd)
		mu.Lock()
		defer mu.Unlock()
		all = append(append(all, cmd...), rsp...)
		return rsp
	})
	pin := []byte("a long PIN")
	for _, o := range []*Options{{PIN: pin}, {PIN: pin, PCRs: []int{7}}, {NoPIN: true}} {
		k := seal(t, o)
		if err := open(t, k, string(pin)); err != nil {
			t.Fatal(err)
		}
		seen := take()
		if !bytes.Contains(seen, k.unique[:]) {
			t.Error("the public half was not seen on the bus: this test shows nothing")
		}
		for name, secret := range map[string][]byte{"seed": testSeed, "PIN": pin} {
			for i := range len(secret) - 3 {
				if bytes.Contains(seen, secret[i:i+4]) {
					t.Errorf("bytes %d to %d of the %s crossed the bus in clear", i, i+4, name)
				}
			}
		}
	}
	// Who sits on the bus and offers a storage root key of his own gets nothing.
	k := seal(t, &Options{PIN: pin})
	e.Replace()
	take()
	wantKind(t, "another storage root key", open(t, k, string(pin)), ErrOtherTPM)
	if bytes.Contains(take(), k.unique[:]) {
		t.Error("a stranger was asked to load the key")
	}
}
