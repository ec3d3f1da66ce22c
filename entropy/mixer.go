package entropy

import (
	"fmt"
	"slices"
	"sync"
)

// Options says which sources a Mixer draws on. The zero value is right: every
// source this machine has, none of them required.
type Options struct {
	// Sources names the extra sources to draw on beside "os", which is
	// always in and may be named or not. Nil means all that this machine
	// has, but for those that Status shows as taking part only when named.
	// An empty slice that is not nil means "os" alone: the output then is a
	// function of crypto/rand and nothing else.
	Sources []string

	// Require names sources that must contribute to every draw. Each is
	// drawn on whether Sources names it or not. If one is not to be had, New
	// fails; if one fails later, Fill does. No other source is ever taken in
	// its place.
	Require []string

	// TPMPinFile, where it is not empty, is the path of a file that keeps
	// the identity of the TPM from one run to the next. It is written, with
	// its directory, on the first draw from a TPM; on later runs a TPM of
	// another identity makes the source "tpm" fail. Within one process the
	// identity is kept in any case.
	TPMPinFile string
}

// A Mixer makes key material out of the operating system's generator and
// whatever else the machine has. It is safe for concurrent use. A nil Mixer fills as
// [Default] does.
type Mixer struct {
	os   Source
	taps []*tap // the extra sources drawn on, in the order of kinds
	all  []*tap // those and the rest

	chosen   map[string]bool // names of those in taps
	named    map[string]bool // by Options.Sources
	required map[string]bool // names that must contribute
}

// RequireError reports a source that was required and is not to be had, or no
// longer. Nothing was drawn.
type RequireError struct {
	Source string // the source's name
	Reason string // why it does not contribute
	Hint   string // what would mend it; may be empty
}

func (e *RequireError) Error() string {
	return fmt.Sprintf("required entropy source %q is not available: %s", e.Source, e.Reason)
}

func requireError(name string, err error) *RequireError {
	o := asOff(err)
	return &RequireError{Source: name, Reason: o.reason, Hint: o.hint}
}

// New makes a mixer; nil options mean the zero Options. It fails with an
// *UnknownSourceError for a name that is no source's, and with a *RequireError
// if a required source is absent, excluded or failed, after probing and
// start-up testing the required sources. Sources that are not required are
// probed by the first Fill or Status.
func New(o *Options) (*Mixer, error) {
	if o == nil {
		o = &Options{}
	}
	return newMixer(machine(), o)
}

// Default is the process's mixer: zero Options, made once.
func Default() *Mixer { return defaultMixer() }

var defaultMixer = sync.OnceValue(func() *Mixer {
	m, err := New(nil)
	if err != nil { // zero Options name nothing and require nothing
		panic("internal error: " + err.Error())
	}
	return m
})

// newMixer is New over given sources.
func newMixer(taps []*tap, o *Options) (*Mixer, error) {
	m := &Mixer{os: osSource{}, all: taps, chosen: make(map[string]bool), named: make(map[string]bool), required: make(map[string]bool)}
	known := map[string]bool{m.os.Name(): true}
	for _, t := range taps {
		known[t.name] = true
		m.chosen[t.name] = o.Sources == nil && t.optIn == ""
	}
	for _, name := range slices.Concat(o.Sources, o.Require) {
		if !known[name] {
			return nil, &UnknownSourceError{Name: name}
		}
		m.chosen[name] = true
	}
	for _, name := range o.Sources {
		m.named[name] = true
	}
	for _, name := range o.Require {
		m.required[name] = true
	}
	for _, t := range taps {
		if !m.chosen[t.name] {
			continue
		}
		m.taps = append(m.taps, t)
		if o.TPMPinFile != "" {
			t.pin(o.TPMPinFile)
		}
		if !m.required[t.name] {
			continue
		}
		if err := t.start(); err != nil {
			return nil, requireError(t.name, err)
		}
	}
	return m, nil
}

// Requires lists the sources beside "os" that must contribute to every draw: a
// caller that would use other randomness instead refuses to. The slice is the
// caller's.
func (m *Mixer) Requires() []string {
	var names []string
	for _, t := range m.taps {
		if m.required[t.name] {
			names = append(names, t.name)
		}
	}
	return names
}

// Fill fills out, 1 to MaxFill bytes, from a fresh draw on every source.
// purpose separates uses ("cek", "salt", "hpke ephemeral"); it is no secret and
// needs none. Every call draws anew: nothing is kept from one call to the next.
//
// A source that fails is left out, now and for the rest of the process, unless
// it is required: Fill then returns a *RequireError. On any error out is left
// as it was.
func (m *Mixer) Fill(purpose string, out []byte) error {
	if len(out) == 0 || len(out) > MaxFill {
		return fmt.Errorf("entropy: cannot fill %d bytes: must be 1 to %d", len(out), MaxFill)
	}
	if m == nil {
		m = Default()
	}
	size := saltSize + len(out)
	for _, t := range m.taps {
		size += contributionHeader + t.size
	}
	scratch := make([]byte, size) // OS1 || OS2 || ikm
	defer wipe(scratch)
	os1, rest := scratch[:saltSize:saltSize], scratch[saltSize:]
	os2, ikm := rest[:len(out):len(out)], rest[len(out):len(out)]

	if err := m.os.Fill(os1); err != nil {
		return fmt.Errorf("entropy: os: %w", err)
	}
	for _, t := range m.taps {
		head := appendHeader(ikm, t.id, t.size)
		whole := head[:len(head)+t.size]
		if err := t.draw(whole[len(head):len(whole):len(whole)]); err != nil {
			if m.required[t.name] {
				return requireError(t.name, err)
			}
			continue // the next header overwrites this one; the draw wiped its bytes
		}
		ikm = whole
	}
	// Only now, when no source can answer to it any more: the mask.
	if err := m.os.Fill(os2); err != nil {
		return fmt.Errorf("entropy: os: %w", err)
	}
	if err := mix(out, ikm, os1, os2, purpose); err != nil {
		return fmt.Errorf("entropy: %w", err)
	}
	return nil
}
