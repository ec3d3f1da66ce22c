//go:build !purego

package entropy

import (
	"strings"
	"testing"
)

func TestDecodeSignature(t *testing.T) {
	for _, test := range []struct {
		eax  uint32
		want processor
	}{
		{0x00b00f21, processor{amd, 0x1a, 0x02, 1}}, // Zen 5 server
		{0x00b40f40, processor{amd, 0x1a, 0x44, 0}}, // Zen 5 desktop
		{0x00870f10, processor{amd, 0x17, 0x71, 0}}, // Zen 2 desktop
		{0x00700f01, processor{amd, 0x16, 0x00, 1}},
		{0x000906ea, processor{amd, 0x06, 0x9e, 10}}, // an Intel processor's
		{0x00000f29, processor{amd, 0x0f, 0x02, 9}},
		{0x00000543, processor{amd, 0x05, 0x04, 3}},
	} {
		if got := decodeSignature(amd, test.eax); got != test.want {
			t.Errorf("%#08x: %+v, want %+v", test.eax, got, test.want)
		}
	}
	if p := identify(); len(p.vendor) != 12 || p.family == 0 {
		t.Errorf("this processor: %+v", p)
	}
}

func TestErrata(t *testing.T) {
	for _, test := range []struct {
		name        string
		p           processor
		instruction string
		microcode   uint32
		want        string // in the reason; empty: none
	}{
		{"Zen 5, old microcode", processor{amd, 0x1a, 0x02, 1}, "rdseed", 0x0b002159, "AMD-SB-7055"},
		{"Zen 5, unknown microcode", processor{amd, 0x1a, 0x02, 1}, "rdseed", 0, "AMD-SB-7055"},
		{"Zen 5, mended", processor{amd, 0x1a, 0x02, 1}, "rdseed", 0x0b00215a, ""},
		{"Zen 5, RDRAND", processor{amd, 0x1a, 0x02, 1}, "rdrand", 0, ""},
		{"Zen 5, stepping without a fix", processor{amd, 0x1a, 0x02, 0}, "rdseed", ^uint32(0), "AMD-SB-7055"},
		{"Zen 5c", processor{amd, 0x1a, 0x11, 0}, "rdseed", 0x0b101053, "0x0b101054"},
		{"Zen 5, last model", processor{amd, 0x1a, 0x7f, 0}, "rdseed", 0, "AMD-SB-7055"},
		{"after Zen 5", processor{amd, 0x1a, 0x50, 0}, "rdseed", 0, ""},
		{"after Zen 5", processor{amd, 0x1a, 0x80, 0}, "rdseed", 0, ""},
		{"Zen 4", processor{amd, 0x19, 0x11, 1}, "rdseed", 0, ""},
		{"family 15h", processor{amd, 0x15, 0x60, 1}, "rdrand", 0, "suspend"},
		{"family 16h", processor{amd, 0x16, 0x00, 1}, "rdrand", ^uint32(0), "suspend"},
		{"Cyan Skillfish", processor{amd, 0x17, 0x47, 0}, "rdseed", ^uint32(0), "unreliable"},
		{"Zen 2", processor{amd, 0x17, 0x71, 0}, "rdseed", 0, ""},
		{"Intel", processor{"GenuineIntel", 0x1a, 0x02, 1}, "rdseed", 0, ""},
	} {
		err := findErratum(test.p, test.instruction, test.microcode)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if err != nil && asOff(err).state != Excluded {
			t.Errorf("%s: %s", test.name, asOff(err).state)
		}
	}
}
