//go:build !purego

package entropy

import "fmt"

// processor is what CPUID says of the processor, decoded.
type processor struct {
	vendor                  string
	family, model, stepping uint32
}

// decodeSignature decodes EAX of CPUID leaf 1 (Intel SDM volume 2A, CPUID,
// figure 3-6; AMD means the same by it).
func decodeSignature(vendor string, eax uint32) processor {
	p := processor{vendor: vendor, family: eax >> 8 & 0xf, model: eax >> 4 & 0xf, stepping: eax & 0xf}
	if p.family == 0xf || p.family == 0x6 {
		p.model |= eax >> 16 & 0xf << 4
	}
	if p.family == 0xf {
		p.family += eax >> 20 & 0xff
	}
	return p
}

const amd = "AuthenticAMD"

// erratum is a fault of an instruction on some processors.
type erratum struct {
	instruction string
	family      uint32
	first, last uint32 // models
	reference   string
	fixes       map[revision]uint32 // the microcode that mends it, where there is one
}

type revision struct{ model, stepping uint32 }

// errata lists the faults that a processor does not show by itself. All are
// AMD's. Not here:
//
//   - Ryzen 3000 (family 17h, model 71h) before its microcode of summer 2019
//     gave all ones from RDRAND, marked as good: the start-up test sees it.
//   - Special register buffer data sampling, CVE-2020-0543, on some Intel
//     processors lets other cores read what RDRAND and RDSEED gave. The bytes
//     are random all the same, and are never the only ones: see leak.
var errata = []erratum{
	{
		// Gives the same word for ever after the machine was suspended.
		// Linux commit c49a0a80137c.
		instruction: "rdrand", family: 0x15, last: 0xff, reference: "constant after suspend",
	},
	{
		instruction: "rdrand", family: 0x16, last: 0xff, reference: "constant after suspend",
	},
	{
		// "Cyan Skillfish", stepping 0. Linux says no more than "an error".
		instruction: "rdseed", family: 0x17, first: 0x47, last: 0x47, reference: "unreliable on this model",
		fixes: map[revision]uint32{},
	},
	{
		// Zen 5: the 16- and 32-bit forms give zero, marked as good. The
		// 64-bit form is said to be sound, but where the vendor asks for an
		// update, that comes first. The models are those that Linux takes
		// for Zen 5, the revisions Linux's zen5_rdseed_microcode.
		instruction: "rdseed", family: 0x1a, last: 0x2f, reference: "AMD-SB-7055, CVE-2025-62626", fixes: zen5,
	},
	{instruction: "rdseed", family: 0x1a, first: 0x40, last: 0x4f, reference: "AMD-SB-7055, CVE-2025-62626", fixes: zen5},
	{instruction: "rdseed", family: 0x1a, first: 0x60, last: 0x7f, reference: "AMD-SB-7055, CVE-2025-62626", fixes: zen5},
}

var zen5 = map[revision]uint32{
	{0x02, 1}: 0x0b00215a,
	{0x08, 1}: 0x0b008121,
	{0x11, 0}: 0x0b101054,
	{0x24, 0}: 0x0b204037,
	{0x44, 0}: 0x0b404035,
	{0x44, 1}: 0x0b404108,
	{0x60, 0}: 0x0b600037,
	{0x68, 0}: 0x0b608038,
	{0x70, 0}: 0x0b700037,
}

// findErratum returns why the instruction is not used on the processor, an
// *off, or nil. The microcode's revision is 0 where it is not known; a fault
// that only a known revision mends then counts as there.
func findErratum(p processor, instruction string, microcode uint32) error {
	if p.vendor != amd {
		return nil
	}
	for _, e := range errata {
		if e.instruction != instruction || e.family != p.family || p.model < e.first || p.model > e.last {
			continue
		}
		o := &off{state: Excluded, reason: "faulty on this processor: " + e.reference}
		if fixed, ok := e.fixes[revision{p.model, p.stepping}]; ok {
			if microcode >= fixed {
				return nil
			}
			o.reason += fmt.Sprintf("; fixed in microcode %#08x, this is %#08x", fixed, microcode)
			o.hint = "update the firmware or the microcode; in a virtual machine, the host's"
		}
		return o
	}
	return nil
}
