package parity_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"bulla/format"
	"bulla/parity"
)

// undone is what a repair of p, damaged, has saved.
func (p *patient) undone(t testing.TB) []byte {
	t.Helper()
	d, undo := &disk{b: bytes.Clone(p.container), writes: -1}, []byte(nil)
	if _, err := repair(d, p.par, &undo, nil); err != nil || undo == nil {
		t.Fatal(err)
	}
	return undo
}

// sealUndo gives what an undo file begins with the checksum that it should have, and the state of a
// repair that has not ended.
func sealUndo(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(bytes.Clone(b), slowCRC(b)), 0)
}

// An undo file with a true checksum is refused all the same, if it is not what a repair
// writes: nothing is brought back of it.
func TestUndoRefused(t *testing.T) {
	id := `"` + string(bytes.Repeat([]byte("A"), 128)) + `"` // Base64 of 96 zeros
	for name, c := range map[string]struct {
		line string
		more int // bytes of ranges
		ok   bool
	}{
		"one range":           {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":10}]}`, 10, true},
		"two":                 {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":10},{"offset":15,"length":85}]}`, 95, true},
		"overlapping":         {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":10},{"offset":14,"length":1}]}`, 11, false},
		"in another order":    {`{"identity":` + id + `,"size":100,"ranges":[{"offset":50,"length":1},{"offset":5,"length":1}]}`, 2, false},
		"before the start":    {`{"identity":` + id + `,"size":100,"ranges":[{"offset":-1,"length":1}]}`, 1, false},
		"beyond the end":      {`{"identity":` + id + `,"size":100,"ranges":[{"offset":99,"length":2}]}`, 2, false},
		"far beyond":          {`{"identity":` + id + `,"size":100,"ranges":[{"offset":9223372036854775807,"length":9223372036854775807}]}`, 2, false},
		"empty":               {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":0}]}`, 0, false},
		"of fewer bytes":      {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":-4},{"offset":5,"length":8}]}`, 4, false},
		"something follows":   {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":10}]}`, 11, false},
		"a byte is missing":   {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":10}]}`, 9, false},
		"no size":             {`{"identity":` + id + `,"size":-1,"ranges":[]}`, 0, false},
		"nothing":             {`null`, 0, false},
		"an empty object":     {`{}`, 0, false},
		"no identity":         {`{"identity":"AAAA","size":100,"ranges":[{"offset":5,"length":10}]}`, 10, false},
		"written another way": {`{"identity":` + id + `, "size":100,"ranges":[{"offset":5,"length":10}]}`, 10, false},
		"more fields":         {`{"identity":` + id + `,"size":100,"ranges":[{"offset":5,"length":10}],"x":1}`, 10, false},
	} {
		b := sealUndo(append([]byte(c.line+"\n"), make([]byte, c.more)...))
		u, err := readUndo(b)
		if pe, refused := errors.AsType[*format.ParseError](err); c.ok != (err == nil) || !c.ok && (!refused || u != nil || pe.Clause != "PAR-19" || !errors.Is(err, format.ErrDamaged)) {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
}

// What parses of an undo file is written in one way, and brings back what it has, in its place.
func FuzzUndo(f *testing.F) {
	p := newPatient(f, 5, 70<<10)
	noise(p.rng, p.chunk(p.container, 0)[:100])
	clear(p.container[:p.head])
	for _, b := range [][]byte{p.undone(f)[:1000], []byte("{\"identity\":\"\",\"size\":9,\"ranges\":[{\"offset\":1,\"length\":2}]}\nab"), []byte("null\n"), {}} {
		f.Add(b)
	}
	line, _ := json.Marshal(&parity.Undo{Identity: make([]byte, format.IdentitySize), Size: 9, Ranges: []parity.Range{{Offset: 1, Length: 2}, {Offset: 8, Length: 1}}})
	f.Add(append(line, "\nabc"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = sealUndo(b) // which is too much to ask of a fuzzer
		u, err := readUndo(b)
		if err != nil {
			if !errors.Is(err, format.ErrDamaged) || u != nil {
				t.Fatalf("%v, %v", u, err)
			}
			return
		}
		line, err := json.Marshal(u)
		if err != nil || !bytes.HasPrefix(b, append(line, '\n')) {
			t.Fatalf("%q reads as %q, %v", b, line, err)
		}
		if u.Size > 1<<20 {
			return
		}
		d := &disk{b: append(bytes.Clone(u.Identity), bytes.Repeat([]byte{'-'}, int(u.Size)+3)...), writes: -1}
		want := bytes.Clone(d.b[:u.Size])
		saved := b[len(line)+1:]
		for _, r := range u.Ranges {
			saved = saved[copy(want[r.Offset:r.Offset+r.Length], saved):]
		}
		if err := u.Restore(d, int64(len(d.b))); err != nil || !bytes.Equal(d.b, want) || len(saved) != 5 {
			t.Fatalf("%q brings back %q, %v", b, d.b, err)
		}
	})
}

// A repair by an undo file that a fuzzer wrote for this container changes no chunk that opens
// with a key at hand.
func TestHostileUndo(t *testing.T) {
	p := newPatient(t, 21, 300<<10)
	if p.chunks < 3 {
		t.Fatal("too short")
	}
	line := func(ranges ...parity.Range) []byte {
		b, err := json.Marshal(&parity.Undo{Identity: p.whole[:format.IdentitySize], Size: int64(len(p.whole)), Ranges: ranges})
		if err != nil {
			t.Fatal(err)
		}
		return append(b, '\n')
	}
	chunk := parity.Range{Offset: int64(p.head), Length: L}
	evil := make([]byte, L)
	noise(p.rng, evil)
	for name, c := range map[string][]byte{
		"a chunk":  append(line(chunk), evil...),
		"the head": append(line(parity.Range{Length: int64(p.head)}), evil[:p.head]...),
		"all": append(line(parity.Range{Length: int64(len(p.whole))}),
			bytes.Repeat([]byte{7}, len(p.whole))...),
	} {
		undo := sealUndo(c)
		d := &disk{b: bytes.Clone(p.whole), writes: -1}
		clear(p.chunk(d.b, 1))
		before := bytes.Clone(d.b)
		res, err := repair(d, p.par, &undo, p.open)
		if err == nil && res.Complete() && !bytes.Equal(d.b, p.whole) {
			t.Errorf("%s: said to be whole", name)
		}
		for i := range p.chunks {
			if now := p.chunk(d.b, i); !bytes.Equal(now, p.chunk(before, i)) && !bytes.Equal(now, p.chunk(p.whole, i)) {
				t.Errorf("%s: chunk %d became another: %v", name, i, err)
			}
		}
	}
}

// A failing counts down to a call that fails, and from then on all do.
type brittle struct {
	*disk
	left int
	fail error
}

func (b *brittle) next() error {
	if b.left--; b.left < 0 {
		return b.fail
	}
	return nil
}

func (b *brittle) WriteAt(p []byte, off int64) (int, error) {
	if err := b.next(); err != nil {
		return 0, err
	}
	return b.disk.WriteAt(p, off)
}

func (b *brittle) Truncate(size int64) error {
	if err := b.next(); err != nil {
		return err
	}
	return b.disk.Truncate(size)
}

func (b *brittle) Sync() error {
	if err := b.next(); err != nil {
		return err
	}
	return b.disk.Sync()
}

// Whichever write, truncation or synchronization fails, of a repair in place, of one in a copy, and
// of bringing back: that is the error, and what was saved brings back what there was.
func TestWritesFail(t *testing.T) {
	p := newPatient(t, 22, 200<<10)
	noise(p.rng, p.chunk(p.container, 0))
	clear(p.container[:p.head])
	p.container = append(p.container, "more"...) // to be cut off
	size, length := int64(len(p.container)), int64(len(p.par))
	for _, inCopy := range []bool{false, true} {
		for n := 0; ; n++ {
			d := &brittle{&disk{b: bytes.Clone(p.container), writes: -1}, n, errFull}
			opts := &parity.RepairOptions{Workers: 1}
			var undo []byte
			if inCopy {
				d.b, opts.Source = nil, bytes.NewReader(p.container)
			} else {
				opts.Save = func(write func(io.Writer) error) (*parity.Undo, error) {
					var b bytes.Buffer
					err := write(&b)
					undo = b.Bytes()
					if err != nil {
						return nil, err
					}
					return readUndo(undo)
				}
			}
			res, err := parity.Repair(context.Background(), d, size, bytes.NewReader(p.par), length, opts)
			if err == nil {
				if d.left < 0 || !res.Complete() || !bytes.Equal(d.b, p.whole) || n < 4 {
					t.Errorf("copy %v, after %d calls: %s", inCopy, n, told(res))
				}
				break
			}
			if err != errFull {
				t.Fatalf("copy %v, call %d: %v", inCopy, n, err)
			}
			if !inCopy {
				u, err := readUndo(undo)
				if err != nil {
					t.Fatal(err)
				}
				for k := 0; ; k++ { // and bringing back may fail, and be done again
					d.left = k
					if err = u.Restore(d, int64(len(d.b))); err == nil {
						break
					}
					if err != errFull || k > 100 {
						t.Fatalf("call %d, bringing back: %v", n, err)
					}
				}
				if !bytes.Equal(d.b, p.container) {
					t.Fatalf("call %d: not brought back", n)
				}
			}
		}
	}
	// An undo file that is not written whole ends the repair before it writes.
	for _, room := range []int{0, 10, 1000, 60_000} {
		d := &disk{b: bytes.Clone(p.container), writes: -1}
		opts := &parity.RepairOptions{Save: func(write func(io.Writer) error) (*parity.Undo, error) { return nil, write(&full{room}) }}
		if _, err := parity.Repair(context.Background(), d, size, bytes.NewReader(p.par), length, opts); err != errFull || !bytes.Equal(d.b, p.container) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
}

// A context that ends in the middle ends a repair with its cause, before or after it writes: what
// was saved brings back what there was.
func TestRepairEnds(t *testing.T) {
	p := newPatient(t, 23, 2<<20)
	p.spoilGroups(p.m)
	p.container = append(bytes.Clone(p.container[:p.head+5*L+9]), append([]byte("inserted"), p.container[p.head+5*L+9:]...)...)
	reads := 0
	for n, over := 0, false; !over; n += 1 + reads/12 {
		ctx, cancel := context.WithCancelCause(context.Background())
		d := &disk{b: bytes.Clone(p.container), writes: -1}
		var undo []byte
		opts := &parity.RepairOptions{Workers: 1, Save: func(write func(io.Writer) error) (*parity.Undo, error) {
			var b bytes.Buffer
			err := write(&b)
			undo = b.Bytes()
			if err != nil {
				return nil, err
			}
			return readUndo(undo)
		}}
		c := &countdown{Place: d, left: n, over: func() { cancel(errCrash) }}
		par := &countdown{Place: &disk{b: p.par, writes: -1}, left: n, over: func() { cancel(errCrash) }}
		res, err := parity.Repair(ctx, c, int64(len(d.b)), par, int64(len(p.par)), opts)
		if over = c.left >= 0 && par.left >= 0; over && (err != nil || !bytes.Equal(d.b, p.whole)) {
			t.Errorf("%v, %s", err, told(res))
		}
		if reads == 0 { // it ended at the first; how many there are otherwise
			reads = 400
		}
		if err != nil && err != errCrash {
			t.Fatalf("read %d: %v", n, err)
		}
		if restore(t, d, undo); !bytes.Equal(d.b, p.container) {
			t.Fatalf("read %d: not brought back, %v", n, err)
		}
		cancel(nil)
	}
}

// A countdown calls over at one of its reads.
type countdown struct {
	parity.Place
	left int
	over func()
}

func (c *countdown) ReadAt(b []byte, off int64) (int, error) {
	if c.left--; c.left == -1 {
		c.over()
	}
	return c.Place.ReadAt(b, off)
}

// What a parity file and its repair tell: whose it is, and when the head of a container is the
// one that the parity file had.
func TestTells(t *testing.T) {
	p, other := newPatient(t, 24, 200<<10), newPatient(t, 25, 200<<10)
	if !parity.IsOf(bytes.NewReader(p.par), p.whole[:p.head]) || parity.IsOf(bytes.NewReader(p.par), other.whole[:other.head]) ||
		parity.IsOf(bytes.NewReader(p.par), nil) || parity.IsOf(bytes.NewReader(p.whole), p.whole[:p.head]) || parity.IsOf(bytes.NewReader(nil), p.whole[:p.head]) {
		t.Error("it does not know its container")
	}
	torn := append(make([]byte, 512), p.par[512:]...) // and its copy of the head is there: a repair would use it
	if !parity.IsOf(bytes.NewReader(torn), p.whole[:p.head]) || parity.IsOf(bytes.NewReader(torn), other.whole[:other.head]) {
		t.Error("without its first header it does not know its container")
	}
	for name, c := range map[string]struct {
		head, tail bool // are lost
		saved      bool
	}{"nothing": {}, "the head": {head: true}, "the tail": {tail: true}, "both": {true, true, true}} {
		d, undo := &disk{b: bytes.Clone(p.whole), writes: -1}, []byte(nil)
		if c.head {
			clear(d.b[:p.head])
		}
		if c.tail {
			clear(d.b[len(d.b)-p.head:])
		}
		res, err := repair(d, p.par, &undo, nil)
		if err != nil || !res.Complete() || res.CopyWritten != (c.head || c.tail) {
			t.Fatalf("%s: %v, %s", name, err, told(res))
		}
		if h := res.Saved(); (h != nil) != c.saved || h != nil && h.Identity() != [format.IdentitySize]byte(p.whole) {
			t.Errorf("%s: %v comes from the parity file", name, h)
		}
	}
	// Chunks that are good, and of which the parity file has lost its word, stay as they are.
	blocks := (p.chunks + min(p.groups, p.chunks)*p.m + 62) / 63
	par := bytes.Clone(p.par)
	clear(par[512+p.head+512:][:512])
	clear(par[len(par)-512*(1+blocks):][:512])
	d, undo := &disk{b: bytes.Clone(p.whole), writes: -1}, []byte(nil)
	res, err := repair(d, par, &undo, p.open)
	if err != nil || !bytes.Equal(d.b, p.whole) || res.Repaired != 0 {
		t.Errorf("with a key: %v, %s", err, told(res))
	}
	d, undo = &disk{b: bytes.Clone(p.whole), writes: -1}, nil
	if res, err = repair(d, par, &undo, nil); err != nil || !bytes.Equal(d.b, p.whole) || res.Repaired != 0 {
		t.Errorf("without: %v, %s", err, told(res))
	}
}

// A destination that takes fewer bytes than it gets, without an error, fails.
func TestShortWrite(t *testing.T) {
	p := newPatient(t, 26, 100<<10)
	m, err := parity.NewMaker(shortWriter{}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Write(p.whole); err != io.ErrShortWrite {
		t.Error(err)
	}
	if _, err := m.Close(); err != io.ErrShortWrite {
		t.Error(err)
	}
	var b bytes.Buffer
	if m, err = parity.NewMaker(&b, 1, 1); err != nil {
		t.Fatal(err)
	}
	m.Write(p.whole)
	if _, err := m.Close(); err != nil || m.Size() != int64(b.Len()) {
		t.Errorf("%d of %d bytes, %v", m.Size(), b.Len(), err)
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) / 2, nil }
