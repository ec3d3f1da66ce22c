package parity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bulla/format"
	"bulla/parity"
)

var update = flag.Bool("update", false, "write the vectors anew")

// A vector is a container, a parity file, what is done to both, and what a scrub says
// then. Their files are made by what slow_test.go makes of the text.
type vector struct {
	Name      string `json:"name"`
	Container recipe `json:"container"`
	M         int    `json:"m"`
	D         int    `json:"depth"`
	Parity    sums   `json:"parity"` // of the whole parity file, before the edits
	Edits     []edit `json:"edits"`  // in their order
	Scrub     result `json:"scrub"`
}

// A recipe makes a container: a head, a payload of so many bytes, and the head again.
// Byte i of the payload is floor(x(i+1) / 65536) mod 256, where x(0) = 1 and
// x(i+1) = (1103515245 x(i) + 12345) mod 2^31.
type recipe struct {
	head    []byte
	Payload int `json:"payload"`
}

type sums struct {
	Size  int    `json:"size"`
	CRC   uint32 `json:"crc32c"`
	First []byte `json:"first_cell"` // its first 16 bytes
}

type edit struct {
	Of     string `json:"of"` // "container" or "parity"
	At     int    `json:"at"`
	Remove int    `json:"remove"`
	Zeros  int    `json:"zeros"`  // in its place
	Insert []byte `json:"insert"` // and after them
}

type result struct {
	Clause  format.Clause `json:"clause,omitempty"` // that refuses the parity file; nothing else is said then
	Other   bool          `json:"other,omitempty"`  // it belongs to another container (PAR-5)
	Chunks  int64         `json:"chunks"`
	Damaged int64         `json:"damaged"`
	Moved   int64         `json:"moved"`
	Lost    int64         `json:"lost"`
	Head    bool          `json:"head"`
	Tail    bool          `json:"tail"`
	Cells   int64         `json:"cells_damaged"`
	Margin  int           `json:"margin"` // 0 if something is lost
	Hole    int64         `json:"hole"`
}

func (r recipe) make() []byte {
	b := bytes.Clone(r.head)
	for x, i := uint32(1), 0; i < r.Payload; i++ {
		x = (1103515245*x + 12345) % (1 << 31)
		b = append(b, byte(x>>16))
	}
	return append(b, r.head...)
}

func (v *vector) files() (container, par []byte) {
	container = v.Container.make()
	par = slow(container, v.M, v.D)
	v.Parity = sums{len(par), slowCRC(par), par[512+len(v.Container.head)+512+512*((v.Container.Payload/L+1+min(v.Container.Payload/L+1, 2)*v.M+62)/63):][:16]}
	for _, e := range v.Edits {
		b := &container
		if e.Of == "parity" {
			b = &par
		}
		*b = slices.Replace(*b, e.At, e.At+e.Remove, append(make([]byte, e.Zeros), e.Insert...)...)
	}
	return container, par
}

func (v *vector) scrub(t *testing.T) (res result) {
	container, par := v.files()
	r, err := parity.Scrub(context.Background(), bytes.NewReader(container), int64(len(container)), bytes.NewReader(par), int64(len(par)), nil)
	if pe, ok := err.(*format.ParseError); ok {
		return result{Clause: pe.Clause}
	}
	if err == parity.ErrOther {
		return result{Other: true}
	}
	if err != nil {
		t.Fatal(v.Name, err)
	}
	return result{"", false, r.Chunks, r.Damaged, r.Moved, r.Lost, r.Head, r.Tail, r.CellsDamaged, r.Left.Parity, r.Left.Hole}
}

// vectors is what is in testdata/parity.
func vectors(t *testing.T) (head []byte, all []vector) {
	h := &format.Head{Generation: 1, Slots: []format.Slot{{Type: 99, Body: []byte("body")}}}
	h.Suite, h.Pages = format.AES256GCM, 1
	copy(h.Salt[:], "a salt that is not random at all")
	head, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	one, few := recipe{head, 100}, recipe{head, 4*L + 1000}
	h.Salt[0] ^= 1
	other, _ := h.Append(nil)
	zero := func(of string, at, n int) edit { return edit{of, at, n, n, nil} }
	const H = 4096
	cells := 512 + H + 512 + 512 // of few, with one block of a table
	return head, []vector{
		{Name: "one chunk", Container: one, M: 1, D: 256},
		{Name: "one chunk, damaged", Container: one, M: 1, D: 256, Edits: []edit{zero("container", H, 50)}},
		{Name: "intact", Container: few, M: 2, D: 256},
		{Name: "another depth", Container: few, M: 3, D: 16, Edits: []edit{zero("container", H+L, 1)}},
		{Name: "a flipped byte", Container: few, M: 2, D: 256, Edits: []edit{{"container", H + 3*L + 77, 1, 0, []byte{1}}}},
		{Name: "a hole of three chunks", Container: few, M: 2, D: 256, Edits: []edit{zero("container", H+L-1, 2*L-1)}},
		{Name: "too much of one group", Container: few, M: 1, D: 256, Edits: []edit{zero("container", H, 10), zero("container", H+2*L, 10)}},
		{Name: "no head", Container: few, M: 2, D: 256, Edits: []edit{zero("container", 0, H)}},
		{Name: "no head and no tail", Container: few, M: 2, D: 256, Edits: []edit{zero("container", 0, H), zero("container", H+few.Payload, H)}},
		{Name: "cut off", Container: few, M: 2, D: 256, Edits: []edit{{"container", H + few.Payload - 10, H + 10, 0, nil}}},
		{Name: "bytes inserted", Container: few, M: 2, D: 256, Edits: []edit{{"container", H + 5000, 0, 0, []byte("inserted")}}},
		{Name: "bytes missing", Container: few, M: 2, D: 256, Edits: []edit{{"container", H + L + 5000, 3000, 0, nil}}},
		{Name: "bytes inserted before the head", Container: few, M: 2, D: 256, Edits: []edit{{"container", 0, 0, 0, []byte("x")}}},
		{Name: "a cell", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", cells+L+9, 100)}},
		{Name: "a cell and a chunk of its group", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", cells+L+9, 100), zero("container", H+L, 9)}},
		{Name: "the first header", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", 0, 512)}},
		{Name: "the first header, and the end", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", 0, 512), {"parity", cells + 4*L + 512, 512, 0, nil}}},
		{Name: "one table", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", cells-512, 512), zero("container", H, 10)}},
		{Name: "both tables", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", cells-512, 512), zero("parity", cells+4*L, 512)}},
		{Name: "all headers", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", 0, 512), zero("parity", 512+H, 512), zero("parity", cells+4*L+512, 512)}},
		{Name: "all headers but the first", Container: few, M: 2, D: 256, Edits: []edit{zero("parity", 512+H, 512), zero("parity", cells+4*L+512, 512)}},
		{Name: "a newer layout", Container: few, M: 2, D: 256, Edits: []edit{{"parity", 8, 1, 0, []byte{2}}, {"parity", 508, 4, 0, newer(few, 0)},
			{"parity", 512 + H + 8, 1, 0, []byte{2}}, {"parity", 512 + H + 508, 4, 0, newer(few, 512+H)}, {"parity", cells + 4*L + 512 + 8, 1, 0, []byte{2}}, {"parity", cells + 4*L + 512 + 508, 4, 0, newer(few, cells+4*L+512)}}},
		{Name: "of another container", Container: few, M: 2, D: 256, Edits: []edit{{"container", 0, H, 0, other}, {"container", H + few.Payload, H, 0, other}}},
	}
}

// newer is the checksum of the header at off with layout 2.
func newer(r recipe, off int) []byte {
	b := slow(r.make(), 2, 256)[off : off+508]
	b[8] = 2
	sum := slowCRC(b)
	return []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

// A scrub says of the vectors what they say; go test ./parity -run TestVectors -update
// writes them. Read the difference.
func TestVectors(t *testing.T) {
	path := filepath.Join("..", "testdata", "parity", "vectors.json")
	head, all := vectors(t)
	for i := range all {
		all[i].Scrub = all[i].scrub(t)
		if all[i].Edits == nil {
			all[i].Edits = []edit{}
		}
	}
	got, err := json.MarshalIndent(struct {
		Head    []byte   `json:"head"` // of all containers
		Vectors []vector `json:"vectors"`
	}{head, all}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the vectors are not what is in %s: %v", path, err)
	}
}
