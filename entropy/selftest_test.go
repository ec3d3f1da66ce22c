package entropy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestTest(t *testing.T) {
	var progress []TestProgress
	taps := []*tap{
		fakeTap(2, "rdrand", good(1)),
		newTap(kind{name: "tpm", proof: 64, sample: 64, probe: func() (Source, error) {
			return nil, &off{state: Absent, reason: "not there"}
		}}),
		fakeTap(3, "rdseed", after(10, constant(0))),
		fakeTap(4, "rndr", skewed()),
	}
	results, err := testAll(t.Context(), taps, &TestOptions{Bytes: 4000, Progress: func(p TestProgress) {
		progress = append(progress, p)
	}})
	if err != nil || len(results) != 4 {
		t.Fatal(results, err)
	}

	r := results[0]
	total := uint64(0)
	for _, n := range r.Histogram {
		total += n
	}
	if !r.Passed || r.State != Active || r.Tested != 4000 || total != 4000 || r.Startup != "passed" {
		t.Errorf("a good source: %+v", r)
	}
	if r.Most < 1 || r.Most >= r.Cutoff || r.Cutoff != 19 {
		t.Errorf("a good source: most %d, cutoff %d", r.Most, r.Cutoff)
	}
	if first, next := progress[0], progress[1]; first != (TestProgress{"rdrand", 0, 4000}) || next.Done == 0 {
		t.Errorf("progress: %v, then %v", first, next)
	}

	if r := results[1]; r.Passed || r.State != Absent || r.Tested != 0 {
		t.Errorf("no source: %+v", r)
	}
	if r := results[2]; r.Passed || r.State != Failed || !strings.Contains(r.Reason, "repetition rule tripped at byte 326") {
		t.Errorf("a stuck source: %+v", r)
	}
	if r := results[3]; r.Passed || r.State != Failed || !strings.Contains(r.Reason, "proportion") || r.Most != 19 {
		t.Errorf("a skewed source: %+v", r)
	}
	for _, name := range []string{"rdseed", "rndr"} { // out for good
		for _, tap := range taps {
			if tap.name == name && tap.draw(make([]byte, 32)) == nil {
				t.Errorf("%s is still drawn on", name)
			}
		}
	}
}

// skewed gives one byte value in eight of its bytes, never twice in a row.
func skewed() func(p []byte) error {
	fine := good(5)
	return func(p []byte) error {
		fine(p)
		for i := 0; i < len(p); i += 8 {
			p[i] = 0x77
		}
		return nil
	}
}

func TestTestIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	draws := 0
	fine := good(1)
	slow := fakeTap(5, "tpm", func(p []byte) error {
		if draws++; draws == 5 { // two of them for the start-up test
			cancel()
		}
		return fine(p)
	})
	results, err := testAll(ctx, []*tap{slow, fakeTap(2, "rdrand", good(2))}, &TestOptions{})
	if !errors.Is(err, context.Canceled) || len(results) != 1 || results[0].Passed || results[0].Tested == 0 {
		t.Errorf("%v, %+v", err, results)
	}
}

// The real thing: every random source of this machine that is quick to ask.
func TestTestThisMachine(t *testing.T) {
	results, err := Test(t.Context(), &TestOptions{Sources: []string{"os", "rdrand", "rdseed", "rndr"}, Bytes: 16 << 10})
	if err != nil || len(results) != 4 || results[0].Name != "os" || !results[0].Passed {
		t.Fatalf("%+v, %v", results, err)
	}
	for _, r := range results {
		if r.Passed != (r.State == Active) || r.Passed != (r.Tested == 16<<10) {
			t.Errorf("%s: passed %v, %s, %d bytes", r.Name, r.Passed, r.State, r.Tested)
		}
	}
	var unknown *UnknownSourceError
	if _, err := Test(t.Context(), &TestOptions{Sources: []string{"dice"}}); !errors.As(err, &unknown) {
		t.Errorf("%v, want an UnknownSourceError", err)
	}
	if _, err := Test(t.Context(), &TestOptions{Sources: []string{"unique"}}); err == nil {
		t.Error("unique can be tested")
	}
}

func TestRaw(t *testing.T) {
	r, err := Raw("os")
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10000)
	if _, err := io.ReadFull(r, p); err != nil || bytes.Contains(p, make([]byte, 16)) {
		t.Errorf("%v, or not all filled", err)
	}
	var unknown *UnknownSourceError
	if _, err := Raw("dice"); !errors.As(err, &unknown) {
		t.Errorf("%v, want an UnknownSourceError", err)
	}
	if _, err := Raw("unique"); err == nil {
		t.Error("unique can be read")
	}

	// Pieces of any size, from whole blocks, until the source fails.
	want := make([]byte, 40*blockSize)
	after(40, broken)(want)
	raw := &rawReader{tap: fakeTap(2, "rdrand", after(40, broken))}
	raw.tap.startup = passed // the start-up test would take the first blocks
	var got []byte
	for n := 1; ; n++ {
		p := make([]byte, n)
		n, err := raw.Read(p)
		got = append(got, p[:n]...)
		if err != nil {
			var missing *RequireError
			if !errors.As(err, &missing) {
				t.Errorf("%v, want a RequireError", err)
			}
			break
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, want %d", len(got), len(want))
	}
	if !bytes.Equal(raw.buf[:], make([]byte, len(raw.buf))) {
		t.Error("what was read is still in the reader's buffer")
	}
	if n, err := raw.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read: %d, %v", n, err)
	}
}
