//go:build amd64 && !purego

package entropy

import "testing"

func TestParseCPUInfo(t *testing.T) {
	fields := parseCPUInfo([]byte("processor\t: 0\nflags\t\t: fpu rdrand\nmicrocode\t: 0xb00215a\n\nprocessor\t: 1\nflags\t\t: other\n"))
	for key, want := range map[string]string{"processor": "0", "flags": "fpu rdrand", "microcode": "0xb00215a", "bugs": ""} {
		if fields[key] != want {
			t.Errorf("%s: %q, want %q", key, fields[key], want)
		}
	}
	if len(parseCPUInfo(nil)) != 0 {
		t.Error("fields out of nothing")
	}
	if shown, err := kernelShows("fpu"); err == nil && !shown {
		t.Error("this machine has no floating point")
	}
	if shown, err := kernelShows("fp"); err == nil && shown {
		t.Error("part of a flag counts as one")
	}
}
