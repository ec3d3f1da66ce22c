package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bulla/format"
	"bulla/internal/seal"
	"bulla/keyslot"
	"bulla/stream"
)

// A disk is a file in memory that remembers what was done to it, and fails on
// demand.
type disk struct {
	b   []byte
	log []event

	failAt int                // which of the calls of WriteAt and Sync fails, from 1
	how    func(b []byte) int // with a failing WriteAt: how much of b it writes all the same
	onRead func(p []byte)     // what befalls bytes that are read after the first write
	bad    map[int64]bool     // sectors that cannot be read until they are written
}

// An event is a write or, without data, a sync.
type event struct {
	off  int64
	data []byte
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	for s := off / sector; s*sector < off+int64(len(p)); s++ {
		if d.bad[s] {
			return 0, errBroken
		}
	}
	n, err := bytes.NewReader(d.b).ReadAt(p, off)
	if d.onRead != nil && len(d.log) > 0 {
		d.onRead(p[:n])
	}
	return n, err
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	d.log = append(d.log, event{off, slices.Clone(p)})
	if len(d.log) == d.failAt {
		n := 0
		if d.how != nil {
			n = d.how(p)
		}
		copy(d.b[off:], p[:n])
		return n, errBroken
	}
	for s := off / sector; s*sector < off+int64(len(p)); s++ {
		delete(d.bad, s)
	}
	return copy(d.b[off:], p), nil
}

func (d *disk) Sync() error {
	d.log = append(d.log, event{})
	if len(d.log) == d.failAt {
		return errBroken
	}
	return nil
}

// written is how many bytes were written, and where in what order: "tail sync
// head sync".
func (d *disk) written(size int64) (n int, order string) {
	for _, e := range d.log {
		switch {
		case e.data == nil:
			order += "sync "
		case e.off == 0:
			order += "head "
		case e.off == size-int64(len(e.data)):
			order += "tail "
		default:
			order += fmt.Sprintf("byte %d ", e.off)
		}
		n += len(e.data)
	}
	return n, order
}

// joined is a container with other copies.
func joined(t testing.TB, container, head, tail []byte) []byte {
	t.Helper()
	p := split(t, container)
	p.head, p.tail = head, tail
	return p.join()
}

// A rewrap writes the two copies and not a byte of the payload, which goes on
// being the same for everyone.
func TestRewrapInPlace(t *testing.T) {
	for _, n := range []int{0, 1, chunk, 3*chunk + 7} {
		for _, reserve := range []int{0, 20} {
			a, b := newKEK(t), newKEK(t)
			plain := plaintext(n)
			container := encryptTo(t, plain, stream.WriterOptions{Reserve: reserve}, a)
			size, H := int64(len(container)), parseHead(t, container).HeadSize()
			d := &disk{b: slices.Clone(container)}
			h, err := rewrap(t.Context(), d, size, with(a), &stream.Edit{Add: to(b), Remove: []stream.Named{a}, Entropy: osMixer()})
			if err != nil {
				t.Fatal(err)
			}
			if n, order := d.written(size); n != 2*H || order != "tail sync head sync " { // WRAP-2
				t.Errorf("wrote %d bytes, not %d: %s", n, 2*H, order)
			}
			if !bytes.Equal(d.b[H:len(d.b)-H], container[H:len(container)-H]) {
				t.Error("the payload was changed")
			}
			if !bytes.Equal(d.b[:H], h.Encoded()) || !bytes.Equal(d.b[len(d.b)-H:], h.Encoded()) || h.Head().Generation != 2 || len(h.Faults()) != 0 {
				t.Error("it does not say what it wrote")
			}
			wantPlain(t, d.b, plain, b, stream.ReaderOptions{}, fewWays)
			if rep, err := verify(t, d.b, b); err != nil || !rep.Valid() || rep.Generation != 2 {
				t.Errorf("%v, %v", rep, err)
			}
			// Who was removed has no slot in either copy.
			for _, copy := range [][]byte{d.b, d.b[len(d.b)-H:]} {
				if opens(t, copy, a) {
					t.Error("who was removed still opens it")
				}
			}
		}
	}
}

// Which place is written first depends on what is in both (WRAP-2).
func TestRewrapOrder(t *testing.T) {
	a := newKEK(t)
	container := encryptTo(t, plaintext(100), stream.WriterOptions{}, a)
	g1 := split(t, container).head
	g2 := rewrapHead(t, g1, a, adding(newKEK(t)))
	broken := flipped(g1, 2000, 0)
	for _, tt := range []struct {
		name       string
		head, tail []byte
		order      string
		generation uint32
	}{
		{"both good", g1, g1, "tail sync head sync ", 2},
		{"stale head", g1, g2, "head sync tail sync ", 3},
		{"stale tail", g2, g1, "tail sync head sync ", 3},
		{"damaged head", broken, g1, "head sync tail sync ", 2},
		{"damaged tail", g1, broken, "tail sync head sync ", 2},
		{"no head", make([]byte, headSize), g2, "head sync tail sync ", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &disk{b: joined(t, container, tt.head, tt.tail)}
			size := int64(len(d.b))
			h, err := rewrap(t.Context(), d, size, with(a), adding(newKEK(t)))
			if err != nil {
				t.Fatal(err)
			}
			if _, order := d.written(size); order != tt.order || h.Head().Generation != tt.generation {
				t.Errorf("%s, generation %d", order, h.Head().Generation)
			}
			if rep, err := verify(t, d.b, a); err != nil || !rep.Valid() {
				t.Errorf("%v, %v", rep.Findings, err)
			}
		})
	}
}

// What cannot be done is refused before anything is written.
func TestRewrapInPlaceRefuses(t *testing.T) {
	a, b := newKEK(t), newKEK(t)
	container := encryptTo(t, plaintext(chunk+100), stream.WriterOptions{}, a)
	damaged := flipped(container, headSize+format.SealedChunkSize+5, 0) // in the last chunk
	head := split(t, container).head
	other := split(t, encryptTo(t, nil, stream.WriterOptions{}, a)).head
	forged := forgedHead(t, head, func(h *format.Head) { h.Generation = 7 })
	for name, tt := range map[string]struct {
		b    []byte
		id   stream.Identity
		edit *stream.Edit
		want format.Clause // "": any error
	}{
		"wrong key":      {container, b, adding(b), format.SLOT3},
		"last slot":      {container, a, removing(a), ""},
		"cut":            {container[:len(container)-headSize-10], a, adding(b), format.FILE1},
		"appended":       {append(slices.Clone(container), 0), a, adding(b), format.FILE4},
		"last chunk bad": {damaged, a, adding(b), format.CHUNK1},
		"empty":          {nil, a, adding(b), format.HEAD4},
		"another's tail": {joined(t, container, head, other), a, adding(b), format.COPY1},
		"another's head": {joined(t, container, other, head), a, adding(b), format.COPY1},
		"forged tail":    {joined(t, container, head, forged), a, adding(b), format.HEAD13},
		"forged head":    {joined(t, container, forged, head), a, adding(b), format.HEAD13},
	} {
		d := &disk{b: slices.Clone(tt.b)}
		h, err := rewrap(t.Context(), d, int64(len(d.b)), with(tt.id), tt.edit)
		if err == nil || h != nil || tt.want != "" && clauseOf(err) != tt.want || len(d.log) != 0 || !bytes.Equal(d.b, tt.b) {
			t.Errorf("%s: %v, %d events", name, err, len(d.log))
		}
	}

	// Who wants to may look at the heads of one that is cut, and not more.
	cut := container[:headSize+format.SealedChunkSize+50]
	d := &disk{b: cut}
	h, err := stream.EditHead(t.Context(), d, int64(len(cut)), with(a), &stream.HeadOptions{AllowTruncated: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.Truncated() == nil || len(h.SlotsOf(a)) != 1 || len(h.Faults()) == 0 {
		t.Errorf("%+v", h)
	}
	if err := h.Save(d); err == nil || len(d.log) != 0 {
		t.Error("a head was written into a container that is cut")
	}
}

// A file that fails, at any call and in any way, keeps a copy that opens, and
// its error comes out and stays.
func TestRewrapInPlaceFails(t *testing.T) {
	a, b := newKEK(t), newKEK(t)
	container := encryptTo(t, plaintext(100), stream.WriterOptions{}, a)
	size := int64(len(container))
	check := func(name string, d *disk) {
		h, err := stream.EditHead(t.Context(), d, size, with(a), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if err := h.Apply(t.Context(), adding(b)); err != nil {
			t.Fatal(err)
		}
		err = h.Save(d)
		calls := len(d.log)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if again := h.Save(d); again != err || len(d.log) != calls {
			t.Errorf("%s: then %v, after %d calls more", name, again, len(d.log)-calls)
		}
		if rep, err := verify(t, d.b, a); err != nil || !rep.Keyed || rep.Failed != 0 {
			t.Errorf("%s: %v, %v", name, rep, err)
		}
	}
	for call := 1; call <= 4; call++ {
		for what, how := range map[string]func([]byte) int{
			"nothing": nil,
			"half":    func(p []byte) int { return len(p) / 2 },
			"all":     func(p []byte) int { return len(p) },
		} {
			check(fmt.Sprintf("call %d, which writes %s", call, what), &disk{b: slices.Clone(container), failAt: call, how: how})
		}
	}
	check("what is read is not what was written", &disk{b: slices.Clone(container), onRead: func(p []byte) { p[len(p)/2] ^= 1 }})
	short := &shortFile{disk{b: slices.Clone(container)}}
	if _, err := rewrap(t.Context(), short, size, with(a), adding(b)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a short write without an error: %v", err)
	}
}

// A shortFile writes less than it is given, and says nothing.
type shortFile struct{ disk }

func (s *shortFile) WriteAt(p []byte, off int64) (int, error) {
	return s.disk.WriteAt(p[:len(p)-1], off)
}

// Repair writes what is wrong, all of that, and nothing else.
func TestRepair(t *testing.T) {
	a := newKEK(t)
	plain := plaintext(100)
	container := encryptTo(t, plain, stream.WriterOptions{}, a)
	size := int64(len(container))
	g1 := split(t, container).head
	g2 := rewrapHead(t, g1, a, adding(newKEK(t)))
	g3 := rewrapHead(t, g2, a, removingSlots(1))
	fork := rewrapHead(t, g1, a, adding(newKEK(t)))
	zero := make([]byte, headSize)
	broken := flipped(g1, 2000, 0)
	forged := forgedHead(t, g2, func(h *format.Head) { h.Generation = 7 })
	for _, tt := range []struct {
		name                 string
		head, tail, detached []byte
		faults               []format.Clause
		order                string
		result               []byte // what both copies are then
	}{
		{"nothing wrong", g1, g1, nil, nil, "", g1},
		{"stale tail", g2, g1, nil, []format.Clause{format.TAIL2}, "tail sync ", g2},
		{"stale head", g1, g2, nil, []format.Clause{format.TAIL2}, "head sync ", g2},
		{"damaged tail", g2, broken, nil, []format.Clause{format.TAIL1}, "tail sync ", g2},
		{"damaged head", broken, g2, nil, []format.Clause{format.HEAD5}, "head sync ", g2},
		{"no head", zero, g1, nil, []format.Clause{format.HEAD1}, "head sync ", g1},
		{"no tail", g1, zero, nil, []format.Clause{format.TAIL1}, "tail sync ", g1},
		{"forged tail", g2, forged, nil, []format.Clause{format.HEAD13}, "tail sync ", g2},
		{"forged head", forged, g2, nil, []format.Clause{format.HEAD13}, "head sync ", g2},
		{"two of a generation", g2, fork, nil, []format.Clause{format.TAIL2}, "tail sync ", g2},
		{"an equal detached head", g2, g2, g2, nil, "", g2},
		{"an older detached head", g2, g2, g1, nil, "", g2},
		{"an older detached head, and a fault", g2, broken, g1, []format.Clause{format.TAIL1}, "tail sync ", g2},
		{"another of the same generation", g2, g2, fork, nil, "", g2},
		{"a newer detached head, and equal copies", g1, g1, g3, []format.Clause{format.TAIL2, format.TAIL2}, "tail sync head sync ", g3},
		{"a newer detached head", g1, g2, g3, []format.Clause{format.TAIL2, format.TAIL2}, "head sync tail sync ", g3},
		{"a detached head and a damaged one", broken, g1, g1, []format.Clause{format.HEAD5}, "head sync ", g1},
		{"only a detached head", zero, zero, g2, []format.Clause{format.HEAD1, format.TAIL1}, "tail sync head sync ", g2},
		{"only a detached head, beside damaged ones", broken, broken, g1, []format.Clause{format.HEAD5, format.TAIL1}, "tail sync head sync ", g1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &disk{b: joined(t, container, tt.head, tt.tail)}
			faults, err := repair(t.Context(), d, size, with(a), tt.detached)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(clauses(faults), tt.faults) {
				t.Errorf("it found %v", faults)
			}
			if _, order := d.written(size); order != tt.order {
				t.Errorf("it wrote %s", order)
			}
			if want := joined(t, container, tt.result, tt.result); !bytes.Equal(d.b, want) {
				t.Error("the copies are not what they should be")
			}
			wantPlain(t, d.b, plain, a, stream.ReaderOptions{}, fewWays)
			d.log = nil
			if faults, err := repair(t.Context(), d, size, with(a), tt.detached); err != nil || len(faults) != 0 || len(d.log) != 0 {
				t.Errorf("a second repair: %v, %v", faults, err)
			}
		})
	}
}

// A copy that cannot be read is written, and then can be.
func TestRepairBadSectors(t *testing.T) {
	a := newKEK(t)
	container := encryptTo(t, plaintext(format.MaxHeadSize), stream.WriterOptions{}, a)
	size := int64(len(container))
	for name, tt := range map[string]struct {
		bad    int64 // an offset
		clause format.Clause
	}{
		"head": {1000, format.HEAD4},
		"tail": {size - 1000, format.TAIL1},
	} {
		d := &disk{b: slices.Clone(container), bad: map[int64]bool{tt.bad / sector: true}}
		faults, err := repair(t.Context(), d, size, with(a), nil)
		if err != nil || !slices.Equal(clauses(faults), []format.Clause{tt.clause}) || faults[0].Offset > tt.bad || faults[0].Offset+faults[0].Length <= tt.bad {
			t.Errorf("%s: %v, %v", name, faults, err)
		}
		if _, order := d.written(size); order != name+" sync " || !bytes.Equal(d.b, container) || len(d.bad) > 0 {
			t.Errorf("%s: it wrote %s", name, order)
		}
		// A rewrap begins with the place that cannot be read.
		d = &disk{b: slices.Clone(container), bad: map[int64]bool{tt.bad / sector: true}}
		if _, err := rewrap(t.Context(), d, size, with(a), adding(newKEK(t))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, order := d.written(size); !strings.HasPrefix(order, name) {
			t.Errorf("%s: it wrote %s", name, order)
		}
	}
}

// A detached head is no licence to write into any file: the last chunk says
// whether it belongs there.
func TestRepairForeignHead(t *testing.T) {
	a := newKEK(t)
	container := encryptTo(t, plaintext(100), stream.WriterOptions{}, a)
	foreign := split(t, encryptTo(t, plaintext(100), stream.WriterOptions{}, a)).head
	long := split(t, encryptTo(t, plaintext(100), stream.WriterOptions{Reserve: 10}, a)).head
	for name, b := range map[string][]byte{
		"another container":   container,
		"without its copies":  joined(t, container, make([]byte, headSize), make([]byte, headSize)),
		"no container at all": plaintext(len(container)),
	} {
		for _, head := range [][]byte{foreign, rewrapHead(t, foreign, a, &stream.Edit{}), long} {
			d := &disk{b: slices.Clone(b)}
			faults, err := repair(t.Context(), d, int64(len(b)), with(a), head)
			if name == "another container" && err == nil && len(faults) == 0 {
				continue // its own copies were enough
			}
			if err == nil || len(d.log) != 0 {
				t.Errorf("%s: %v, %v, %d events", name, faults, err, len(d.log))
			}
		}
	}
}

// tebibyte is the size of a container that nobody has to write out.
const tebibyte = 1 << 40

// bigContainer makes the copies and the last chunk of a container of about a tebibyte
// for one KEK: all of it that a rewrap looks at. The rest may be holes.
func bigContainer(t testing.TB, k *keyslot.KEK) (l format.Layout, head, last []byte) {
	t.Helper()
	h := &format.Head{Preamble: format.Preamble{Suite: format.AES256GCM, Pages: 1, Salt: [32]byte{1}}, Generation: 1}
	cek := plaintext(format.CEKSize)
	keys, err := seal.NewKeys(cek, &h.Preamble)
	if err != nil {
		t.Fatal(err)
	}
	h.Commitment = keys.Commitment()
	body, err := k.Wrap(t.Context(), osMixer(), &h.Preamble, cek)
	if err != nil {
		t.Fatal(err)
	}
	h.Slots = []format.Slot{{Type: k.Type(), ID: keys.SlotID(k.Canonical()), Body: body}}
	b, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	head = rewrappedHead(t, keys, b, func(*format.Head) {})
	if l, err = format.NewLayout(tebibyte+1000, headSize); err != nil {
		t.Fatal(err)
	}
	key, err := keys.Key(l.Chunks-1, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, n := l.Chunk(l.Chunks - 1)
	return l, head, key.Seal(nil, plaintext(int(n)-format.TagSize), l.Chunks-1, new(seal.Nonce))
}

// counted counts what goes through a file.
type counted struct {
	stream.File
	read, written int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.read += len(p)
	return c.File.ReadAt(p, off)
}

func (c *counted) WriteAt(p []byte, off int64) (int, error) {
	c.written += len(p)
	return c.File.WriteAt(p, off)
}

// A rewrap costs the same whatever the size: 2*H bytes written, and few read.
func TestRewrapTebibyte(t *testing.T) {
	f := sparseFile(t)
	a, b := newKEK(t), newKEK(t)
	l, head, last := bigContainer(t, a)
	at, _ := l.Chunk(l.Chunks - 1)
	for off, piece := range map[int64][]byte{0: head, at: last, l.TailOffset(): head} {
		if _, err := f.WriteAt(piece, off); err != nil {
			t.Fatal(err)
		}
	}
	c := &counted{File: f}
	h, err := rewrap(t.Context(), c, l.Size, with(a), &stream.Edit{Add: to(b), Remove: []stream.Named{a}, Entropy: osMixer()})
	if err != nil {
		t.Fatal(err)
	}
	if c.written != 2*headSize || c.read > 4*headSize+format.SealedChunkSize+2*format.PreambleSize {
		t.Errorf("%d bytes written, %d read", c.written, c.read)
	}
	r, err := stream.NewReaderAt(t.Context(), f, l.Size, with(b), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, _ := r.Size(); n != l.PlainSize || len(r.Warnings()) != 0 || h.Head().Generation != 2 {
		t.Errorf("size %d, warnings %v", n, r.Warnings())
	}
	if _, err := stream.NewReaderAt(t.Context(), f, l.Size, with(a), nil); clauseOf(err) != format.SLOT3 {
		t.Errorf("with the key that was removed: %v", err)
	}
}

// sparseFile is an empty file that takes room only for what is written.
func sparseFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(tebibyte); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no sparse files here: %v", err)
	}
	return f
}
