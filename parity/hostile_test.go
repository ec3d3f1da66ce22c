package parity_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"bulla/format"
	"bulla/parity"
)

// A key opens what was in the container when it was made.
type key struct{ p *patient }

func (k key) Opens(i int64, sealed []byte, last bool) bool {
	return i < int64(k.p.chunks) && last == (int(i) == k.p.chunks-1) && bytes.Equal(sealed, k.p.chunk(k.p.whole, int(i)))
}

func (p *patient) open([]byte) (parity.Opener, error) { return key{p}.Opens, nil }

// A parity file that says of good chunks that they were something else, with true
// checksums and parity: without a key it is believed, and --undo brings back what was
// there; with a key no chunk that opens is touched, and none that does not is written.
func TestHostileEntries(t *testing.T) {
	for seed := range uint64(10) {
		p := newPatient(t, seed, 1<<20)
		evil := bytes.Clone(p.whole)
		noise(p.rng, p.chunk(evil, 1))
		noise(p.rng, p.chunk(evil, p.chunks-1))
		par, _ := made(t, evil, p.m, 1<<20)

		d, undo := &disk{b: bytes.Clone(p.whole), writes: -1}, []byte(nil)
		res, err := repair(d, par, &undo, nil)
		if err != nil || res.Repaired != 2 || !bytes.Equal(d.b, evil) {
			t.Fatalf("without a key: %v, %s", err, told(res))
		}
		restore(t, d, undo)
		if !bytes.Equal(d.b, p.whole) {
			t.Error("it was not brought back")
		}
		undo = nil
		res, err = repair(d, par, &undo, p.open)
		if err != nil || res.Repaired != 0 || !res.Complete() || undo != nil || !bytes.Equal(d.b, p.whole) {
			t.Errorf("with a key: %v, %s", err, told(res))
		}
		noise(p.rng, p.chunk(d.b, 1)) // damaged, and the parity file has something else
		before := bytes.Clone(d.b)
		res, err = repair(d, par, &undo, p.open)
		if err != nil || res.Repaired != 0 || res.Unrepaired != 1 || !bytes.Equal(d.b, before) {
			t.Errorf("with a key, damaged: %v, %s", err, told(res))
		}
		// What an earlier repair without a key has put there fits, and does not open: it is no repair.
		undo = nil
		e := &disk{b: bytes.Clone(p.whole), writes: -1}
		if _, err = repair(e, par, &undo, nil); err != nil {
			t.Fatal(err)
		}
		res, err = repair(e, par, &undo, p.open)
		if err != nil || res.Repaired != 0 || res.Unrepaired != 2 || res.Complete() || !bytes.Equal(e.b, evil) {
			t.Errorf("with a key, after one without: %v, %s", err, told(res))
		}
		undo = nil

		// With the true parity file the key has nothing against it.
		if res, err = repair(d, p.par, &undo, p.open); err != nil || !res.Complete() || !bytes.Equal(d.b, p.whole) {
			t.Errorf("with a key, repaired: %v, %s", err, told(res))
		}
	}
}

// signed gives every block of a parity file the checksum that it should have: what
// somebody can do who wants to do harm.
func signed(par, identity []byte, tables map[int]int) {
	for at, w := range tables { // blocks of tables, with their windows
		b := par[at : at+512]
		binary.BigEndian.PutUint32(b[508:], slowCRC(identity, binary.BigEndian.AppendUint64(nil, uint64(w)), b[:508]))
	}
	for at := 0; at+512 <= len(par); at++ {
		if string(par[at:at+8]) == "bullapar" {
			binary.BigEndian.PutUint32(par[at+508:], slowCRC(par[at:at+508]))
		}
	}
}

// Whatever a parity file with true checksums says costs no byte that the undo file does
// not bring back; and with a key none at all.
func TestHostile(t *testing.T) {
	trials := 100
	if long {
		trials = 1000
	}
	p := newPatient(t, 1, 300<<10)
	if p.chunks > 100 {
		t.Fatal("not a small one")
	}
	tables := make(map[int]int)
	blocks := (p.chunks + 2*p.m + 62) / 63
	for b := range blocks {
		tables[512+p.head+512+b*512] = 0
		tables[len(p.par)-512-(blocks-b)*512] = 0
	}
	for i := range trials {
		rng := rand.New(rand.NewPCG(uint64(i), 9))
		par := bytes.Clone(p.par)
		for range 1 + rng.IntN(6) { // fields of headers, entries, cells
			at := []int{8 + rng.IntN(8), 112 + rng.IntN(16), 16 + rng.IntN(96), 512 + p.head + 8 + rng.IntN(8), 512 + p.head + 112 + rng.IntN(16), len(par) - 512 + 112 + rng.IntN(16),
				512 + p.head + 512 + rng.IntN(8*(p.chunks+2*p.m)), rng.IntN(len(par))}[rng.IntN(8)]
			par[at] = byte(rng.Uint32())
			if rng.IntN(3) == 0 { // the other copy says the same
				copy(par[len(par)-512:], par[512+p.head:][:512])
				copy(par[len(par)-512-blocks*512:], par[512+p.head+512:][:blocks*512])
			}
		}
		signed(par, p.whole[:96], tables)
		start := bytes.Clone(p.whole)
		if rng.IntN(2) == 0 {
			clear(start[:p.head])
			noise(rng, p.chunk(start, 0))
		}
		d, undo := &disk{b: bytes.Clone(start), writes: -1}, []byte(nil)
		_, err := repair(d, par, &undo, nil)
		if undo == nil && !bytes.Equal(d.b, start) {
			t.Fatalf("trial %d: changed, and nothing was saved: %v", i, err)
		}
		if restore(t, d, undo); !bytes.Equal(d.b, start) {
			t.Fatalf("trial %d: not brought back: %v", i, err)
		}
		d = &disk{b: bytes.Clone(p.whole), writes: -1}
		undo = nil
		if res, err := repair(d, par, &undo, p.open); err == nil && int64(len(d.b)) == res.Size && !bytes.Equal(d.b, p.whole) {
			t.Fatalf("trial %d: a chunk that opens was changed: %s", i, told(res))
		}
		if restore(t, d, undo); !bytes.Equal(d.b, p.whole) {
			t.Fatalf("trial %d: with a key, not brought back", i)
		}
	}
}

// A fuzzer's parity file neither crashes a repair nor costs anything.
func FuzzParityFile(f *testing.F) {
	p := newPatient(f, 3, 70<<10)
	for _, par := range [][]byte{p.par, p.par[:len(p.par)/2], p.par[:600], {}} {
		f.Add(par, uint16(0), byte(0))
		f.Add(par, uint16(700), byte(255))
	}
	f.Fuzz(func(t *testing.T, par []byte, at uint16, by byte) {
		par = bytes.Clone(par)
		if int(at) < len(par) {
			par[at] ^= by
		}
		signed(par, p.whole[:96], nil)
		start := bytes.Clone(p.whole)
		noise(rand.New(rand.NewPCG(1, 1)), p.chunk(start, 0))
		d, undo := &disk{b: bytes.Clone(start), writes: -1}, []byte(nil)
		res, err := repair(d, par, &undo, nil)
		if err == nil && res.Lost == 0 && undo == nil && !bytes.Equal(d.b, start) {
			t.Fatal("changed, and nothing was saved")
		}
		if restore(t, d, undo); !bytes.Equal(d.b, start) {
			t.Fatal("not brought back")
		}
	})
}

// zeros is a file of zeros, which counts what is read of it.
type zeros struct {
	parity.Place
	read int64
}

func (z *zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	z.read += int64(len(b))
	return len(b), nil
}

// What is no undo file is not searched to its end for a line, and held.
func TestUndoEndless(t *testing.T) {
	for _, size := range []int64{1 << 28, 1 << 36} { // a hole takes no room
		z := new(zeros)
		if _, err := parity.ReadUndo(z, size); !errors.Is(err, format.ErrDamaged) || z.read > 2<<20 {
			t.Errorf("of %d bytes %d were read: %v", size, z.read, err)
		}
	}
}

// An undo file that is damaged, cut off, longer, or of another container is refused, and
// nothing is written.
func TestUndoFiles(t *testing.T) {
	p := newPatient(t, 5, 200<<10)
	p.spoilGroups(p.m)
	clear(p.container[:p.head])
	d, undo := &disk{b: bytes.Clone(p.container), writes: 1}, []byte(nil)
	if _, err := repair(d, p.par, &undo, nil); err != errCrash {
		t.Fatal(err)
	}
	torn := bytes.Clone(d.b)
	for _, bad := range [][]byte{{}, undo[:20], undo[:len(undo)-1], append(bytes.Clone(undo), 0), undo[:len(undo)/2]} {
		if _, err := readUndo(bad); !errors.Is(err, format.ErrDamaged) {
			t.Errorf("%d of %d bytes: %v", len(bad), len(undo), err)
		}
	}
	for range 200 {
		bad := bytes.Clone(undo)
		bad[p.rng.IntN(len(bad))] ^= 1 << p.rng.IntN(8)
		u, err := readUndo(bad)
		if !errors.Is(err, format.ErrDamaged) {
			t.Errorf("a flipped bit: %v, %v", u, err)
		}
	}
	other := newPatient(t, 6, 200<<10)
	d.writes = -1
	d.b = bytes.Clone(other.whole)
	if _, err := repair(d, other.par, &undo, nil); !errors.Is(err, parity.ErrOtherUndo) || !bytes.Equal(d.b, other.whole) {
		t.Errorf("the undo file of another container: %v", err)
	}
	u, err := readUndo(undo)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Restore(d, int64(len(d.b))); !errors.Is(err, parity.ErrOtherUndo) || !bytes.Equal(d.b, other.whole) {
		t.Errorf("undone in another container: %v", err)
	}
	d.b = torn
	if res, err := repair(d, p.par, &undo, nil); err != nil || !bytes.Equal(d.b, p.whole) {
		t.Errorf("finished: %v, %s", err, told(res))
	}
	noise(p.rng, p.chunk(d.b, p.chunks-1)[:100])
	again := bytes.Clone(d.b)
	if _, err := repair(d, p.par, &undo, nil); err != nil && !bytes.Equal(d.b, again) || err == nil && !bytes.Equal(d.b, p.whole) {
		t.Errorf("other damage: %v", err)
	}
}

// What was appended after a repair is not in its undo file, and so is not cut off.
func TestAppendedAfter(t *testing.T) {
	for name, size := range map[string]int{"of its size": 0, "that was cut off": -100, "that was longer": 100} {
		p := newPatient(t, 28, 200<<10)
		noise(p.rng, p.chunk(p.container, 0))
		p.container = append(p.container, make([]byte, 100)...)[:len(p.container)+size]
		d, undo := &disk{b: bytes.Clone(p.container), writes: -1}, []byte(nil)
		if _, err := repair(d, p.par, &undo, nil); err != nil || !bytes.Equal(d.b, p.whole) {
			t.Fatalf("%s: %v", name, err)
		}
		d.b = append(d.b, bytes.Repeat([]byte("new"), 100)...)
		if _, err := repair(d, p.par, &undo, nil); err != parity.ErrUndo || len(d.b) != len(p.whole)+300 {
			t.Errorf("%s: %d of %d bytes are left: %v", name, len(d.b)-len(p.whole), 300, err)
		}
		if restore(t, d, undo); !bytes.Equal(d.b, p.container) {
			t.Errorf("%s: not brought back", name)
		}
	}
}

// A file that has neither a head nor a chunk of the container is left alone, with a key, too: it may
// be anything. What was erased is made anew, if there is parity enough, and so is a copy.
func TestRepairOther(t *testing.T) {
	p := newPatient(t, 3, 100)
	other := newPatient(t, 4, 1<<20)
	for name, b := range map[string][]byte{"a text": []byte("a text of 16 byt"), "noise": other.whole[5000:300_000], "without heads": other.whole[4096 : len(other.whole)-4096]} {
		for _, open := range []func([]byte) (parity.Opener, error){nil, p.open} {
			d, undo := &disk{b: bytes.Clone(b), writes: -1}, []byte(nil)
			if _, err := repair(d, p.par, &undo, open); !errors.Is(err, parity.ErrOther) || undo != nil || !bytes.Equal(d.b, b) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "zeros": make([]byte, len(p.whole))} {
		d, undo := &disk{b: b, writes: -1}, []byte(nil)
		if res, err := repair(d, p.par, &undo, p.open); err != nil || !res.Complete() || !bytes.Equal(d.b, p.whole) {
			t.Errorf("%s: %v, %s", name, err, told(res))
		}
	}
}

// Reads of the container and of the parity file that fail are damage; a Save that fails
// ends the repair before it writes; the end of the context ends everything.
func TestFailing(t *testing.T) {
	p := newPatient(t, 8, 300<<10)
	d := &disk{b: bytes.Clone(p.whole), writes: -1, bad: []parity.Range{{Offset: int64(p.head) + L + 5000, Length: 512}}}
	par := &disk{b: p.par, bad: []parity.Range{{Offset: 100, Length: 10}, {Offset: int64(p.head) + 1100, Length: 4}}}
	size, length := int64(len(d.b)), int64(len(par.b))
	r, err := parity.Scrub(context.Background(), d, size, par, length, nil)
	if err != nil || r.Damaged != 1 || r.ReadErr == nil || !r.Repairable() || r.Blocks == 0 {
		t.Errorf("scrub: %v, %s", err, told(r))
	}
	copied := &disk{writes: -1}
	res, err := parity.Repair(context.Background(), copied, size, par, length, &parity.RepairOptions{Source: d})
	if err != nil || !res.Complete() || !bytes.Equal(copied.b, p.whole) {
		t.Errorf("into a copy: %v, %s", err, told(res))
	}

	noise(p.rng, p.chunk(d.b, 0))
	before := bytes.Clone(d.b)
	fails := &parity.RepairOptions{Save: func(func(io.Writer) error) (*parity.Undo, error) { return nil, errFull }}
	if _, err := parity.Repair(context.Background(), d, size, bytes.NewReader(p.par), length, fails); err != errFull || !bytes.Equal(d.b, before) {
		t.Errorf("save: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errCrash)
	if _, err := parity.Scrub(ctx, d, size, bytes.NewReader(p.par), length, nil); err != errCrash {
		t.Errorf("scrub of an ended context: %v", err)
	}
	if _, err := parity.Repair(ctx, d, size, bytes.NewReader(p.par), length, fails); err != errCrash {
		t.Errorf("repair of an ended context: %v", err)
	}
	z := new(zeros)
	if _, err := parity.Repair(ctx, d, 1<<28, bytes.NewReader(p.par), length, &parity.RepairOptions{Source: z}); err != errCrash || z.read > 1<<20 {
		t.Errorf("a copy for an ended context, of which %d bytes were read: %v", z.read, err)
	}
}

// Parity files that cannot be used say why.
func TestRefused(t *testing.T) {
	p := newPatient(t, 9, 300<<10)
	layout := bytes.Clone(p.par)
	for at := 0; at+512 <= len(layout); at++ {
		if string(layout[at:at+8]) == "bullapar" {
			layout[at+8] = 2
		}
	}
	signed(layout, nil, nil)
	for name, c := range map[string]struct {
		par    []byte
		clause format.Clause
		kind   error
	}{
		"empty":             {nil, parity.PAR1, format.ErrMalformed},
		"no parity file":    {make([]byte, 10_000), parity.PAR1, format.ErrMalformed},
		"a container":       {p.whole, parity.PAR1, format.ErrMalformed},
		"of a newer layout": {layout, parity.PAR2, format.ErrUnsupported},
	} {
		_, err := parity.Scrub(context.Background(), bytes.NewReader(p.whole), int64(len(p.whole)), bytes.NewReader(c.par), int64(len(c.par)), nil)
		if pe, ok := errors.AsType[*format.ParseError](err); !ok || pe.Clause != c.clause || !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := newPatient(t, 10, 300<<10)
	for seed := uint64(11); other.head != p.head; seed++ {
		other = newPatient(t, seed, 300<<10)
	}
	if _, err := parity.Scrub(context.Background(), bytes.NewReader(p.whole), int64(len(p.whole)), bytes.NewReader(other.par), int64(len(other.par)), nil); err != parity.ErrOther {
		t.Errorf("of another container: %v", err)
	}
	spliced := append(bytes.Clone(p.whole[:len(p.whole)-p.head]), other.whole[:other.head]...)
	if _, err := parity.Scrub(context.Background(), bytes.NewReader(spliced), int64(len(spliced)), bytes.NewReader(p.par), int64(len(p.par)), nil); err == nil {
		t.Error("a container with the tail of another")
	}
	// Where nothing says how long it was, the container's size does, if it may be one.
	cut := p.par[:512+p.head+100]
	r, err := parity.Scrub(context.Background(), bytes.NewReader(p.whole), int64(len(p.whole)), bytes.NewReader(cut), int64(len(cut)), nil)
	if err != nil || r.Chunks != int64(p.chunks) || r.ParitySound() {
		t.Errorf("cut off after the head: %v, %s", err, told(r))
	}
	short := p.whole[:2*p.head+L+5]
	if _, err := parity.Scrub(context.Background(), bytes.NewReader(short), int64(len(short)), bytes.NewReader(cut), int64(len(cut)), nil); !errors.Is(err, format.ErrDamaged) {
		t.Errorf("both cut off: %v", err)
	}
}

// A scrub of parts looks at every chunk and cell once.
func TestParts(t *testing.T) {
	p := newPatient(t, 11, 2<<20)
	for i := range p.chunks {
		p.container[p.head+i*L] ^= 1
	}
	for k := range p.m * p.groups {
		p.cell(k)[7] ^= 1
	}
	r, err := parity.Scrub(context.Background(), bytes.NewReader(p.container), int64(len(p.container)), bytes.NewReader(p.par), int64(len(p.par)),
		&parity.ScrubOptions{Part: math.MaxInt, Parts: math.MaxInt})
	if err != nil || r.Checked != 1 {
		t.Errorf("the last of many parts: %v, %s", err, told(r))
	}
	for _, parts := range []int{1, 2, 7, 100} {
		var damaged, checked, cells, bad int64
		for part := 1; part <= parts; part++ {
			r, err := parity.Scrub(context.Background(), bytes.NewReader(p.container), int64(len(p.container)), bytes.NewReader(p.par), int64(len(p.par)),
				&parity.ScrubOptions{Part: part, Parts: parts})
			if err != nil {
				t.Fatal(err)
			}
			damaged, checked, cells, bad = damaged+r.Damaged, checked+r.Checked, cells+r.Cells, bad+r.CellsDamaged
		}
		if n := int64(p.chunks); damaged != n || checked != n || cells != int64(p.m*p.groups) || bad != cells {
			t.Errorf("%d parts: %d of %d chunks damaged, %d of %d cells", parts, damaged, checked, bad, cells)
		}
	}
}

// An undo file says that the repair has ended only if it has, and not while another, or bringing
// back, is under way: killed before that, it is to be finished or undone, and not to be accepted.
func TestUndoEnds(t *testing.T) {
	p := newPatient(t, 27, 200<<10)
	for i := range p.chunks {
		noise(p.rng, p.chunk(p.container, i))
	}
	clear(p.container[:p.head])
	d, undo := &disk{b: bytes.Clone(p.container)}, []byte(nil)
	ended := func(want bool, when string, n int) {
		t.Helper()
		if u, err := readUndo(undo); err != nil || u.Ended != want {
			t.Fatalf("%s, write %d: ended %v, %v", when, n, u != nil && u.Ended, err)
		}
	}
	crashes := 0
	for n, done := 0, false; !done; n++ {
		d.writes = n
		_, err := repair(d, p.par, &undo, nil)
		if done = err == nil; !done {
			ended(false, "killed", n)
			crashes++
		}
	}
	d.writes = -1
	for _, what := range []string{"finished", "looked at again"} {
		if res, err := repair(d, p.par, &undo, nil); err != nil || !bytes.Equal(d.b, p.whole) {
			t.Fatalf("%s: %v, %s", what, err, told(res))
		}
		ended(true, what, 0)
	}
	copy(d.b, p.container) // all that was repaired is damaged again
	d.writes = 1
	if _, err := repair(d, p.par, &undo, nil); err != errCrash {
		t.Fatal(err)
	}
	ended(false, "damaged again, and killed", 1)
	d.writes = -1
	if _, err := repair(d, p.par, &undo, nil); err != nil || !bytes.Equal(d.b, p.whole) {
		t.Fatal(err)
	}
	d.writes = 0
	if u, err := readUndo(undo); err != nil || u.Restore(d, int64(len(d.b))) != errCrash {
		t.Fatalf("bringing back did not crash: %v", err)
	}
	ended(false, "half brought back", 0)
	d.writes = -1
	if restore(t, d, undo); !bytes.Equal(d.b, p.container) || crashes < 3 {
		t.Errorf("after %d crashes it is not brought back", crashes)
	}
}
