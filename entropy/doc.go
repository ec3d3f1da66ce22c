// Package entropy makes the random bytes that become keys: content-encryption
// keys, salts, ephemeral keys, identity seeds. It draws on the operating
// system's generator and on whatever else the machine has, and returns no byte
// if a source that the caller requires is missing.
//
// # The mixer
//
//	ikm = for each contribution: BE16(source id) || BE32(length) || bytes
//	out = HKDF-SHA-512(ikm, salt = OS1 (64 bytes), info = "bulla/v1 mix " || purpose, L)
//	      XOR OS2 (L bytes, drawn after ikm is complete)
//
// OS1 and OS2 come from crypto/rand, which is getrandom(2), getentropy(2) or
// ProcessPrng. Every call of Fill draws anew on every source and keeps nothing:
// there is no pool that a fork or a snapshot could duplicate.
//
//	os      the operating system's generator. In every key; cannot be switched off
//	unique  clocks, process, draw count, machine. Not random: makes draws differ
//	rdrand  the processor's generator (amd64), 64-bit form
//	rdseed  its conditioned noise source (amd64), 64-bit form; only when named
//	rndr    the processor's generator (arm64)
//	tpm     TPM2_GetRandom, through a salted and encrypted session
//
// # What is claimed
//
// The output is never easier to guess than crypto/rand's own. It is those bytes
// OS2, XORed with bytes that were fixed before OS2 was drawn. This holds
// whatever the other sources do, if all of them are hostile and know of each
// other, and even if SHA-512 were broken. A hostile source that sees the others'
// bytes can otherwise steer the output of a hash, by trying inputs until it
// likes the result; drawing the mask last takes that away.
//
// If the operating system's generator is broken (predictable, repeating, read
// along), the output is as hard to guess as the contributions: one sound source
// that gave 32 bytes is enough, as far as HKDF with SHA-512 is a good extractor.
// If no source is sound but "unique", outputs still do not repeat, though they
// can be guessed.
//
// A source that was required has contributed to every byte given out, or none
// was given out.
//
// # What is not claimed
//
// All sources but "os" are credited with zero bits. Nothing here estimates
// entropy: what a processor's or a TPM's generator gives has been through a
// cipher or a hash, and statistics of such bytes say nothing about their
// source. AES in counter mode under a zero key passes every statistical test
// there is.
//
// Neither the sources nor the mixer are validated. The construction resembles
// those of NIST SP 800-90C (RBG3(XOR): a source XORed with a DRBG) and the
// watching of sources those of SP 800-90B and AIS 20/31, but those standards
// set requirements on noise sources, documentation and testing that software
// above unknown hardware cannot meet, and no conformance is claimed to any.
//
// # Stuck-source detection
//
// Every byte drawn is watched for total failure: constants, repeated words,
// repeated blocks (see detector). A test of the same kind comes before the first
// draw. The rules are those of SP 800-90B sections 4.3 and 4.4 and of the old
// continuous test of FIPS 140-2, at a false alarm rate of 2^-40 a sample. They catch what has happened:
// AMD processors that gave the same word after a suspend (families 15h and 16h)
// or all ones from the start (Ryzen 3000 before its first update). They do not
// catch a generator with a known seed, and nothing that looks at bytes could.
//
// A source that fails or is found stuck is shut for the rest of the process, and
// Status says why. Mixing goes on without it, unless it was required.
//
// A processor's instruction is used only if CPUID shows it, the kernel does not
// hide it (Linux: the flag in /proc/cpuinfo) and it is on no list of errata.
// CPUID alone is not enough: on Zen 5, RDSEED's 16- and 32-bit forms give zeros
// marked as good (AMD-SB-7055, CVE-2025-62626), the kernel then clears the flag,
// and in a virtual machine CPUID goes on showing the instruction. Attempts are
// bounded: RDRAND and RNDR 10, RDSEED 1024 with pauses, a TPM two seconds.
//
// # Threats
//
// Predictable operating system generator: covered by the hardware sources, as
// above. Three things stay the operating system's: the ML-KEM half of a hybrid
// encapsulation, whatever the age library wraps, and the salt of the TPM's
// session. The first two are why the X25519 half is made from this package's
// bytes, and why a type-3 slot is refused where a source is required.
//
// Early boot: crypto/rand waits until the kernel's generator is seeded. No bytes
// are given out before.
//
// Cloned virtual machine: two copies that run on from one snapshot may hold the
// same kernel generator for a moment (current kernels reseed when the hypervisor
// announces the clone). A processor's instruction and a TPM give the copies
// different bytes, and so does the clock in "unique" unless it is stopped too.
// What was drawn before the snapshot is the same in both; a file whose
// encryption was under way then must not be finished twice.
//
// Bus to a discrete TPM: can be read and written with cheap tools. The session
// is salted to the storage root key and its parameters encrypted with AES-128,
// so a listener learns nothing and changed bytes are refused. The storage root
// key's Name is pinned on first use, for the process and, with
// Options.TPMPinFile, for good: an interposer must have been there before the
// first time. Where crypto/rand is predictable a listener can compute the salt,
// and the TPM then adds nothing against that listener.
//
// Other cores: on some Intel processors without current microcode, programs on
// other cores can read RDRAND's and RDSEED's results (CVE-2020-0543). Status
// says so where Linux does.
//
// Hostile processor: out of scope. It sees the keys themselves.
//
// Memory: buffers that held contributions are wiped before Fill returns. Copies
// inside the standard library's HMAC and in go-tpm are left to the garbage
// collector, and the caller's keys are the caller's.
//
// # Cost
//
// About 4 µs for a 32-byte key with the processor's instruction (see
// BenchmarkFill). RDSEED would make that 90: it is drawn on only when named. A
// TPM adds its round trip, milliseconds on most.
//
// # References
//
//	RFC 5869                HKDF
//	NIST SP 800-90B         sections 4.3 and 4.4, tests of noise sources
//	NIST SP 800-90C         combining sources and generators
//	BSI AIS 20/31           functionality classes of generators
//	FIPS 140-2              section 4.9.2, continuous test
//	TCG TPM 2.0 Library     Part 1, sections 19 (sessions) and 21 (encrypted parameters)
//	AMD-SB-7055             Zen 5's RDSEED
//	Linux c49a0a80137c      RDRAND after a suspend
package entropy
