package vectors

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/stream"
)

// Whatever the input, the ways of reading agree on it:
//
//  1. If two of them release plaintext, one has a beginning of what the other has.
//     (A reader that streams may release chunks before one that fails; one with
//     random access opens the last chunk first, and then may release nothing.)
//  2. What one that streams accepts, one with random access accepts.
//  3. What one with random access accepts, one that streams accepts, or refuses
//     before it has released anything, because the head is not good: then the other
//     has warned of the head.
//  4. Verify opens what one with random access accepts, and finds nothing wrong with
//     the payload then, nor a forged copy, and something otherwise.
//  5. Verify finds nothing wrong at all exactly where one that streams accepts
//     without a warning; a check without a key then finds nothing either.
//  6. A head that parses marshals to the same bytes.
//
// What the fuzzer changes is not a container but a list of edits to a vector's, so
// that its inputs are short. Repair says whether both copies of the head then get a
// right checksum (1), or a right MAC as well (2), such as someone can make who can
// open the container.
func FuzzPathsAgree(f *testing.F) {
	all, ring := seeds(f)
	for i := range all {
		f.Add(uint16(i), []byte{}, byte(0))
	}
	f.Fuzz(func(t *testing.T, vector uint16, edits []byte, repair byte) {
		s := all[int(vector)%len(all)]
		b := bytes.Clone(s.container)
		for ; len(edits) >= editSize && len(b) <= 1<<20; edits = edits[editSize:] {
			b = edited(b, [editSize]byte(edits), all)
		}
		agree(t, ring, repaired(all, b, repair%3), 1+int(repair/3%2))
	})
}

// Damage of all kinds to all vectors: a fuzzer's first steps, always the same.
func TestPathsAgree(t *testing.T) {
	all, ring := seeds(t)
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for _, s := range all {
		for i := range rounds {
			b := bytes.Clone(s.container)
			for range 1 + r.IntN(2) {
				var e [editSize]byte
				binary.BigEndian.PutUint64(e[:], r.Uint64())
				b = edited(b, e, all)
			}
			agree(t, ring, repaired(all, b, byte(i%3)), 1+i%2)
			if t.Failed() {
				t.Fatalf("vector %s, round %d", s.name, i)
			}
		}
	}
}

// A seed is a vector, with its CEK if that is known.
type seed struct {
	name           string
	container, cek []byte
}

// seeds are the vectors that are not long, and a ring of all keys that cost little.
func seeds(t testing.TB) (all []seed, ring []stream.Identity) {
	t.Helper()
	for _, v := range made() {
		if v.Huge() || v.Stream.Clause == format.PASS5 {
			continue
		}
		if b := must(v.Container()).Bytes(); len(b) <= 150<<10 {
			all = append(all, seed{v.Name, b, secret("cek " + v.label)})
		}
	}
	return all, []stream.Identity{
		must(keyslot.NewKEK(keyA)), must(keyslot.NewKEK(keyB)), pqA.identity(),
		must(agekey.ParseIdentity(stockAgeIdentity, nil)),
	}
}

// repaired makes the checksums, and the MACs, of both copies right.
func repaired(all []seed, b []byte, how byte) []byte {
	if how == 0 || len(b) < atPages+2 {
		return b
	}
	n := int(binary.BigEndian.Uint16(b[atPages:])) * format.PageSize
	if n < format.PageSize || n > format.MaxHeadSize || len(b) < 2*n {
		return b
	}
	for _, c := range [][]byte{b[:n], b[len(b)-n:]} {
		if how == 2 {
			salt := func(s seed) bool {
				return len(s.container) >= 64 && bytes.Equal(s.container[atSalt:64], c[atSalt:64])
			}
			if i := slices.IndexFunc(all, salt); i >= 0 {
				s := NewSchedule(all[i].cek, c[:64])
				copy(c[atCommitment:], s.Commitment)
				copy(c[n-trailerSize:], s.MAC(c[:n-trailerSize]))
			}
		}
		repair(nil, c)
	}
	return b
}

// An edit of a container is
//
//	0  1  what to do
//	1  4  where
//	5  3  with what
const editSize = 1 + 4 + 3

// edited changes b in one of the ways in which containers are changed, by accident
// or by design.
func edited(b []byte, e [editSize]byte, all []seed) []byte {
	if len(b) == 0 {
		return b
	}
	at := int(binary.BigEndian.Uint32(e[1:])) % len(b)
	arg := int(e[5])<<16 | int(e[6])<<8 | int(e[7])
	other := all[arg%len(all)].container
	switch e[0] % 9 {
	case 0: // a bit
		b[at] ^= 1 << (arg % 8)
	case 1: // a bit of the preamble, or of the first slots
		b[at%min(len(b), 300)] ^= 1 << (arg % 8)
	case 2: // a bit of the tail
		b[len(b)-1-at%min(len(b), H)] ^= 1 << (arg % 8)
	case 3: // the end
		return b[:at]
	case 4: // a part twice
		return append(b, b[at:]...)
	case 5: // a piece in another place
		if n := []int{H, S, 16, 1}[arg%4]; len(b) > n {
			from, to := arg/4%(len(b)-n), at%(len(b)-n)
			copy(b[to:], bytes.Clone(b[from:from+n]))
		}
	case 6: // the tail of another container
		if len(b) > H && len(other) > H {
			copy(b[len(b)-H:], other[len(other)-H:])
		}
	case 7: // the head of another container
		if len(b) > H && len(other) > H {
			copy(b, other[:H])
		}
	case 8: // some bytes missing
		return slices.Delete(b, at, min(len(b), at+1+arg%20))
	}
	return b
}

// A reading is what came of one way of reading.
type reading struct {
	plain    []byte
	err      error
	warnings []format.Finding
}

func agree(t *testing.T, ring []stream.Identity, b []byte, workers int) {
	t.Helper()
	size := int64(len(b))
	o := &stream.ReaderOptions{Workers: workers}
	check := format.Check(bytes.NewReader(b), size)
	if h, err := check.Newest(nil); err == nil { // Verify takes every role
		o.Role = h.Role
	}
	var s, a reading

	if r, err := stream.NewReader(t.Context(), bytes.NewReader(b), ring, o); err != nil {
		s.err = err
	} else {
		s.plain, s.err = io.ReadAll(r)
		s.warnings = r.Warnings()
		r.Close()
	}
	if r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(b), size, ring, &stream.ReaderAtOptions{ReaderOptions: *o}); err != nil {
		a.err = err
	} else {
		var out bytes.Buffer
		_, a.err = r.WriteTo(&out)
		a.plain, a.warnings = out.Bytes(), r.Warnings()
		if n, err := r.Size(); a.err == nil && (err != nil || n != int64(out.Len())) {
			t.Errorf("the size is %d, %v; there were %d", n, err, out.Len())
		}
		r.Close()
	}
	rep, verr := stream.Verify(t.Context(), bytes.NewReader(b), size, ring, &stream.VerifyOptions{Workers: workers})

	if h, err := format.ParseHead(b); err == nil {
		if back, err := h.Append(nil); err != nil || !bytes.HasPrefix(b, back) {
			t.Errorf("6: the head marshals to other bytes: %v", err)
		}
	}
	short, long := s.plain, a.plain
	if len(short) > len(long) {
		short, long = long, short
	}
	if !bytes.HasPrefix(long, short) {
		t.Errorf("1: other plaintext: %d bytes streamed, %d at random", len(s.plain), len(a.plain))
	}
	if s.err == nil && (a.err != nil || len(a.plain) != len(s.plain)) {
		t.Errorf("2: streamed %d bytes; at random %d, %v", len(s.plain), len(a.plain), a.err)
	}
	if a.err == nil && s.err != nil && (len(s.plain) > 0 || len(a.warnings) == 0) {
		t.Errorf("3: at random %d bytes, warnings %v; streamed %d, %v", len(a.plain), a.warnings, len(s.plain), s.err)
	}
	opened := verr == nil && rep.Keyed
	sound := opened && !slices.ContainsFunc(rep.Findings, isFatal)
	if sound != (a.err == nil) {
		t.Errorf("4: at random %v; Verify %v, opened %v, %v", a.err, verr, opened, rep.Findings)
	}
	valid := opened && rep.Valid()
	if clean := s.err == nil && len(s.warnings) == 0; clean != valid {
		t.Errorf("5: streamed %v, %v; Verify %v, opened %v, %v", s.err, s.warnings, verr, opened, rep.Findings)
	}
	if valid && !check.Valid() {
		t.Errorf("5: Verify finds nothing; Check %v", check.Findings)
	}
	if t.Failed() {
		t.Logf("%d bytes, beginning %s", len(b), hex.EncodeToString(b[:min(len(b), 100)]))
		var noKey *stream.NoKeyError
		if errors.As(a.err, &noKey) {
			t.Logf("causes: %v", noKey.Causes)
		}
	}
}

// isFatal reports whether a finding is about what lies between the copies, or of
// one that is forged.
func isFatal(f format.Finding) bool {
	for _, of := range []string{"FILE", "CHUNK", "ZSTD", string(format.HEAD13)} {
		if strings.HasPrefix(string(f.Clause), of) {
			return true
		}
	}
	return false
}
