package stream_test

import (
	"bytes"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Chunks full of preambles, each of which may begin a long copy of the head: a
// reader looks at the first 16 in a chunk. Summed up one by one they are 5 GiB.
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
	for place, want := range map[int]format.Clause{15: format.FILE4, 16: format.CHUNK1} {
		at := 12*format.SealedChunkSize + place*format.PreambleSize // a preamble begins this chunk
		b := slices.Clone(bad)
		copy(b[size+at:], head)
		rep, err = verify(t, b, v)
		last := rep.Findings[len(rep.Findings)-1]
		if err != nil || last.Clause != want || want == format.FILE4 && last.Offset != int64(size+at+size) {
			t.Errorf("a copy after %d that only look like one: %v, %v", place, rep.Findings, err)
		}
	}
}
