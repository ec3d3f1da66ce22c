package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"bulla/internal/archive"
)

// counted is what a Counter makes of b, written in pieces of some size.
func counted(b []byte, piece int) *archive.Counter {
	c := new(archive.Counter)
	for p := b; len(p) > 0; {
		n := min(len(p), piece)
		own := bytes.Clone(p[:n])
		c.Write(own)
		clear(own) // whoever writes has the buffer back
		p = p[n:]
	}
	c.End()
	return c
}

// countedTars have all that a tar may have before a member's data.
func countedTars(t testing.TB) map[string][]byte {
	files := []file{{name: "dir/", kind: tar.TypeDir}, {name: "a", data: "12345"}, {name: "empty"}, {name: "link", kind: tar.TypeSymlink, link: "a"},
		{name: strings.Repeat("long/", 30) + "b", data: strings.Repeat("x", 5000)}, {name: "hard", kind: tar.TypeLink, link: "a"}, {name: "c", data: strings.Repeat("y", 512)}}
	sparse := append(sparseMember("sparse"), regular("after", "data")...)
	return map[string][]byte{
		"gnu": tarOf(t, tar.FormatGNU, files...), "pax": tarOf(t, tar.FormatPAX, files...), "any": tarOf(t, tar.FormatUnknown, files...),
		"sparse":      append(sparse, make([]byte, 1024)...),
		"bad between": slicesOf(regular("a", "1"), bytes.Repeat([]byte("bad!"), 128), regular("b", "22"), make([]byte, 1024)),
		"size in pax": slicesOf(pax(record("size", "700")), header("p", '0', 3), blocks(strings.Repeat("z", 700)), regular("q", "1"), make([]byte, 1024)),
	}
}

func slicesOf(all ...[]byte) []byte { return bytes.Join(all, nil) }

// A Counter finds what ls finds, however the tar comes.
func TestCounter(t *testing.T) {
	for name, b := range countedTars(t) {
		var n, size int64
		for m, err := range open(t, b).Members() {
			if err == nil {
				n++
				size += m.Size
			}
		}
		if n < 2 {
			t.Fatalf("%s has %d members", name, n)
		}
		for _, piece := range []int{1, 7, 511, 512, 513, 1024, 4095, len(b)} {
			c := counted(b, piece)
			if !c.IsTar || c.Members != n || c.Bytes != size || c.Early {
				t.Errorf("%s in pieces of %d: %+v, not %d members with %d bytes", name, piece, c, n, size)
			}
		}
	}
}

// A tar that breaks off anywhere is early, and one that anything follows is not.
func TestCounterEarly(t *testing.T) {
	for name, b := range countedTars(t) {
		end := bytes.LastIndexFunc(b, func(r rune) bool { return r != 0 }) + 1
		end += -end & 511
		for cut := 512; cut <= end+512; cut += 256 {
			if c := counted(b[:cut], 1000); !c.IsTar || !c.Early {
				t.Errorf("%s cut at %d of %d: %+v", name, cut, end, c)
			}
		}
		if c := counted(slicesOf(b, []byte("anything"), b), 1000); c.Early {
			t.Errorf("%s with something after it: %+v", name, c)
		}
	}
}

// What is empty, and what is no tar.
func TestCounterOthers(t *testing.T) {
	random := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(random)
	for _, c := range []struct {
		name string
		b    []byte
		tar  bool
	}{
		{"nothing", nil, false}, {"one byte", []byte("a"), false}, {"a block of zeros", make([]byte, 512), false},
		{"two blocks of zeros", make([]byte, 1024), true}, {"what GNU tar makes", make([]byte, 10240), true}, {"a record", make([]byte, 1<<20), true},
		{"more zeros", make([]byte, 1<<20+512), false}, {"no whole blocks", make([]byte, 10241), false}, {"zeros and more", append(make([]byte, 10240), blocks("x")...), false},
		{"a zip", zipOf(t, zip.Store, file{name: "a", data: "x"}), false}, {"random", random, false},
	} {
		for _, piece := range []int{1000, len(c.b) + 1} {
			if got := counted(c.b, piece); got.IsTar != c.tar || got.Members != 0 || got.Early {
				t.Errorf("%s: %+v", c.name, got)
			}
		}
	}
	// What is given up without an end leaves nothing behind that runs.
	new(archive.Counter).End()
}

// Whatever is damaged, a Counter ends, and it says the same however the bytes come.
func TestCounterDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, whole := range countedTars(t) {
		for range 300 {
			b := bytes.Clone(whole)
			for range 1 + random.IntN(3) {
				b[random.IntN(len(b))] ^= byte(1 << random.IntN(8))
			}
			one, other := counted(b, 1+random.IntN(2000)), counted(b, len(b))
			if one.IsTar != other.IsTar || one.Members != other.Members || one.Bytes != other.Bytes || one.Early != other.Early {
				t.Fatalf("%s: %+v in pieces, %+v at once", name, one, other)
			}
		}
	}
}
