package origin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/set"
	"bulla/stream"
)

// parts are a set in memory, by suffix.
type parts map[string][]byte

type memPart struct{ *bytes.Reader }

func (memPart) Close() error { return nil }

func (s parts) open(_ context.Context, suffix string) (set.File, error) {
	if s[suffix] == nil {
		return nil, fs.ErrNotExist
	}
	return memPart{bytes.NewReader(s[suffix])}, nil
}

type memPending struct {
	bytes.Buffer
	commit func(b []byte)
}

func (p *memPending) Writer() io.Writer { return &p.Buffer }
func (p *memPending) Commit() error     { p.commit(p.Bytes()); return nil }
func (p *memPending) Abort()            {}

func (s parts) create(_ context.Context, suffix string) (set.Pending, error) {
	return &memPending{commit: func(b []byte) { s[suffix] = b }}, nil
}

// writeSet makes a set of a plaintext, in volumes of 2 MiB.
func writeSet(t testing.TB, key *keyslot.HPKEIdentity, plain []byte) parts {
	t.Helper()
	s := make(parts)
	w, err := set.NewWriter(context.Background(), s.create, []stream.Recipient{key.Recipient()}, &set.WriterOptions{VolumeSize: set.VolumeUnit, WriterOptions: stream.WriterOptions{Workers: 1}})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// sign signs a set whose parts have these suffixes.
func (s parts) sign(t testing.TB, suffixes []string) (file []byte, allow *Allowed) {
	t.Helper()
	var all []*Part
	for _, suffix := range suffixes {
		st, roots := made(t, s[suffix], 1, 1<<20)
		all = append(all, &Part{*st, roots})
	}
	var b bytes.Buffer
	key := signer(t, keys(t)["ed25519"])
	st, err := Sign(&b, all, now, "a set", key)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := ParseStatement(st.Text()); err != nil || *parsed != *st {
		t.Fatalf("%+v is read as %+v: %v", st, parsed, err)
	}
	return b.Bytes(), allowed(t, "", key.PublicKey())
}

// A set that was signed: what is swapped, of another attempt, changed, cut off or missing
// does not come out, and a verifier names it.
func TestSet(t *testing.T) {
	ctx := context.Background()
	key, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, 2*set.VolumeUnit+100_000)
	rand.NewChaCha8([32]byte{7}).Read(plain)
	good := writeSet(t, key, plain)
	suffixes, err := set.Parts(ctx, good.open)
	if want := []string{"", ".000000", ".000001", ".000002", ".index"}; err != nil || !slices.Equal(suffixes, want) {
		t.Fatalf("%q, %v", suffixes, err)
	}
	file, allow := good.sign(t, suffixes)
	signed, err := Open(bytes.NewReader(file), allow, now)
	if err != nil {
		t.Fatal(err)
	}
	other := writeSet(t, key, plain)

	// read gives a range of what a set holds, as it was signed.
	read := func(s parts, by *Signed, off, n int64) ([]byte, error) {
		src, err := by.ReaderAt(bytes.NewReader(s[""]), int64(len(s[""])), 1)
		if err != nil {
			return nil, err
		}
		r, err := set.NewReaderAt(ctx, src, int64(len(s[""])), by.Opener(s.open, 1), []stream.Identity{key}, &set.ReaderOptions{Workers: 1})
		if err != nil {
			return nil, err
		}
		defer r.Close()
		var b bytes.Buffer
		_, err = r.WriteRange(ctx, &b, off, n)
		return b.Bytes(), err
	}
	tests := []struct {
		name   string
		harm   func(s parts)
		clause string // that the readers of volume 1 fail with; "" if they do not
		found  string // by the verifier: SUFFIX CLAUSE …
	}{
		{"nothing", func(s parts) {}, "", ""},
		{"swapped", func(s parts) { s[".000000"], s[".000001"] = s[".000001"], s[".000000"] }, "ORIGIN-7", ".000000 ORIGIN-7 .000001 ORIGIN-7"},
		{"of another set", func(s parts) { s[".000001"] = other[".000001"] }, "ORIGIN-7", ".000001 ORIGIN-7"},
		{"sealed anew", func(s parts) { s[".000001"] = changed(s[".000001"], 1_000_000) }, "ORIGIN-8", ".000001 ORIGIN-8"},
		{"another volume sealed anew", func(s parts) { s[".000000"] = changed(s[".000000"], 1_000_000) }, "", ".000000 ORIGIN-8"},
		{"cut off", func(s parts) { s[".000001"] = s[".000001"][:1_000_000] }, "ORIGIN-8", ".000001 ORIGIN-8"},
		{"missing", func(s parts) { delete(s, ".000001") }, "SET-1", ".000001 SET-1"},
		{"another index", func(s parts) { s[".index"] = other[".index"] }, "ORIGIN-7", ".index ORIGIN-7"},
		{"an index sealed anew", func(s parts) { s[".index"] = changed(s[".index"], 4100) }, "ORIGIN-8", ".index ORIGIN-8"},
		{"a root sealed anew", func(s parts) { s[""] = changed(s[""], 4100) }, "ORIGIN-8", " ORIGIN-8"},
		{"a volume more", func(s parts) { s[".000003"] = s[".000002"] }, "", ""},
		{"new recipients", func(s parts) { s[""] = changed(s[""], 3000) }, "", ""}, // of one copy
	}
	for _, tt := range tests {
		s := maps.Clone(good)
		tt.harm(s)
		got, err := read(s, signed, set.VolumeUnit+5, 100_000)
		if tt.clause == "" && (err != nil || !bytes.Equal(got, plain[set.VolumeUnit+5:][:100_000])) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		}
		if tt.clause != "" && (err == nil || len(got) > 0 || !strings.Contains(err.Error(), "["+tt.clause+"]") && !strings.Contains(err.Error(), tt.clause)) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		}
		found, err := signed.VerifySet(ctx, s.open, 2)
		var says []string
		for _, f := range found {
			says = append(says, f.Suffix+" "+string(f.Clause))
		}
		if err != nil || strings.Join(says, " ") != tt.found {
			t.Errorf("%s: the verifier found %q, not %q: %v", tt.name, says, tt.found, err)
		}
	}
	// All of it, across volumes, and what has no entry.
	if got, err := read(good, signed, 0, int64(len(plain))); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := signed.Opener(good.open, 1)(ctx, ".000003"); !isClause(err, ORIGIN10) {
		t.Errorf("a part that was not signed: %v", err)
	}
	ended, cancel := context.WithCancelCause(ctx)
	cancel(io.ErrNoProgress)
	if _, err := signed.VerifySet(ended, good.open, 1); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("an interrupted check: %v", err)
	}

	// A signature of the root alone says nothing of the set.
	rootFile, rootAllow := good.sign(t, []string{""})
	alone, err := Open(bytes.NewReader(rootFile), rootAllow, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(good, alone, 0, 10); !isClause(err, ORIGIN10) {
		t.Errorf("by a signature of the root: %v", err)
	}
	if found, err := alone.VerifySet(ctx, good.open, 1); err != nil || len(found) != 1 || found[0].Clause != ORIGIN10 {
		t.Errorf("by a signature of the root: %v, %v", found, err)
	}

	// A signature file that is changed anywhere, or cut off, does not count.
	for i := 0; i < len(file); i += 1 + i/50 {
		bad := slices.Clone(file)
		bad[i] ^= 1
		if s, err := Open(bytes.NewReader(bad), allow, now); err == nil && bytes.Index(file, []byte(armorEnd)) < i {
			t.Errorf("with byte %d changed it is accepted: %+v", i, s)
		}
		if _, err := Open(bytes.NewReader(file[:i]), allow, now); err == nil {
			t.Errorf("the first %d bytes are accepted", i)
		}
	}
	if _, err := Open(bytes.NewReader(append(slices.Clone(file), 0)), allow, now); !isClause(err, ORIGIN1) {
		t.Errorf("with a byte more: %v", err)
	}
	full, reader := io.Pipe()
	full.CloseWithError(io.ErrShortWrite) // nobody reads
	part := &Part{signed.Statement, signed.roots}
	if _, err := Sign(reader, []*Part{part}, now, "", signer(t, keys(t)["ed25519"])); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a destination that fails: %v", err)
	}
	_, err = Sign(io.Discard, []*Part{{}, {}}, now, "", signer(t, keys(t)["ed25519"]))
	if !isClause(err, ORIGIN3) {
		t.Errorf("a set of two parts: %v", err)
	}
}

// A container that became shorter while it was checked was not checked.
func TestVerifyShrunk(t *testing.T) {
	c := container(1, segment+1000)
	s := signedOf(t, c)
	for cut, want := range map[int]error{len(c): nil, len(c) - 1: io.ErrUnexpectedEOF, 4096 + sealedSegmentSize: io.ErrUnexpectedEOF, 10: io.ErrUnexpectedEOF} {
		if err := s.Verify(t.Context(), bytes.NewReader(c[:cut]), int64(len(c)), 1); err != want {
			t.Errorf("cut at %d: %v, want %v", cut, err, want)
		}
	}
}

func isClause(err error, c format.Clause) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Clause == c
}

// changed is b with another byte.
func changed(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}
