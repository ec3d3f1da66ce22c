//go:build !purego

package entropy

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/cpu"
)

//go:noescape
func rdrand() (word uint64, ok bool)

//go:noescape
func rdseed() (word uint64, ok bool)

// pause is the processor's hint that this is a spin loop.
//
//go:noescape
func pause()

//go:noescape
func cpuid(leaf uint32) (a, b, c, d uint32)

// How often a word is tried for. Ten tries is Intel's advice for RDRAND (DRNG
// Software Implementation Guide, section 5.2.1). RDSEED runs dry as soon as it
// is used in a loop, whoever else uses it: almost half the words took more than
// ten tries where measured, and none more than 58.
const (
	rdrandTries = 10
	rdseedTries = 1024
)

func probeRDRAND() (Source, error) {
	if !cpu.X86.HasRDRAND {
		return nil, noInstruction("RDRAND")
	}
	if err := trusted("rdrand"); err != nil {
		return nil, err
	}
	return &cpuSource{name: "rdrand", detail: "64-bit RDRAND" + leak(), step: rdrand, tries: rdrandTries, pause: func() {}}, nil
}

func probeRDSEED() (Source, error) {
	if !cpu.X86.HasRDSEED {
		return nil, noInstruction("RDSEED")
	}
	if err := trusted("rdseed"); err != nil {
		return nil, err
	}
	return &cpuSource{name: "rdseed", detail: "64-bit RDSEED" + leak(), step: rdseed, tries: rdseedTries, pause: pause}, nil
}

// trusted says why the instruction is not used although CPUID has it: the
// processor is known to be faulty, or the kernel has reasons to hide it. The
// kernel's flag counts because in a virtual machine CPUID may well show what
// the kernel has switched off.
func trusted(instruction string) error {
	if e := findErratum(identify(), instruction, microcode()); e != nil {
		return e
	}
	shown, err := kernelShows(instruction)
	switch {
	case err != nil:
		return &off{state: Excluded, reason: fmt.Sprintf("cannot tell whether the kernel trusts it: %v", err), hint: "mount /proc"}
	case !shown:
		return &off{state: Excluded, reason: "the kernel hides it although CPUID shows it", hint: "the kernel's log says why; a microcode update may mend it"}
	}
	return nil
}

// identify asks CPUID which processor this is.
func identify() processor {
	_, b, c, d := cpuid(0)
	var vendor []byte
	for _, r := range []uint32{b, d, c} {
		vendor = binary.LittleEndian.AppendUint32(vendor, r)
	}
	a, _, _, _ := cpuid(1)
	return decodeSignature(string(vendor), a)
}
