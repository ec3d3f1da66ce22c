package parity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"bulla/parity"
)

// A disk is a file in memory, which may fail.
type disk struct {
	b      []byte
	writes int // that it still takes; then one is torn, and none is taken after it. -1 for all
	bad    []parity.Range
}

var errCrash = errors.New("crash")

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	for _, r := range d.bad {
		if off < r.Offset+r.Length && off+int64(len(p)) > r.Offset {
			return 0, errors.New("bad sector")
		}
	}
	if off >= int64(len(d.b)) {
		return 0, io.EOF
	}
	n := copy(p, d.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *disk) WriteAt(p []byte, off int64) (n int, err error) {
	if d.writes == 0 {
		p, err = p[:len(p)/3], errCrash
	}
	if d.writes < -1 {
		return 0, errCrash
	}
	if d.writes >= 0 {
		if d.writes--; d.writes < 0 {
			d.writes = -2
		}
	}
	if end := off + int64(len(p)); end > int64(len(d.b)) {
		d.b = append(d.b, make([]byte, end-int64(len(d.b)))...)
	}
	return copy(d.b[off:], p), err
}

func (d *disk) Truncate(size int64) error {
	if d.writes == 0 || d.writes < -1 {
		d.writes = -2
		return errCrash
	}
	if size > int64(len(d.b)) {
		d.b = append(d.b, make([]byte, size-int64(len(d.b)))...)
	}
	d.b = d.b[:size]
	return nil
}

func (d *disk) Sync() error {
	if d.writes < -1 {
		return errCrash
	}
	return nil
}

// readUndo reads an undo file, in which is noted what becomes of it.
func readUndo(b []byte) (*parity.Undo, error) {
	return parity.ReadUndo(&disk{b: b, writes: -1}, int64(len(b)))
}

// repair repairs d in place. undo is the undo file, before and after.
func repair(d *disk, par []byte, undo *[]byte, open func([]byte) (parity.Opener, error)) (*parity.Result, error) {
	opts := &parity.RepairOptions{Workers: 2, Open: open, Save: func(write func(io.Writer) error) (*parity.Undo, error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return nil, err
		}
		*undo = b.Bytes()
		return readUndo(*undo)
	}}
	if *undo != nil {
		u, err := readUndo(*undo)
		if err != nil {
			return nil, err
		}
		opts.Undo = u
	}
	return parity.Repair(context.Background(), d, int64(len(d.b)), bytes.NewReader(par), int64(len(par)), opts)
}

func restore(t *testing.T, d *disk, undo []byte) {
	t.Helper()
	if undo == nil {
		return
	}
	u, err := readUndo(undo)
	if err == nil {
		err = u.Restore(d, int64(len(d.b)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A patient is a container with its parity file, and what is done to them.
type patient struct {
	rng                     *rand.Rand
	whole                   []byte // as it was made
	container, par          []byte // as they are
	head, chunks, groups, m int
}

func newPatient(t testing.TB, seed uint64, size int) *patient {
	p := &patient{rng: rand.New(rand.NewPCG(seed, 15)), m: 7}
	pages := 1 + p.rng.IntN(3)
	n := size + p.rng.IntN(size)
	if n%L < 16 {
		n += 16
	}
	p.whole = newContainer(t, p.rng, n, pages)
	var s parity.Strength
	p.par, s = made(t, p.whole, p.m, 1<<20)
	p.container = bytes.Clone(p.whole)
	p.head, p.chunks, p.groups = 4096*pages, n/L+1, s.Groups
	return p
}

// chunk is what there is of chunk i in b, a container.
func (p *patient) chunk(b []byte, i int) []byte {
	return b[p.head+i*L : min(p.head+(i+1)*L, len(p.whole)-p.head)]
}

// cell is parity cell k of the first window.
func (p *patient) cell(k int) []byte {
	n := min(p.groups, p.chunks)
	blocks := (p.chunks + n*p.m + 62) / 63
	c := L
	if p.chunks == 1 {
		c = len(p.chunk(p.whole, 0))
	}
	return p.par[512+p.head+512+512*blocks+k*c:][:c]
}

// spoil changes some of b for certain.
func (p *patient) spoil(b []byte) {
	switch p.rng.IntN(3) {
	case 0: // a flipped bit
		b[p.rng.IntN(len(b))] ^= 1 << p.rng.IntN(8)
	case 1: // a sector of zeros
		from := p.rng.IntN(len(b))
		clear(b[from:min(len(b), from+512)])
		b[from] ^= 0x55
	case 2:
		noise(p.rng, b)
	}
}

// spoilChunks spoils so many chunks and cells of each group at most, and at least one in all.
func (p *patient) spoilGroups(most int) {
	n := min(p.groups, p.chunks)
	for q := range n {
		left := p.rng.IntN(most + 1)
		if q == 0 {
			left = most
		}
		for _, x := range p.rng.Perm(p.m + (p.chunks-q+p.groups-1)/p.groups)[:min(left, (p.chunks-q+p.groups-1)/p.groups)] {
			if x < p.m {
				p.spoil(p.cell(x*n + q))
			} else {
				p.spoil(p.chunk(p.container, q+(x-p.m)*p.groups))
			}
		}
	}
}

// damages are what media do, each within what the parity file promises.
var damages = map[string]func(p *patient){
	"groups": func(p *patient) { p.spoilGroups(p.m) },
	"hole": func(p *patient) {
		payload := p.container[p.head : len(p.container)-p.head]
		hole := min((p.m*p.groups-1)*L+1, len(payload))
		from := p.rng.IntN(len(payload) - hole + 1)
		clear(payload[from : from+hole])
	},
	"half a percent": func(p *patient) {
		for range max(1, p.chunks/200) {
			p.spoil(p.chunk(p.container, p.rng.IntN(p.chunks)))
		}
	},
	"head and tail": func(p *patient) {
		clear(p.container[:p.head])
		clear(p.container[len(p.container)-p.head:])
		p.spoilGroups(p.m)
	},
	"head": func(p *patient) { p.spoil(p.container[:p.head]) },
	"tail": func(p *patient) { p.container = p.container[:len(p.container)-1-p.rng.IntN(p.head)] },
	"parity file": func(p *patient) { // one percent of it, anywhere
		n := len(p.par) / 100
		from := p.rng.IntN(len(p.par) - n)
		noise(p.rng, p.par[from:from+n])
		for q := range min(p.groups, p.chunks) {
			p.spoil(p.chunk(p.container, q))
		}
	},
	"parity file cut": func(p *patient) { // in its last row of cells
		n := min(p.groups, p.chunks)
		end := 2*512 + p.head + 512*((p.chunks+n*p.m+62)/63) + n*p.m*len(p.cell(0))
		p.par = p.par[:end-1-p.rng.IntN(n*len(p.cell(0)))]
		for q := range n {
			p.spoil(p.chunk(p.container, q))
		}
	},
	"parity file, its start and sectors of its tables": func(p *patient) {
		clear(p.par[:p.rng.IntN(512+p.head)])
		first := 512 + p.head + 512
		blocks := (p.chunks + min(p.groups, p.chunks)*p.m + 62) / 63
		for b := range blocks { // one of its two copies
			at := first + b*512
			if p.rng.IntN(2) == 0 {
				at = len(p.par) - 512*(1+blocks-b)
			}
			p.spoil(p.par[at : at+512])
		}
		p.spoilGroups(p.m)
	},
	"insertion": func(p *patient) {
		b := make([]byte, 1+p.rng.IntN(4096))
		noise(p.rng, b)
		p.container = slices.Insert(p.container, p.rng.IntN(len(p.container)), b...)
	},
	"deletion": func(p *patient) {
		at, n := p.rng.IntN(len(p.container)-4096), 1+p.rng.IntN(4096)
		p.container = slices.Delete(p.container, at, at+n)
	},
	"both, and a hole": func(p *patient) {
		third := p.head + p.chunks/3*L
		p.container = slices.Delete(p.container, third, third+1+p.rng.IntN(4000))
		clear(p.container[third : third+min(L, p.chunks/3*L)])
		p.container = slices.Insert(p.container, p.rng.IntN(third), []byte("inserted")...)
	},
}

// told is a report in few words.
func told(report any) string {
	b, err := json.Marshal(report)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// long is how much larger trials are with BULLA_LONG.
var long = os.Getenv("BULLA_LONG") != ""

// Whatever damage is within the bound ends in what the container was: in place, by a
// copy, and by a repair that crashes at any write and is done again.
func TestTrials(t *testing.T) {
	if long {
		t.Run("2 GiB", trialsLarge)
	}
	trials := 100
	if long {
		trials = 1000
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range trials/len(damages) + 1 {
				size := 64<<10 + rand.New(rand.NewPCG(uint64(i), 7)).IntN(4<<20)
				if long {
					size = 8<<20 + rand.New(rand.NewPCG(uint64(i), 7)).IntN(56<<20)
				}
				if i == 0 {
					size = 64 << 10
				}
				p := newPatient(t, uint64(i), size)
				damage(p)
				p.check(t, fmt.Sprint(name, " ", i))
			}
		})
	}
}

// check has p repaired to what it was.
func (p *patient) check(t *testing.T, name string) {
	t.Helper()
	report, err := parity.Scrub(context.Background(), bytes.NewReader(p.container), int64(len(p.container)), bytes.NewReader(p.par), int64(len(p.par)), nil)
	if err != nil {
		t.Errorf("%s: scrub: %v", name, err)
		return
	}
	if report.Sound() && report.ParitySound() || !report.Repairable() || report.Lost != 0 {
		t.Errorf("%s: scrub says %s", name, told(report))
	}
	d := &disk{b: bytes.Clone(p.container), writes: -1}
	var undo []byte
	if p.rng.IntN(2) == 0 { // crash once, at one of the first writes, and do it again
		d.writes = p.rng.IntN(12)
		if _, err := repair(d, p.par, &undo, nil); err != nil && err != errCrash {
			t.Errorf("%s: %v", name, err)
		}
		d.writes = -1
	}
	res, err := repair(d, p.par, &undo, nil)
	if err != nil || !res.Complete() || !bytes.Equal(d.b, p.whole) {
		t.Errorf("%s: in place: %v, %s", name, err, told(res))
		return
	}
	restore(t, d, undo)
	if !bytes.Equal(d.b, p.container) {
		t.Errorf("%s: the undo file does not bring back what was there", name)
	}
	d = &disk{writes: -1}
	res, err = parity.Repair(context.Background(), d, int64(len(p.container)), bytes.NewReader(p.par), int64(len(p.par)),
		&parity.RepairOptions{Source: bytes.NewReader(p.container)})
	if err != nil || !res.Complete() || !bytes.Equal(d.b, p.whole) {
		t.Errorf("%s: into a copy: %v, %s", name, err, told(res))
	}
}

// Above the bound what can be repaired is, the rest stays as it was, and the report says
// exactly which chunks that is.
func TestAboveTheBound(t *testing.T) {
	trials := 20
	if long {
		trials = 200
	}
	for i := range trials {
		p := newPatient(t, uint64(i), 2<<20)
		want := make(map[int]bool)
		for q := range p.groups { // some groups lose more than they can
			n := (p.chunks - q + p.groups - 1) / p.groups
			over := p.rng.IntN(2) == 0 || q == 0
			for x := range p.rng.Perm(n)[:min(n, p.m)] {
				noise(p.rng, p.chunk(p.container, q+x*p.groups))
				want[q+x*p.groups] = over
			}
			if over {
				p.spoil(p.cell(q))
			}
		}
		d := &disk{b: bytes.Clone(p.container), writes: -1}
		var undo []byte
		res, err := repair(d, p.par, &undo, nil)
		if err != nil || res.Complete() {
			t.Fatal(i, err, told(res))
		}
		var losses []parity.Range
		for r := range p.chunks {
			lost := want[r]
			if lost != bytes.Equal(p.chunk(d.b, r), p.chunk(p.container, r)) && (lost || want[r]) || !lost && !bytes.Equal(p.chunk(d.b, r), p.chunk(p.whole, r)) {
				t.Errorf("trial %d, chunk %d: lost %v", i, r, lost)
			}
			if lost {
				losses = append(losses, parity.Range{Offset: int64(p.head + r*L), Length: int64(len(p.chunk(p.whole, r)))})
			}
		}
		var got []parity.Range
		for _, l := range res.Losses {
			for ; l.Length > 0; l.Offset, l.Length = l.Offset+L, l.Length-L {
				got = append(got, parity.Range{Offset: l.Offset, Length: min(l.Length, L)})
			}
		}
		if !slices.Equal(got, losses) || res.Lost != int64(len(losses)) || res.Unrepaired != res.Lost || res.Left.Parity != 0 {
			t.Errorf("trial %d: lost %v, not %v; %s", i, got, losses, told(res))
		}
	}
}
