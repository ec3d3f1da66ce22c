//go:build !purego && (linux || freebsd)

package entropy

import "golang.org/x/sys/unix"

//go:noescape
func rndr() (word uint64, ok bool)

// yield is the processor's hint that this is a spin loop.
//
//go:noescape
func yield()

// rndrTries bounds the attempts at one word; Arm gives no advice, so it is
// RDRAND's.
const rndrTries = 10

// The kernel says in the auxiliary vector which instructions it lets programs
// use; reading the processor's own register would trap. FreeBSD's numbers are
// Linux's.
const (
	atHWCAP2  = 26      // getauxval(3)
	hwcap2RNG = 1 << 16 // Linux, Documentation/arch/arm64/elf_hwcaps.rst
)

// probeRNDR looks for RNDR, the output of a generator that the processor seeds
// from its own noise source (FEAT_RNG, Armv8.5).
func probeRNDR() (Source, error) {
	vector, err := unix.Auxv()
	if err != nil {
		return nil, &off{state: Absent, reason: "cannot tell whether the processor has RNDR: " + err.Error()}
	}
	for _, entry := range vector {
		if entry[0] == atHWCAP2 && entry[1]&hwcap2RNG != 0 {
			return &cpuSource{name: "rndr", detail: "64-bit RNDR", step: rndr, tries: rndrTries, pause: yield}, nil
		}
	}
	return nil, noInstruction("RNDR")
}
