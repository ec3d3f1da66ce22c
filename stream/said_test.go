package stream_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// outcomes are those of a report, by their clauses.
func outcomes(rep *stream.Report) map[format.Clause]stream.Result {
	all := make(map[format.Clause]stream.Result)
	for _, o := range rep.Outcomes() {
		all[o.Clause] = o.Result
	}
	return all
}

// TestOutcomes is about what is said of each clause: of a whole container, one without a
// key, one with damage, and one that has no head left.
func TestOutcomes(t *testing.T) {
	v := new(vault)
	plain := encrypt(t, plaintext(100_000), v, stream.WriterOptions{})
	packed := encrypt(t, plaintext(100_000), v, stream.WriterOptions{Level: 1})
	report := func(container []byte, id stream.Identity) map[format.Clause]stream.Result {
		rep, _ := verify(t, container, id)
		return outcomes(rep)
	}
	noHead := func(at int) []byte { // both copies are changed in the same place, with a checksum that fits
		b := flipped(plain, at, 3)
		n := parseHead(t, plain).HeadSize()
		return flipped(b, len(b)-n+at, 3)
	}
	for _, c := range []struct {
		name   string
		all    map[format.Clause]stream.Result
		clause format.Clause
		want   stream.Result
	}{
		{"whole", report(plain, v), format.CHUNK1, stream.Passed},
		{"whole", report(plain, v), format.KEY1, stream.Passed},
		{"whole", report(plain, v), format.PASS1, stream.NotApplicable},
		{"whole", report(plain, v), format.ZSTD1, stream.NotApplicable},
		{"compressed", report(packed, v), format.ZSTD1, stream.Passed},
		{"another's key", report(packed, new(vault)), format.ZSTD1, stream.NotChecked},
		{"another's key", report(plain, new(vault)), format.CHUNK1, stream.NotChecked},
		{"another's key", report(plain, new(vault)), format.HEAD13, stream.NotChecked},
		{"another's key", report(plain, new(vault)), format.FILE1, stream.Passed},
		{"a chunk is damaged", report(flipped(plain, len(plain)/2, 0), v), format.CHUNK1, stream.Failed},
		{"the magic is gone", report(noHead(0), v), format.HEAD1, stream.Failed},
		{"the magic is gone", report(noHead(0), v), format.CHUNK1, stream.NotChecked},
		{"the checksum does not fit", report(noHead(200), v), format.HEAD1, stream.Passed},
		{"the checksum does not fit", report(noHead(200), v), format.CHUNK1, stream.NotChecked},
	} {
		if got := c.all[c.clause]; got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.name, c.clause, got, c.want)
		}
	}
}

// TestChunkOpener is about what package parity asks of a key.
func TestChunkOpener(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(100_000), v, stream.WriterOptions{})
	o, err := stream.NewChunkOpener(t.Context(), container, with(v))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	n := parseHead(t, container).HeadSize()
	payload := container[n : len(container)-n]
	first, last := payload[:format.SealedChunkSize], payload[format.SealedChunkSize:]
	if !o.Opens(0, first, false) || !o.Opens(1, last, true) {
		t.Error("a chunk does not open")
	}
	if o.Opens(1, first, false) || o.Opens(0, first, true) || o.Opens(1, last, false) || o.Opens(0, flipped(first, 5, 0), false) || o.Opens(-1, first, false) || o.Opens(format.MaxChunks, first, false) {
		t.Error("what is no chunk of that place opens")
	}
	var noKey *stream.NoKeyError
	if _, err := stream.NewChunkOpener(t.Context(), container, with(new(vault))); !errors.As(err, &noKey) {
		t.Error(err)
	}
	if _, err := stream.NewChunkOpener(t.Context(), container[:100], with(v)); clauseOf(err) == "" {
		t.Error(err)
	}
}

// TestHeadEditorTells is about what a HeadEditor says of a container whose head is stale.
func TestHeadEditorTells(t *testing.T) {
	v, other := new(vault), new(vault)
	old := encrypt(t, plaintext(10), v, stream.WriterOptions{})
	e, err := stream.EditHead(t.Context(), bytes.NewReader(old), int64(len(old)), with(v), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Apply(t.Context(), &stream.Edit{Add: to(other), Remove: []stream.Named{v}}); err != nil {
		t.Fatal(err)
	}
	stale := slices.Clone(old)
	copy(stale[len(stale)-len(e.Encoded()):], e.Encoded()) // the tail alone was written
	s, err := stream.EditHead(t.Context(), bytes.NewReader(stale), int64(len(stale)), with(other), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	removed := s.Removed()
	if len(removed) != 1 || !s.Owns(v, &removed[0]) || s.Owns(other, &removed[0]) {
		t.Errorf("%d slots still open it", len(removed))
	}
	if h := s.Stored(); h == nil || h.Generation != 2 || s.Sound() || s.Truncated() != nil {
		t.Errorf("stored: %v, sound: %v", h, s.Sound())
	}
	d, err := stream.EditDetachedHead(t.Context(), e.Encoded(), with(other))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := d.OpenedSlot(); got != 0 || d.Head() == nil || d.Stored() != nil {
		t.Errorf("slot %d opened it, and %v stands in a container", got, d.Stored())
	}
}

// TestArguments is about ranges that no container has, and what a truncated one says.
func TestArguments(t *testing.T) {
	v := new(vault)
	container := encrypt(t, plaintext(200_000), v, stream.WriterOptions{})
	r := openAt(t, container, v, format.RoleFile)
	for _, x := range [][2]int64{{-1, 1}, {0, -1}} {
		if _, err := r.WriteRange(t.Context(), io.Discard, x[0], x[1]); err == nil {
			t.Errorf("WriteRange(%d, %d) is taken", x[0], x[1])
		}
	}
	if r.Truncated() != nil {
		t.Error(r.Truncated())
	}
	cut := container[:len(container)-9000]
	c, err := stream.NewReaderAt(t.Context(), bytes.NewReader(cut), int64(len(cut)), with(v), &stream.ReaderAtOptions{AllowTruncated: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Grant(stream.Range{Length: 1}); !errors.Is(err, stream.ErrSizeUnknown) || c.Truncated() == nil {
		t.Errorf("a grant on what is cut: %v", err)
	}
	packed := encrypt(t, plaintext(200_000), v, stream.WriterOptions{Level: 1})
	packed = packed[:len(packed)-9000]
	if _, err := stream.NewReaderAt(t.Context(), bytes.NewReader(packed), int64(len(packed)), with(v), &stream.ReaderAtOptions{AllowTruncated: true}); err == nil {
		t.Error("a compressed container without its end opens")
	}
	for _, bad := range []stream.Range{{Offset: 200_000, Length: 1}, {Offset: 0, Length: 0}} {
		if _, err := r.Grant(bad); !errors.Is(err, stream.ErrGrantRange) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	whole, err := r.Grant(stream.Range{Offset: 5, Length: 10}, stream.Range{Offset: 100, Length: 1000})
	if err != nil {
		t.Fatal(err)
	}
	whole.Close()
	g, err := openGrant(grant(t, r, v, stream.Range{Offset: 5, Length: 10}), container, v)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.WriteRange(t.Context(), io.Discard, -1, 1); err == nil {
		t.Error("a negative offset is taken")
	}
	var not *stream.NotGrantedError
	if _, err := g.ReadAt(make([]byte, 11), 5); !errors.As(err, &not) || err.Error() != "bytes 5 to 15 are not all granted [GRANT-12]" {
		t.Error(err)
	}
}

// TestErrorTexts is about errors that a command words anew, and other programs do not.
func TestErrorTexts(t *testing.T) {
	damaged := errors.New("damaged")
	for want, err := range map[string]error{
		"none of 2 keys opens any of 1 slots (1 type 32512); a key broke": &stream.NoKeyError{Identities: 2, Slots: []format.SlotType{slotVault}, Causes: []error{errors.New("a key broke")}},
		"volume 000003: damaged": &stream.TargetError{Part: format.Part{Role: format.RoleVolume, Number: 3}, Err: damaged},
		"damaged":                &stream.TargetError{Err: damaged},
		"the copies of the head are of different containers [COPY-1]": &stream.ConflictError{},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err.Error(), want)
		}
	}
}
