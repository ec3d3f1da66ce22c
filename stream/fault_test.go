package stream_test

import (
	"bytes"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Chunks full of preambles, each of which may begin a long copy of the head: none
// does, and then one does. Summed up one by one they are 5 GiB.
func TestFaultLookalikes(t *testing.T) {
	const chunks = 32
	v := new(vault)
	container := encrypt(t, plaintext(chunks*chunk+1000), v, stream.WriterOptions{Reserve: 100})
	size := parseHead(t, container).HeadSize()
	head := container[:size]
	bad := slices.Clone(container)
	payload := bad[size : size+chunks*format.SealedChunkSize]
	copy(payload, bytes.Repeat(head[:format.PreambleSize], len(payload)/format.PreambleSize+1))

	rep, err := verify(t, bad, v)
	if err != nil || rep.Failed != chunks || len(rep.Findings) != 1 || rep.Findings[0].Clause != format.CHUNK1 {
		t.Errorf("%d chunks failed: %v, %v", rep.Failed, rep.Findings, err)
	}
	at := 10*format.SealedChunkSize + 12345
	copy(payload[at:], head)
	rep, err = verify(t, bad, v)
	last := len(rep.Findings) - 1
	if err != nil || last < 0 || rep.Findings[last].Clause != format.FILE4 || rep.Findings[last].Offset != int64(size+at+size) {
		t.Errorf("with a copy among them: %v, %v", rep.Findings, err)
	}
}
