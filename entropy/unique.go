package entropy

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// unique is no random source. It makes two draws differ that would otherwise
// see the same bytes everywhere: two processes, two machines cloned from one
// image, one process before and after a snapshot.
//
//	 0   8  wall clock, nanoseconds since 1970
//	 8   8  monotonic clock, nanoseconds since the process started
//	16   8  process id
//	24   8  draws so far, in this process
//	32  32  SHA-256 of the machine's id and name
//
// Every field has a fixed width, so the encoding is injective. The machine's
// id goes in hashed: machine-id(5) asks that it not be shown to the world.
const uniqueSize = 4*8 + sha256.Size

var (
	processStart = time.Now()
	uniqueDraws  atomic.Uint64 // one count for the process, whatever the mixer
)

type uniqueSource struct{ machine [sha256.Size]byte }

func probeUnique() (Source, error) { return &uniqueSource{machine: machineHash()}, nil }

func (*uniqueSource) Name() string { return "unique" }

func (*uniqueSource) describe(s *Status) {
	s.Detail = "clocks, process, draw count, machine: not random, makes draws differ"
}

// Fill writes the encoding above; p must have uniqueSize bytes.
func (u *uniqueSource) Fill(p []byte) error {
	_ = p[uniqueSize-1]
	binary.BigEndian.PutUint64(p[0:], uint64(time.Now().UnixNano()))
	binary.BigEndian.PutUint64(p[8:], uint64(time.Since(processStart)))
	binary.BigEndian.PutUint64(p[16:], uint64(os.Getpid()))
	binary.BigEndian.PutUint64(p[24:], uniqueDraws.Add(1))
	copy(p[32:], u.machine[:])
	return nil
}

// machineHash hashes what tells this machine from others. What cannot be read
// counts as empty: the other fields still differ.
var machineHash = sync.OnceValue(func() [sha256.Size]byte {
	host, _ := os.Hostname()
	h := sha256.New()
	for _, part := range []string{"bulla/v1 machine", machineID(), host} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return [sha256.Size]byte(h.Sum(nil))
})
