package entropy

import (
	"cmp"
	"context"
	"io"
	"slices"
	"time"
)

// TestOptions says what Test tests. The zero value is right: the operating
// system's generator and every random source this machine has.
type TestOptions struct {
	// Sources names the sources to test; nil means all, those included that
	// are drawn on only when named.
	Sources []string

	// Bytes is how much to draw from each source, rounded up to a multiple
	// of 32; 0 means what suits the source: 4 MiB of an instruction, 64 KiB
	// of rdseed, 1 KiB of a TPM.
	Bytes int

	// Progress, where it is not nil, is called before the first draw on a
	// source and after each.
	Progress func(TestProgress)
}

// TestProgress says how far Test has come.
type TestProgress struct {
	Source      string
	Done, Total int // bytes
}

// TestResult is what Test found out about one source.
type TestResult struct {
	Status

	Passed  bool          `json:"passed"`
	Tested  int           `json:"tested"` // bytes drawn and looked at; 0 if the source is not to be had
	Elapsed time.Duration `json:"elapsed_ns"`

	// Most is the highest count of the adaptive proportion test in any
	// window of 512 bytes; the test fails at Cutoff.
	Most   int `json:"most"`
	Cutoff int `json:"cutoff"`

	// Histogram counts the byte values drawn.
	Histogram [256]uint64 `json:"histogram"`
}

// testTime bounds the test of one source, however slow it is.
const testTime = 10 * time.Second

// testDraw is how much one draw of a test takes at most, in bytes.
const testDraw = 4096

// Test draws on each source by itself, unmixed, runs the start-up test,
// stuck-source detection and the adaptive proportion test on it and counts the
// byte values. What it draws is used for nothing else and wiped. A source that
// does not pass is shut for the rest of the process.
//
// Passing means that the source is not stuck. It says nothing about how hard to
// guess the bytes are; nothing that looks at bytes can.
//
// Test takes at most ten seconds a source. It ends early with ctx, whose error
// it returns along with the results so far. It fails with an
// *UnknownSourceError for a name that is no source's, and with a *NotRandomError
// for one that is not random ("unique").
func Test(ctx context.Context, o *TestOptions) ([]TestResult, error) {
	o = cmp.Or(o, &TestOptions{})
	taps, err := testTaps(machine(), o.Sources)
	if err != nil {
		return nil, err
	}
	return testAll(ctx, taps, o)
}

// osKind lets the operating system's generator be tested like the others. Its
// tap is nobody else's: whatever a test says, "os" stays in the mixer.
func osKind() kind {
	return kind{id: idOS, name: osSource{}.Name(), size: saltSize, proof: proofCPU, sample: sampleCPU,
		probe: func() (Source, error) { return osSource{}, nil }}
}

// testTaps picks the taps with the given names, or all whose output is meant to
// look random, "os" first.
func testTaps(known []*tap, names []string) ([]*tap, error) {
	var taps []*tap
	found := make(map[string]bool)
	for _, t := range append([]*tap{newTap(osKind())}, known...) {
		found[t.name] = true
		if names == nil && t.random() || slices.Contains(names, t.name) {
			taps = append(taps, t)
		}
	}
	for _, name := range names {
		if !found[name] {
			return nil, &UnknownSourceError{Name: name}
		}
	}
	for _, t := range taps {
		if !t.random() {
			return nil, &NotRandomError{t.name}
		}
	}
	return taps, nil
}

func testAll(ctx context.Context, taps []*tap, o *TestOptions) ([]TestResult, error) {
	var results []TestResult
	for _, t := range taps {
		total := o.Bytes
		if total <= 0 {
			total = t.sample
		}
		total = (total + blockSize - 1) / blockSize * blockSize
		r := TestResult{Cutoff: proportionCutoff}
		err := r.run(ctx, t, total, o.Progress)
		r.Status = t.status()
		results = append(results, r)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// run tests one source on total bytes. Only ctx's error is returned: the
// source's are in its status.
func (r *TestResult) run(ctx context.Context, t *tap, total int, progress func(TestProgress)) error {
	if progress == nil {
		progress = func(TestProgress) {}
	}
	// A TPM gives one draw a command: small draws keep progress and ctx in step.
	size := max(min(testDraw, total/16/blockSize*blockSize), blockSize)
	p := make([]byte, size)
	defer wipe(p)
	began := time.Now()
	defer func() { r.Elapsed = time.Since(began) }()
	var window proportion
	for progress(TestProgress{t.name, 0, total}); r.Tested < total; progress(TestProgress{t.name, r.Tested, total}) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(began) > testTime {
			break
		}
		part := p[:min(size, total-r.Tested)]
		if t.draw(part) != nil {
			return nil
		}
		for _, b := range part {
			r.Histogram[b]++
		}
		if n := window.check(part); n > 0 {
			t.condemn(&stuckError{rule: "proportion", offset: int64(r.Tested + n)})
			r.Most = window.most
			return nil
		}
		r.Tested += len(part)
		r.Most = window.most
	}
	r.Passed = true
	return nil
}

// Raw gives a source's own bytes, unmixed: for statistics, never for keys. The
// reader is under the same guard as the mixer's draws and fails for good with
// the source. Raw fails as Test does for names it cannot use, and with a
// *RequireError for a source that is not to be had.
func Raw(name string) (io.Reader, error) {
	taps, err := testTaps(machine(), []string{name})
	if err != nil {
		return nil, err
	}
	if err := taps[0].start(); err != nil {
		return nil, requireError(name, err)
	}
	return &rawReader{tap: taps[0]}, nil
}

// rawReader draws whole blocks and gives them out in pieces.
type rawReader struct {
	tap  *tap
	buf  [testDraw]byte
	rest []byte
}

func (r *rawReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		want := min((len(p)+blockSize-1)/blockSize*blockSize, len(r.buf))
		if err := r.tap.draw(r.buf[:want]); err != nil {
			return 0, requireError(r.tap.name, err)
		}
		r.rest = r.buf[:want]
	}
	n := copy(p, r.rest)
	wipe(r.rest[:n])
	r.rest = r.rest[n:]
	return n, nil
}
