//go:build !purego && (linux || freebsd)

package entropy

import "testing"

// Few machines have RNDR. Its code can be executed on any Linux with Debian's
// package qemu-user, whose processor "max" has it and "cortex-a57" has not:
//
//	GOARCH=arm64 CGO_ENABLED=0 go test -c -o entropy.test ./entropy
//	qemu-aarch64 -cpu max entropy.test -test.v -test.run 'RNDR|ThisMachine'
//	qemu-aarch64 -cpu cortex-a57 entropy.test -test.v -test.run 'RNDR|ThisMachine'
func TestRNDR(t *testing.T) {
	src, err := probeRNDR()
	if err != nil {
		if asOff(err).state != Absent {
			t.Errorf("%#v", err)
		}
		t.Skip(err)
	}
	p := make([]byte, 1024)
	if err := src.Fill(p); err != nil {
		t.Fatal(err)
	}
	var d detector
	if err := d.check(p); err != nil {
		t.Error(err)
	}
}
