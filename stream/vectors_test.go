package stream_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"bulla/format"
	"bulla/internal/vectors"
	"bulla/stream"
)

// Every vector through every way of reading: streamed from sources and to buffers
// of all kinds, at random, in ranges, and verified.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range all {
		if testing.Short() && i%3 > 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			c, err := v.Container()
			if err != nil {
				t.Fatal(err)
			}
			x := &vectorRun{v, c}
			x.stream(t)
			x.atRandom(t)
			x.inRanges(t)
			x.verify(t)
		})
	}
}

type vectorRun struct {
	*vectors.Vector
	c *vectors.Container
}

// identities are fresh ones: a passphrase is asked for once.
func (x *vectorRun) identities(t *testing.T) []stream.Identity {
	t.Helper()
	ids, err := x.Identities()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// The longest containers and plaintexts for ways that take long for each byte.
const (
	bytewise  = 20 << 10
	piecewise = 1 << 20
)

func (x *vectorRun) stream(t *testing.T) {
	for _, w := range []struct {
		name    string
		most    int64 // bytes
		workers int
		source  func(io.Reader) io.Reader
		copy    func(io.Writer, *stream.Reader) error
	}{
		{"byte by byte", bytewise, 1, iotest.OneByteReader, throughBuffer(1)},
		{"halves", piecewise, 2, iotest.HalfReader, throughBuffer(7)},
		{"error with the data", piecewise, 3, iotest.DataErrReader, throughBuffer(format.ChunkSize)},
		{"one worker", piecewise, 1, nil, throughBuffer(1 << 20)},
		{"WriteTo", 1 << 62, 2, nil, func(w io.Writer, r *stream.Reader) error {
			_, err := r.WriteTo(w)
			return err
		}},
	} {
		if max(x.c.Size(), x.Stream.Length) > w.most && !x.Huge() { // what is huge fails at once
			continue
		}
		src := x.c.Reader()
		if w.source != nil {
			src = w.source(src)
		}
		for _, raw := range x.codings() {
			got := newReleased()
			o := &stream.ReaderOptions{Workers: w.workers, Head: x.Detached, Role: x.Role, Raw: raw != nil}
			r, err := stream.NewReader(t.Context(), src, x.identities(t), o)
			if err == nil {
				got.uses(r.Head())
				err = w.copy(got, r)
				got.warnings = r.Warnings()
				r.Close()
			}
			got.want(t, w.name, err, x.Stream, raw)
			src = x.c.Reader()
		}
	}
}

// codings are the two forms in which a compressed plaintext can be had: nil, and
// what is to come as it is.
func (x *vectorRun) codings() []*vectors.Raw {
	if x.Raw == nil {
		return []*vectors.Raw{nil}
	}
	return []*vectors.Raw{nil, x.Raw}
}

func (x *vectorRun) atRandom(t *testing.T) {
	for _, workers := range []int{1, 3} {
		for _, raw := range x.codings() {
			name := fmt.Sprintf("at random, %d workers", workers)
			got, want := newReleased(), x.AtRandom()
			o := &stream.ReaderOptions{Workers: workers, Head: x.Detached, Role: x.Role, Raw: raw != nil}
			r, err := stream.NewReaderAt(t.Context(), x.c, x.c.Size(), x.identities(t), &stream.ReaderAtOptions{ReaderOptions: *o})
			if err == nil {
				got.uses(r.Head())
				got.warnings = r.Warnings()
				size, serr := r.Size()
				if _, err = r.WriteTo(got); err == nil && (serr != nil || size != got.n) {
					t.Errorf("%s: the size is %d, %v; it gave %d", name, size, serr, got.n)
				}
				r.Close()
			}
			got.want(t, name, err, want, raw)
		}
	}
}

func (x *vectorRun) inRanges(t *testing.T) {
	if len(x.Ranges) == 0 {
		return
	}
	o := &stream.ReaderAtOptions{ReaderOptions: stream.ReaderOptions{Workers: 1, Head: x.Detached, Role: x.Role}}
	r, err := stream.NewReaderAt(t.Context(), x.c, x.c.Size(), x.identities(t), o)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	for _, want := range x.Ranges {
		b := make([]byte, want.Length)
		n, err := r.ReadAt(b, want.Offset)
		outcome, clause := vectorVerdict(err, nil)
		if err == io.EOF {
			outcome, clause = vectors.Success, ""
		}
		if int64(n) != want.Got || sha256.Sum256(b[:n]) != want.Payload || clause != want.Clause ||
			(outcome == vectors.Success) != (want.Clause == "") || (want.Got < want.Length) != (err != nil) {
			t.Errorf("range %d+%d: %d bytes, %v, not %d bytes and %q", want.Offset, want.Length, n, err, want.Got, want.Clause)
		}
	}
}

func (x *vectorRun) verify(t *testing.T) {
	if x.Huge() {
		return
	}
	for _, workers := range []int{1, 3} {
		o := &stream.VerifyOptions{Workers: workers, Head: x.Detached}
		rep, err := stream.Verify(t.Context(), x.c, x.c.Size(), x.identities(t), o)
		var found []vectors.Finding
		for _, f := range rep.Findings {
			found = append(found, vectors.Finding{Clause: f.Clause, Offset: f.Offset})
		}
		if fmt.Sprint(found) != fmt.Sprint(x.Verify) {
			t.Errorf("Verify found %v, not %v", rep.Findings, x.Verify)
		}
		streamed, serr := stream.VerifyReader(t.Context(), x.c.Reader(), x.identities(t), o)
		var noKey *stream.NoKeyError
		var limit *stream.LimitError
		if serr != nil && err == nil && (errors.As(serr, &noKey) || errors.As(serr, &limit)) { // only the tail has a slot for it
			continue
		}
		if streamed.Valid() != rep.Valid() || (serr == nil) != (err == nil) || streamed.Keyed && !rep.Keyed ||
			streamed.Keyed && rep.Valid() && (streamed.Authentic != rep.Authentic || streamed.Decoded != rep.Decoded || streamed.Generation != rep.Generation) {
			t.Errorf("VerifyReader: %+v, %v; Verify: %+v, %v", streamed, serr, rep, err)
		}
		// It fails only where it cannot do its work.
		want := x.AtRandom()
		if want.Clause == format.ROLE2 { // which is no matter to who verifies
			continue
		}
		if outcome, _ := vectorVerdict(err, nil); err != nil && outcome != want.Outcome ||
			err == nil && (want.Outcome == vectors.NoKey || want.Outcome == vectors.Limit) {
			t.Errorf("Verify: %v, where the outcome is %s", err, want.Outcome)
		}
		if err == nil && rep.Valid() != (len(x.Verify) == 0) {
			t.Errorf("Verify says valid: %v", rep.Valid())
		}
		if good := want.Outcome == vectors.Success || want.Outcome == vectors.Warning; good && !rep.Keyed {
			t.Errorf("Verify has not opened it")
		}
	}
}

// released is the plaintext that came out, by its hash, and what else was said.
type released struct {
	hash.Hash
	n        int64
	warnings []format.Finding
	inUse    vectors.InUse
}

func (r *released) uses(h *format.Head) {
	r.inUse = vectors.InUse{Generation: h.Generation, Slots: len(h.Slots)}
}

func newReleased() *released { return &released{Hash: sha256.New()} }

func (r *released) Write(p []byte) (int, error) {
	r.n += int64(len(p))
	return r.Hash.Write(p)
}

// want compares with a verdict; with raw, a compressed plaintext came as it is.
func (r *released) want(t *testing.T, name string, err error, want vectors.Verdict, raw *vectors.Raw) {
	t.Helper()
	if raw != nil {
		want = vectors.Verdict{Outcome: vectors.Success, Length: raw.Length, Payload: raw.Payload}
	}
	outcome, clause := vectorVerdict(err, r.warnings)
	if outcome != want.Outcome || clause != want.Clause {
		t.Errorf("%s: %s [%s], not %s [%s]; error %v, warnings %v", name, outcome, clause, want.Outcome, want.Clause, err, r.warnings)
	}
	if want.InUse != (vectors.InUse{}) && r.inUse != want.InUse {
		t.Errorf("%s: the copy in use is of generation %d with %d slots, not %v", name, r.inUse.Generation, r.inUse.Slots, want.InUse)
	}
	if r.n != want.Length || [sha256.Size]byte(r.Sum(nil)) != want.Payload {
		t.Errorf("%s: released %d bytes, not %d, or others", name, r.n, want.Length)
	}
}

// throughBuffer reads through a buffer of n bytes.
func throughBuffer(n int) func(io.Writer, *stream.Reader) error {
	return func(w io.Writer, r *stream.Reader) error {
		buf := make([]byte, n)
		for {
			k, err := r.Read(buf)
			w.Write(buf[:k])
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// vectorVerdict puts what a reader says into the words of the vectors.
func vectorVerdict(err error, warnings []format.Finding) (vectors.Outcome, format.Clause) {
	var noKey *stream.NoKeyError
	var limit *stream.LimitError
	var chunk *stream.ChunkError
	var cut *stream.TruncatedError
	var trailing *stream.TrailingError
	var parse *format.ParseError
	switch {
	case err == nil && len(warnings) > 0:
		return vectors.Warning, warnings[0].Clause
	case err == nil:
		return vectors.Success, ""
	case errors.As(err, &noKey):
		// A slot that opened and then broke a clause is named; others are not.
		for _, cause := range noKey.Causes {
			if errors.As(cause, &parse) && vectors.FailureOf(parse.Clause) == vectors.NoKey {
				return vectors.NoKey, parse.Clause
			}
		}
		return vectors.NoKey, ""
	case errors.As(err, new(*stream.RoleError)):
		return vectorClass(err), format.ROLE2
	case errors.As(err, &limit):
		return vectors.Limit, limit.Clause
	case errors.As(err, &chunk):
		return vectorClass(err), format.CHUNK1
	case errors.As(err, &cut):
		return vectorClass(err), format.FILE1
	case errors.As(err, &trailing):
		return vectorClass(err), format.FILE4
	case errors.As(err, &parse) && strings.HasPrefix(string(parse.Clause), "ZSTD"):
		return vectors.FailureOf(parse.Clause), parse.Clause // what its kind is depends on what else is wrong
	case errors.As(err, &parse):
		return vectorClass(err), parse.Clause
	}
	return vectors.Outcome("error " + err.Error()), ""
}

// vectorClass is the class of an error by what it wraps: what a program goes by.
func vectorClass(err error) vectors.Outcome {
	for kind, outcome := range map[error]vectors.Outcome{
		format.ErrNotBulla: vectors.NotBulla, format.ErrTruncated: vectors.Truncated, format.ErrDamaged: vectors.Damaged,
		format.ErrMalformed: vectors.Malformed, format.ErrUnsupported: vectors.Unsupported, format.ErrForged: vectors.Forged,
	} {
		if errors.Is(err, kind) {
			return outcome
		}
	}
	return vectors.Outcome("unclassed")
}
