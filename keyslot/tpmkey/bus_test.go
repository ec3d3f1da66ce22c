//go:build !windows

package tpmkey

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"bulla/internal/tpmdev/swtpmtest"
)

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
		c, err := net.Dial("unix", e.Socket)
		if err != nil {
			return nil
		}
		defer c.Close()
		c.Write(cmd)
		p := make([]byte, 4096)
		n, _ := c.Read(p)
		mu.Lock()
		defer mu.Unlock()
		all = append(append(all, cmd...), p[:n]...)
		return p[:n]
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
