package vectors

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bulla/format"
	"bulla/keyslot"
	"bulla/stream"
)

// containers is how many mutants of containers are compared.
const containers = 2000

// Two readers that were written apart, this project's and the one in spec/reader,
// say the same about containers that somebody has had his hands on: outcome,
// clause, what was released, the copy of the head in use, and what shows without
// a key. The mutants are always the same; BULLA_MUTANTS says how many, of sets a tenth.
func TestReadersAgree(t *testing.T) {
	agreeOnContainers(t, second(t), containers)
}

// So does the third, of fewer: it is slow.
func TestReadersAgreeWithTheThird(t *testing.T) {
	agreeOnContainers(t, third(t), containers/10)
}

func agreeOnContainers(t *testing.T, reader []string, n int) {
	m := newMutator()
	ids := []stream.Identity{must(keyslot.NewKEK(keyA)), must(keyslot.NewKEK(keyB))}
	agreeOn(t, reader, n, func(i int) (framed, string) {
		x := m.mutant(i)
		return x, x.verdicts(t, ids)
	}, Success, Warning, NotBulla, Truncated, Damaged, Malformed, Forged, NoKey, Unsupported)
}

// second and third are the commands that run the other readers on mutants.
func second(t *testing.T) []string {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not here, which runs the second reader")
	}
	return []string{node, filepath.Join("..", "..", "spec", "reader", "mutants.mjs")}
}

func third(t *testing.T) []string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import cryptography").Run() == nil {
			return []string{python, "-B", filepath.Join("..", "..", "spec", "reader", "mutants.py")}
		}
	}
	missing(t, "there is no Python with cryptography, which runs the third reader")
	return nil
}

func missing(t *testing.T, what string) {
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// A framed mutant can be written as the second reader takes it, and to files.
type framed interface {
	frame(w io.Writer) error
	save(dir string, i int)
	String() string // what was done
}

// agreeOn compares n mutants, fewer if testing is short, with what another reader says
// of them. mutant gives number i, always the same, and this project's verdict. Each of the
// outcomes has to occur.
func agreeOn(t *testing.T, reader []string, n int, mutant func(i int) (framed, string), want ...Outcome) {
	if s := os.Getenv("BULLA_MUTANTS"); s != "" {
		n = must(strconv.Atoi(s)) * n / containers
	} else if testing.Short() {
		n /= 8
	}
	other := exec.CommandContext(t.Context(), reader[0], append(reader[1:], fmt.Sprintf("%x", keyA), fmt.Sprintf("%x", keyB))...)
	other.Stderr = os.Stderr
	in, out := must(other.StdinPipe()), must(other.StdoutPipe())
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	type one struct {
		framed
		said string
	}
	all := make(chan one, 64)
	go func() {
		defer in.Close()
		defer close(all)
		w := bufio.NewWriter(in)
		for i := range n {
			x, said := mutant(i)
			if x.frame(w) != nil || w.Flush() != nil { // the other side has ended, which shows there
				return
			}
			select {
			case all <- one{x, said}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	outcomes := make(map[string]int)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for i := range n {
		if !lines.Scan() {
			t.Fatalf("mutant %d: the other reader ends: %v, %v", i, lines.Err(), other.Wait())
		}
		x := <-all
		outcome, _, _ := strings.Cut(x.said, " ")
		outcomes[outcome]++
		if theirs := lines.Text(); theirs != x.said {
			t.Errorf("mutant %d (%s)\n  this reader: %s\n  the other:   %s", i, x, x.said, theirs)
			if dir := os.Getenv("BULLA_MUTANTS_DIR"); dir != "" {
				x.save(dir, i)
			}
		}
	}
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d mutants: %v", n, outcomes)
	for _, o := range want {
		if n >= 250 && outcomes[string(o)] == 0 {
			t.Errorf("no mutant of %d comes to %s: they do not try enough", n, o)
		}
	}
}

// A mutant is a container that was changed, perhaps a detached head for it, and the
// role that a reader is asked for.
type mutant struct {
	role                byte
	container, detached []byte
	what                string // was done
}

// frame writes x as the second reader takes it.
func (x *mutant) frame(w io.Writer) error {
	n := uint32(len(x.detached))
	if x.detached == nil {
		n = 1<<32 - 1
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{x.role}, n), uint32(len(x.container)))
	_, err := w.Write(slices.Concat(head, x.detached, x.container))
	return err
}

func (x *mutant) save(dir string, i int) {
	os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".bulla")), x.container, 0o644)
	os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".head")), x.detached, 0o644)
}

func (x *mutant) String() string {
	return fmt.Sprintf("%s; %d bytes, detached head of %d", x.what, len(x.container), len(x.detached))
}

// verdicts is what this project's readers say, as the second reader writes it.
func (x *mutant) verdicts(t *testing.T, ids []stream.Identity) string {
	o := stream.ReaderOptions{Workers: 1, Head: x.detached, Raw: true, Role: format.Role(x.role)} // the second reader does not decompress
	size := int64(len(x.container))
	src := bytes.NewReader(x.container)
	var streamed, random bytes.Buffer
	var v, w string
	r, err := stream.NewReader(t.Context(), src, ids, &o)
	if err != nil {
		v = said(err, nil, nil, &streamed)
	} else {
		_, err = r.WriteTo(&streamed)
		v = said(err, r.Warnings(), r.Head(), &streamed)
		r.Close()
	}
	a, err := stream.NewReaderAt(t.Context(), src, size, ids, &stream.ReaderAtOptions{ReaderOptions: o})
	if err != nil {
		w = said(err, nil, nil, &random)
	} else {
		_, err = a.WriteTo(&random)
		w = said(err, a.Warnings(), a.Head(), &random)
		a.Close()
	}
	var keyless []string
	for _, f := range format.Check(src, size).Findings {
		keyless = append(keyless, fmt.Sprintf("%s %d", f.Clause, f.Offset))
	}
	return fmt.Sprintf("%s | %s | %s", v, w, strings.Join(keyless, ", "))
}

// said is a verdict in words.
func said(err error, warnings []format.Finding, h *format.Head, plain *bytes.Buffer) string {
	outcome, clause, inUse := Success, format.Clause(""), ""
	var found interface{ Finding() format.Finding }
	var noKey *stream.NoKeyError
	switch {
	case errors.As(err, &noKey):
		outcome = NoKey
		for _, cause := range noKey.Causes {
			if errors.As(cause, &found) && FailureOf(found.Finding().Clause) == NoKey {
				clause = found.Finding().Clause
			}
		}
	case errors.As(err, &found):
		clause = found.Finding().Clause
		outcome = FailureOf(clause)
	case err != nil:
		outcome = Outcome(err.Error())
	case len(warnings) > 0:
		outcome, clause = Warning, warnings[0].Clause
	}
	if err == nil {
		inUse = fmt.Sprintf("%d %d", h.Generation, len(h.Slots))
	}
	return fmt.Sprintf("%s %s %d %x %s", outcome, cmp.Or(clause, "-"), plain.Len(), sha256.Sum256(plain.Bytes()), inUse)
}

// A mutator changes containers.
type mutator struct {
	bases  []*box
	copies [][]byte // of heads: good and forged, of all bases and other generations
}

func newMutator() *mutator {
	a, ab := []slot{kek(keyA)}, []slot{kek(keyA), kek(keyB)}
	m := &mutator{}
	for _, f := range []file{
		{label: "one", plain: 100, slots: ab},
		{label: "other", plain: 100},
		{label: "empty"},
		{label: "suite 2", plain: 1000, suite: 2},
		{label: "two pages", plain: 500, pages: 2, slots: ab},
		{label: "two pages", plain: 500}, // with the same CEK
		{label: "three pages", plain: 10, pages: 3},
		{label: "two chunks", plain: C + 100},
		{label: "a full chunk", plain: C},
		{label: "slots", plain: 50, slots: []slot{unknown(0x7fff, 100), kek(keyB), kek(keyA)}},
		{label: "for B", plain: 100, slots: []slot{kek(keyB)}},
		{label: "zstd", coding: 1, plain: 300},
		{label: "a volume", role: 1, set: [12]byte{1, 2, 3}, number: 3, plain: 100, slots: ab},
		{label: "a root", role: 2, set: [12]byte{1, 2, 3}, plain: 72, pages: 2, slots: ab},
		{label: "a grant", role: 4, plain: 100},
	} {
		x := build(f)
		m.bases = append(m.bases, x)
		m.copies = append(m.copies, x.head, x.copy(x.pages, 2, a...), x.copy(x.pages, 3, ab...), x.copy(x.pages+1, 4, ab...),
			repair(x, x.copy(x.pages, 2, ab...)), apply(x, x.copy(x.pages, 4, a...), []edit{flip(atMAC), repair}))
	}
	return m
}

// mutant is number i: always the same.
func (m *mutator) mutant(i int) *mutant {
	r := rand.New(rand.NewPCG(2026, uint64(i)))
	x := m.bases[r.IntN(len(m.bases))]
	if x.plain >= C && r.IntN(4) > 0 { // which take long
		x = m.bases[r.IntN(6)]
	}
	y := &mutant{role: x.role, container: slices.Concat(x.head, x.payloadBytes(), x.tail)}
	if r.IntN(16) == 0 {
		y.role = byte(r.IntN(5))
	}
	if i%5 == 4 {
		y.what = m.detach(r, x, y)
	}
	for range r.IntN(4) {
		y.what += m.change(r, x, y) + "; "
	}
	return y
}

func (x *box) payloadBytes() (b []byte) {
	for _, c := range x.payload {
		b = append(b, x.chunkBytes(c)...)
	}
	return b
}

func (m *mutator) anyCopy(r *rand.Rand) []byte { return m.copies[r.IntN(len(m.copies))] }

// own is a copy of x in another generation, or x's own.
func (m *mutator) own(r *rand.Rand, x *box, pages uint16) []byte {
	return []([]byte){x.head, x.copy(pages, 1+r.Uint32N(4), kek(keyA)), x.copy(pages, 2, kek(keyB), kek(keyA)), x.copy(pages, 2, kek(keyB))}[r.IntN(4)]
}

// known is a change of a field that decides what a copy is, with a value that means
// something somewhere.
func known(r *rand.Rand, c []byte) string {
	at := []int{atVersion, atSuite, atCoding, atRole, atPages + 1, atSet, atSet + 11, atNumber, atNumber + 3, atCopyPages, atCopyPages + 1}[r.IntN(11)]
	c[at] = byte(r.IntN(6))
	return fmt.Sprintf("byte %d is %d", at, c[at])
}

// detach gives y a detached head.
func (m *mutator) detach(r *rand.Rand, x *box, y *mutant) string {
	y.detached = bytes.Clone(m.own(r, x, x.pages+uint16(r.IntN(3))))
	switch r.IntN(7) {
	case 0:
		y.detached = bytes.Clone(m.anyCopy(r))
	case 1:
		y.detached[r.IntN(len(y.detached))] ^= 1 << r.IntN(8)
	case 2:
		y.detached = y.detached[:r.IntN(len(y.detached))]
	case 3:
		y.detached = append(y.detached, m.anyCopy(r)...)
	case 4:
		y.detached[r.IntN(300)] ^= 1 << r.IntN(8)
		repair(x, y.detached)
	case 5:
		known(r, y.detached)
		repair(x, y.detached)
	}
	return "with a detached head; "
}

// change does one thing to y, which was x.
func (m *mutator) change(r *rand.Rand, x *box, y *mutant) string {
	b := y.container
	if len(b) == 0 {
		return "nothing"
	}
	n := len(x.head)
	at := r.IntN(len(b))
	whole := len(b) >= 2*n // both copies are in it
	head := func() []byte { return b[:n] }
	tail := func() []byte { return b[len(b)-n:] }
	switch op := r.IntN(18); {
	case op == 0:
		b[at] ^= 1 << r.IntN(8)
		return fmt.Sprint("a bit at ", at)
	case op == 1:
		y.container = b[:at]
		return fmt.Sprint("cut at ", at)
	case op == 2: // near an edge
		edge := []int{n, len(b) - n, len(b), n + S, 2 * n}[r.IntN(5)] - 20 + r.IntN(40)
		y.container = b[:min(max(0, edge), len(b))]
		return fmt.Sprint("cut at ", edge)
	case op == 3:
		more := [][]byte{{0}, make([]byte, n), m.anyCopy(r), b, m.bases[r.IntN(6)].head}[r.IntN(5)]
		y.container = slices.Concat(b, more)
		return fmt.Sprint("followed by ", len(more))
	case op == 4:
		k := min(len(b)-at, 1+r.IntN(20))
		y.container = slices.Delete(b, at, at+k)
		return fmt.Sprintf("without %d at %d", k, at)
	case op == 5:
		c := m.anyCopy(r)
		y.container = slices.Insert(b, []int{0, len(b), at}[r.IntN(3)], c...)
		return "a copy put in"
	case op == 6 && len(b) > S: // chunks
		copy(b[len(b)/2:], bytes.Clone(b[n:n+min(S, len(b)/2-n)]))
		return "a piece twice"
	case !whole:
		b[at%min(len(b), 300)] ^= 1 << r.IntN(8)
		return "a bit of what is left of the head"
	case op == 7:
		off := r.IntN(300)
		head()[off] ^= 1 << r.IntN(8)
		repair(x, head())
		return fmt.Sprint("a bit of the head, its checksum repaired, at ", off)
	case op == 8:
		off := r.IntN(300)
		tail()[off] ^= 1 << r.IntN(8)
		repair(x, tail())
		return fmt.Sprint("a bit of the tail, its checksum repaired, at ", off)
	case op == 9: // in both
		off, bit := r.IntN(300), byte(1)<<r.IntN(8)
		for _, c := range [][]byte{head(), tail()} {
			if c[off] ^= bit; r.IntN(2) == 0 {
				remac(x, c)
			}
			repair(x, c)
		}
		return fmt.Sprint("a bit of both copies, at ", off)
	case op == 10:
		copy(head(), m.anyCopy(r))
		return "the head of any"
	case op == 11:
		c := m.anyCopy(r)
		copy(b[max(0, len(b)-len(c)):], c)
		return "the tail of any"
	case op == 12:
		copy(head(), m.own(r, x, x.pages))
		return "another head of its own"
	case op == 13:
		copy(tail(), m.own(r, x, x.pages))
		return "another tail of its own"
	case op == 14: // a field, in one copy or in both
		which := r.IntN(3)
		for i, c := range [][]byte{head(), tail()} {
			if which == 2 || which == i {
				y.what += known(r, c) + ", "
				repair(x, c)
			}
		}
		return "its checksum repaired"
	case op == 15:
		c := slices.Clone(head()[:atSlots])
		did := known(r, c)
		for _, d := range [][]byte{head(), tail()} {
			copy(d, c)
			repair(x, d)
		}
		return did + " in both copies"
	case op == 16:
		swap := bytes.Clone(head())
		copy(head(), tail())
		copy(tail(), swap)
		return "the copies swapped"
	}
	from := []int{0, len(b) - n, at}[r.IntN(3)]
	clear(b[from:min(len(b), from+[]int{16, 512, n, 2 * n}[r.IntN(4)])])
	return fmt.Sprint("zeros from ", from)
}
