package zseek

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"bulla/format"
)

// edges are the lengths at which something changes: the width of the content
// size, the single segment, the block, the probe, the frame.
var edges = []int{
	0, 1, 2, 255, 256, 257, 1023, 1024, 1025, 65535 + 256, 65536 + 256,
	maxBlock - 1, maxBlock, maxBlock + 1, probeFrom - 1, probeFrom, probeFrom + 1,
	FrameContent - 1, FrameContent, FrameContent + 1,
	2*FrameContent - 1, 2 * FrameContent, 2*FrameContent + 1,
}

func TestRoundTrip(t *testing.T) {
	contents := map[string]func(uint64, int) []byte{"text": text, "noise": noise, "mixture": mixture,
		"zeros": func(_ uint64, n int) []byte { return make([]byte, n) }}
	for name, make := range contents {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			for i := 0; i < len(edges); i += sampled(4) {
				n := edges[i]
				content := make(1, n)
				stream := compress(t, content, 1, 2)
				for k, w := range ways() {
					if name != "mixture" && k%4 != i%4 {
						continue
					}
					got, err := w.read(stream)
					if err != nil {
						t.Fatalf("%s of %d bytes: %v", w.name, n, err)
					}
					equal(t, got, content)
				}
			}
		})
	}
}

func TestEveryLevel(t *testing.T) {
	serial(t)
	content := mixture(3, FrameContent+100_000)
	for level := MinLevel; level <= MaxLevel; level++ {
		switch level {
		case 1, 3, 6, 10:
		default:
			continue
		}
		stream := compress(t, content, level, 1)
		got, err := io.ReadAll(NewReader(bytes.NewReader(stream), 1))
		if err != nil {
			t.Fatalf("level %d: %v", level, err)
		}
		equal(t, got, content)
	}
	for _, level := range []int{-1, 0, 20, 1000} {
		if _, err := NewWriter(io.Discard, level, 1); err == nil {
			t.Errorf("level %d was accepted", level)
		}
	}
}

// Levels are those of four encoders, in ranges.
func TestLevelRanges(t *testing.T) {
	serial(t)
	content := text(4, 100_000)
	var last []byte
	for level := MinLevel; level <= MaxLevel; level++ {
		stream := compress(t, content, level, 1)
		if first := level == 1 || level == 3 || level == 6 || level == 10; first == bytes.Equal(stream, last) {
			t.Errorf("level %d: equal to the level below: %v", level, !first)
		}
		last = stream
	}
}

// The stream depends on the content alone: not on workers, nor on how it was
// written.
func TestParallelEqualsSerial(t *testing.T) {
	noLeak(t)
	content := mixture(5, 8/sampled(3)*FrameContent+12345)
	for level := 1; level <= 3; level += sampled(3) * 2 {
		want := compress(t, content, level, 1)
		for workers := 2; workers <= 8; workers += sampled(6) {
			if !bytes.Equal(compress(t, content, level, workers), want) {
				t.Errorf("level %d: %d workers write another stream than one", level, workers)
			}
		}
		for name, src := range map[string]io.Reader{
			"ReadFrom":          bytes.NewReader(content),
			"ReadFrom, halves":  iotest.HalfReader(bytes.NewReader(content)),
			"ReadFrom, DataErr": iotest.DataErrReader(bytes.NewReader(content)),
			"ReadFrom, empty":   &stutterer{r: bytes.NewReader(content)},
			"odd writes":        struct{ io.Reader }{bytes.NewReader(content)},
		} {
			var dst bytes.Buffer
			w, err := NewWriter(&dst, level, 3)
			if err != nil {
				t.Fatal(err)
			}
			var n int64
			if strings.HasPrefix(name, "ReadFrom") {
				n, err = w.ReadFrom(src)
			} else {
				n, err = io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, 77_777))
			}
			if err != nil || n != int64(len(content)) {
				t.Fatalf("%s: %d, %v", name, n, err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(dst.Bytes(), want) {
				t.Errorf("level %d: %s writes another stream", level, name)
			}
		}
	}
}

// A stutterer gives nothing every other time.
type stutterer struct {
	r     io.Reader
	empty bool
}

func (s *stutterer) Read(p []byte) (int, error) {
	if s.empty = !s.empty; s.empty {
		return 0, nil
	}
	return s.r.Read(p)
}

// What does not compress grows by headers only, and is told so by its samples;
// what has one compressible sample is not taken for it.
func TestProbe(t *testing.T) {
	serial(t)
	c := newCompressor(3)
	if c.compressible(noise(1, FrameContent)) {
		t.Error("noise is taken for compressible")
	}
	one := noise(1, FrameContent)
	copy(one[5*FrameContent/probeSamples:], text(1, probeSample))
	if !c.compressible(one) {
		t.Error("a sample of text among noise is not noticed")
	}
	for _, n := range []int{1, FrameContent - 1, FrameContent} {
		stream := compress(t, noise(2, n), 6, 1)
		if most := n + n/1000 + 100; len(stream) > most {
			t.Errorf("%d bytes of noise become %d, more than %d", n, len(stream), most)
		}
	}
	// Repetitions far apart are found though no sample shows them.
	twice := append(noise(3, FrameContent/2), noise(3, FrameContent/2)...)
	if n := len(compress(t, twice, 3, 1)); n > FrameContent*6/10 {
		t.Errorf("noise twice becomes %d bytes of %d", n, FrameContent)
	}
}

func TestZstdCommandReadsOurs(t *testing.T) {
	zstd := zstdCommand(t)
	dir := t.TempDir()
	for _, n := range []int{0, 1, 100, 300, 1024, maxBlock + 1, FrameContent, FrameContent + 1, 3*FrameContent - 5} {
		for level := 1; level <= 6; level += 2 * sampled(3) {
			content := mixture(uint64(n), n)
			path := filepath.Join(dir, fmt.Sprintf("%d.%d.zst", n, level))
			if err := os.WriteFile(path, compress(t, content, level, 2), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(zstd, "-t", path).CombinedOutput(); err != nil {
				t.Fatalf("zstd -t of %d bytes: %v\n%s", n, err, out)
			}
			got, err := exec.Command(zstd, "-d", "-c", path).Output()
			if err != nil {
				t.Fatalf("zstd -d of %d bytes: %v", n, err)
			}
			equal(t, got, content)
			out, err := exec.Command(zstd, "-l", path).CombinedOutput()
			if err != nil {
				t.Fatalf("zstd -l of %d bytes: %v\n%s", n, err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			fields := strings.Fields(lines[len(lines)-1])
			// It counts the table among the frames.
			if frames := (n+FrameContent-1)/FrameContent + 1; fields[0] != fmt.Sprint(frames) || fields[1] != "1" {
				t.Errorf("zstd -l of %d bytes counts %s frames, of which it skips %s; want %d and 1", n, fields[0], fields[1], frames)
			}
		}
	}
}

func TestWriterSource(t *testing.T) {
	noLeak(t)
	for _, workers := range []int{1, 3} {
		for _, n := range []int{0, 1, FrameContent, 3*FrameContent + 1} {
			var dst bytes.Buffer
			w, err := NewWriter(&dst, 1, workers)
			if err != nil {
				t.Fatal(err)
			}
			src := &brokenReader{bytes.NewReader(make([]byte, 4*FrameContent)), n}
			if k, err := w.ReadFrom(src); !errors.Is(err, errBroken) || k != int64(n) {
				t.Errorf("ReadFrom a source that breaks after %d bytes: %d, %v", n, k, err)
			}
			if _, err := w.Write([]byte{1}); !errors.Is(err, errBroken) {
				t.Errorf("Write after that: %v", err)
			}
			for range 2 {
				if err := w.Close(); !errors.Is(err, errBroken) {
					t.Errorf("Close after that: %v", err)
				}
			}
			if bytes.HasSuffix(dst.Bytes(), le.AppendUint32(nil, footerMagic)) {
				t.Error("the stream was finished though its source broke")
			}
		}
	}
	for name, src := range map[string]io.Reader{
		"no progress":      readerFunc(func([]byte) (int, error) { return 0, nil }),
		"impossible count": readerFunc(func(p []byte) (int, error) { return len(p) + 1, nil }),
		"negative count":   readerFunc(func(p []byte) (int, error) { return -1, nil }),
	} {
		w, err := NewWriter(io.Discard, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(src); err == nil || w.Close() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWriterDestination(t *testing.T) {
	noLeak(t)
	content := make([]byte, 3*FrameContent+1)
	const calls = 4 + 3 // frames; table: head and entries, footer, and one more
	for _, workers := range workerCounts() {
		for n := range calls {
			dst := &brokenWriter{calls: n}
			w, err := NewWriter(dst, 1, workers)
			if err != nil {
				t.Fatal(err)
			}
			w.Write(content)
			err = w.Close()
			if n == calls-1 {
				if err != nil {
					t.Errorf("a sound destination: %v", err)
				}
				continue
			}
			if !errors.Is(err, errBroken) {
				t.Errorf("%d workers, write %d fails: Close gives %v", workers, n, err)
			}
			if dst.late != 1 {
				t.Errorf("%d workers, write %d fails: %d further", workers, n, dst.late-1)
			}
			if _, err := w.Write([]byte{1}); !errors.Is(err, errBroken) {
				t.Errorf("Write after Close: %v", err)
			}
		}
	}
	w, err := NewWriter(writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a short write gives %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWriterClosed(t *testing.T) {
	w, err := NewWriter(io.Discard, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if _, err := w.ReadFrom(strings.NewReader("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("ReadFrom after Close: %v", err)
	}
	if err := w.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func TestWriterFail(t *testing.T) {
	noLeak(t)
	for _, workers := range []int{1, 2, 4} {
		var dst bytes.Buffer
		w, err := NewWriter(&dst, 1, workers)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, 3*FrameContent+5))
		w.Fail(errBroken)
		w.Fail(errors.New("too late")) // the first counts
		if _, err := w.Write([]byte{1}); !errors.Is(err, errBroken) {
			t.Errorf("Write after Fail: %v", err)
		}
		if err := w.Close(); !errors.Is(err, errBroken) {
			t.Errorf("Close after Fail: %v", err)
		}
		if bytes.HasSuffix(dst.Bytes(), le.AppendUint32(nil, footerMagic)) {
			t.Error("the stream was finished though it was aborted")
		}
	}
}

// Fail releases a Write that waits for a destination which does not move.
func TestWriterFailBlocked(t *testing.T) {
	noLeak(t)
	release := make(chan struct{})
	blocked := make(chan struct{}, 100)
	w, err := NewWriter(writerFunc(func(p []byte) (int, error) {
		blocked <- struct{}{}
		<-release
		return len(p), nil
	}), 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error)
	go func() {
		_, err := w.ReadFrom(zeros{})
		wrote <- err
	}()
	<-blocked
	w.Fail(errBroken)
	if err := <-wrote; !errors.Is(err, errBroken) {
		t.Errorf("ReadFrom gives %v", err)
	}
	close(release)
	if err := w.Close(); !errors.Is(err, errBroken) {
		t.Errorf("Close gives %v", err)
	}
	if n := len(blocked); n > 0 {
		t.Errorf("%d writes after Abort", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestWriterFrameLimit(t *testing.T) {
	for _, workers := range []int{1, 2} {
		w, err := NewWriter(io.Discard, 1, workers)
		if err != nil {
			t.Fatal(err)
		}
		w.numbered = MaxFrames - 1
		if _, err := w.Write(make([]byte, FrameContent)); err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, FrameContent))
		wantClause(t, err, format.ZSTD3, format.ErrUnsupported)
		wantClause(t, w.Close(), format.ZSTD3, format.ErrUnsupported)
	}
}

// The steady state allocates nothing.
func TestWriterAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	content := mixture(7, FrameContent)
	for _, workers := range []int{1, 2} {
		w, err := NewWriter(io.Discard, 1, workers)
		if err != nil {
			t.Fatal(err)
		}
		write := func() {
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 * ringSlots(workers) {
			write()
		}
		// The least of some runs: the runtime allocates, too. The tally takes a page every 4096 frames.
		n := testing.AllocsPerRun(8, write)
		for range 4 {
			n = min(n, testing.AllocsPerRun(8, write))
		}
		if n >= 1 {
			t.Errorf("%d workers: %v allocations for each frame", workers, n)
		}
		w.Close()
	}
}
