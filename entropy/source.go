package entropy

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// A Source gives random bytes, or says why it cannot.
type Source interface {
	// Name is the name the source goes by in Options, messages and reports:
	// "os", "unique", "rdrand", "rdseed", "rndr" or "tpm".
	Name() string

	// Fill fills all of p or returns an error; on an error the caller
	// discards and wipes what p holds. The caller owns p, and a source keeps
	// no reference to it. A source need not be safe for concurrent use: the
	// mixer asks one draw at a time of it.
	Fill(p []byte) error
}

// Contributions are labelled with these numbers, so they are part of the
// mixer's definition (see mix): a number once given is never changed and never
// used again. The operating system's bytes do not travel as a contribution,
// they are the salt and the mask; its number is reserved all the same.
const (
	idOS     uint16 = 0
	idUnique uint16 = 1
	idRDRAND uint16 = 2
	idRDSEED uint16 = 3
	idRNDR   uint16 = 4
	idTPM    uint16 = 5
)

// drawSize is how much every hardware source contributes to one draw: 32
// bytes. That is the strength of the keys made from it (256 bits), so that any
// one sound source alone would carry a key; it is four words of a processor's
// instruction; and it is what one TPM2_GetRandom gives on every TPM that can
// SHA-256.
const drawSize = 32

// kind is one row of the table of sources.
type kind struct {
	id   uint16
	name string

	// size is the length of one contribution in bytes.
	size int

	// proof is how many bytes the start-up test looks at before the first
	// draw, and sample how many Test does: whole blocks. Both are 0 for what
	// is not meant to look random; stuck-source detection leaves it alone.
	proof, sample int

	// optIn, where it is not empty, says why the source is drawn on only
	// when it is named.
	optIn string

	// probe finds the source on this machine. An error that is an *off says
	// why it is not to be had; any other error counts as a failure.
	probe func() (Source, error)
}

// random says that the source's output is meant to look random.
func (k *kind) random() bool { return k.proof > 0 }

// SP 800-90B section 4.3 asks for a start-up test over 1024 samples. A
// processor gives them in 3 µs (RDRAND) to 3 ms (RDSEED); a TPM would need 32
// round trips, so it is tested on 64 bytes before use and on 1024 in Test.
const (
	proofCPU, proofTPM   = 1024, 64
	sampleCPU, sampleTPM = 4 << 20, 1024
)

// RDSEED gives a word about every 20 µs, to all cores together (23 µs, and up
// to 58 tries a word, measured on Zen 5): 32 bytes of it take 25 times as long
// as all the rest of the mixing. They come from the noise source that RDRAND is
// seeded from, so beside RDRAND they add little. It is left to those who name
// it.
const rdseedOptIn = "slow, and from the same noise source as rdrand; drawn on only when named"

// kinds lists every source but os, in the order in which they contribute.
func kinds() []kind {
	return []kind{
		{id: idUnique, name: "unique", size: uniqueSize, probe: probeUnique},
		{id: idRDRAND, name: "rdrand", size: drawSize, proof: proofCPU, sample: sampleCPU, probe: probeRDRAND},
		{id: idRDSEED, name: "rdseed", size: drawSize, proof: proofCPU, sample: 64 << 10, probe: probeRDSEED, optIn: rdseedOptIn},
		{id: idRNDR, name: "rndr", size: drawSize, proof: proofCPU, sample: sampleCPU, probe: probeRNDR},
		{id: idTPM, name: "tpm", size: drawSize, proof: proofTPM, sample: sampleTPM, probe: probeTPM},
	}
}

// Names lists the names that Options, TestOptions and Raw know, "os" first. The
// caller owns the slice.
func Names() []string {
	names := []string{osSource{}.Name()}
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// UnknownSourceError reports a name that is no source's.
type UnknownSourceError struct{ Name string }

func (e *UnknownSourceError) Error() string {
	return fmt.Sprintf("unknown entropy source %q (known: %s)", e.Name, strings.Join(Names(), ", "))
}

// A NotRandomError says that a source has no random bytes of its own to test or to
// read, as "unique" has none.
type NotRandomError struct{ Name string }

func (e *NotRandomError) Error() string {
	return e.Name + " is not random: it makes draws differ, and has nothing to test or read"
}

// osSource is the operating system's generator: getrandom(2), getentropy(2) or
// ProcessPrng. crypto/rand does not return errors: a system that cannot give
// random bytes ends the process (https://go.dev/issue/66821).
type osSource struct{}

func (osSource) Name() string { return "os" }

func (osSource) Fill(p []byte) error {
	rand.Read(p)
	return nil
}
