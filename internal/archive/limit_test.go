package archive_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"bulla/internal/archive"
)

// A longZip is a zip with nothing but a directory of n records, which takes no
// memory. Their names are all alike, or all different.
type longZip struct {
	n         int64
	different bool
}

const recordBytes = 46 + 8

func (z longZip) Size() int64 { return z.n*recordBytes + 56 + 20 + 22 }

func (z longZip) record(i int64) []byte {
	b := make([]byte, recordBytes)
	copy(b, "PK\x01\x02")
	b[28] = 8
	if !z.different {
		i = 0
	}
	copy(b[46:], fmt.Sprintf("%08d", i))
	return b
}

func (z longZip) end() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, 98), "PK\x06\x06"...)
	b = le.AppendUint64(b, 44)
	b = append(b, make([]byte, 12)...)
	for _, n := range []int64{z.n, z.n, z.n * recordBytes, 0} {
		b = le.AppendUint64(b, uint64(n))
	}
	b = le.AppendUint64(append(b, "PK\x06\x07\x00\x00\x00\x00"...), uint64(z.n*recordBytes))
	b = append(append(b, 1, 0, 0, 0), "PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"...)
	return b
}

func (z longZip) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < z.Size() {
		from := z.end()
		skip := off - z.n*recordBytes
		if skip < 0 {
			from, skip = z.record(off/recordBytes), off%recordBytes
		}
		k := copy(p[n:], from[skip:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// heap is how much memory there is to keep.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// An archive takes memory for the names that are asked for, and not for how many
// members it says it has.
func TestMemory(t *testing.T) {
	z := longZip{n: 5_000_000}
	if testing.Short() {
		z.n = 500_000
	}
	const most = 8 << 20
	before := heap()
	a, err := archive.Open(z, z.Size())
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for m, err := range a.Members() {
		if err != nil || m.Name != "00000000" {
			t.Fatal(m, err)
		}
		if n++; n%(z.n/4) == 0 {
			if used := heap() - before; used > most {
				t.Errorf("%d members take %d bytes", n, used)
			}
		}
	}
	if n != z.n {
		t.Errorf("%d members", n)
	}
	s, err := a.Select()
	if err != nil || s.Count != 1 {
		t.Fatal(err)
	}
	if used := heap() - before; used > most {
		t.Errorf("the places of one name take %d bytes", used)
	}
	runtime.KeepAlive(s)
}

// What would take more than the limit is refused before it does. Some members are
// found all the same.
func TestLimit(t *testing.T) {
	z := longZip{n: 100_000, different: true}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 30_000 {
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%08d", i)})
	}
	w.Close()
	deep := tarOf(t, tar.FormatGNU, file{name: strings.Repeat("d/", 32_000) + "f", data: "f"}, file{name: strings.Repeat("e/", 32_000) + "f", data: "f"})
	for _, c := range []struct {
		src  io.ReaderAt
		size int64
		find string
	}{{z, z.Size(), "00099999"}, {bytes.NewReader(b.Bytes()), int64(b.Len()), "00029999"}, {bytes.NewReader(deep), int64(len(deep)), ""}} {
		a, err := archive.Open(c.src, c.size)
		if err != nil {
			t.Fatal(err)
		}
		const limit = 1 << 20
		a.SetLimit(limit)
		before := heap()
		s, err := a.Select()
		if !errors.As(err, new(*archive.LimitError)) || s != nil {
			t.Errorf("%v, %v", s, err)
		}
		for _, name := range []string{".", "x"} {
			if _, err := a.Open(name); !errors.As(err, new(*archive.LimitError)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if used := heap() - before; used > 3*limit { // one name may be too much
			t.Errorf("it takes %d bytes", used)
		}
		if c.find == "" {
			continue
		}
		if m, err := a.Find(c.find, false); err != nil || m.Name != c.find {
			t.Errorf("%+v, %v", m, err)
		}
		if s, err := a.Select(c.find, "0000000?"); err != nil || s.Count != 11 {
			t.Errorf("%+v, %v", s, err)
		}
		runtime.KeepAlive(a)
	}
}

// The limit is of what the places take, measured.
func TestIndexSize(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector adds to what is allocated")
	}
	z := longZip{n: 200_000, different: true}
	a, err := archive.Open(z, z.Size())
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	s, err := a.Select()
	if err != nil || s.Count != int(z.n) {
		t.Fatal(err)
	}
	used := heap() - before
	if each := used / z.n; each > 80 {
		t.Errorf("%d bytes a member", each)
	}
	runtime.KeepAlive(s)
	a.SetLimit(used / 2)
	if _, err := a.Select(); !errors.As(err, new(*archive.LimitError)) {
		t.Error(err)
	}
}
