package entropy

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// cpuSource is a processor instruction that gives 64 random bits or says that
// it has none at the moment.
type cpuSource struct {
	name   string
	detail string

	// step executes the instruction once. It stands behind a variable so
	// that tests can put a faulty processor in its place.
	step func() (word uint64, ok bool)

	// tries bounds the attempts at one word, pause is called between them.
	tries int
	pause func()

	retries atomic.Uint64
}

func (c *cpuSource) Name() string { return c.name }

// Fill fills p, a whole number of 64-bit words, or fails when one word could
// not be had within the bound.
func (c *cpuSource) Fill(p []byte) error {
	for ; len(p) >= wordSize; p = p[wordSize:] {
		word, ok := c.word()
		if !ok {
			return &off{
				state:  Failed,
				reason: fmt.Sprintf("no random word in %d tries", c.tries),
				hint:   "the processor's generator is exhausted or broken; see whether it recovers",
			}
		}
		binary.LittleEndian.PutUint64(p, word)
	}
	if len(p) != 0 {
		return fmt.Errorf("internal error: %d bytes are no whole word", len(p))
	}
	return nil
}

func (c *cpuSource) word() (uint64, bool) {
	for try := range c.tries {
		if try > 0 {
			c.retries.Add(1)
			c.pause()
		}
		if word, ok := c.step(); ok {
			return word, true
		}
	}
	return 0, false
}

// describe adds what there is to say of the instruction.
func (c *cpuSource) describe(s *Status) {
	s.Detail, s.Retries = c.detail, c.retries.Load()
}

// noInstruction says that the processor, or this build, has no such
// instruction.
func noInstruction(name string) error {
	return &off{state: Absent, reason: "no " + name + " instruction on this processor"}
}

func otherProcessor() (Source, error) {
	return nil, &off{state: Absent, reason: "an instruction of other processors than this build is for"}
}
