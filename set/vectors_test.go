package set_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"testing"

	"bulla/format"
	"bulla/internal/vectors"
	"bulla/set"
	"bulla/stream"
)

// Every vector of a set is read, in ranges too, and verified.
func TestVectors(t *testing.T) {
	all, err := vectors.LoadSets("../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			x := &vectorRun{v, make(map[string]*vectors.Container)}
			for part, p := range v.Parts {
				if x.parts[part], err = p.Container(); err != nil {
					t.Fatal(err)
				}
			}
			x.read(t)
			x.inRanges(t)
			x.verify(t)
		})
	}
}

type vectorRun struct {
	*vectors.Set
	parts map[string]*vectors.Container
}

// vectorPart is a part that is open.
type vectorPart struct{ *vectors.Container }

func (vectorPart) Close() error { return nil }

func (x *vectorRun) open(_ context.Context, suffix string) (set.File, error) {
	if c := x.parts[called(suffix)]; c != nil {
		return vectorPart{c}, nil
	}
	return nil, fs.ErrNotExist
}

// called is what a vector calls a part.
func called(suffix string) string { return cmp.Or(suffix, vectors.Root) }

func (x *vectorRun) reader(t *testing.T, workers int) (*set.ReaderAt, error) {
	t.Helper()
	ids, err := x.Identities()
	if err != nil {
		t.Fatal(err)
	}
	root := x.parts[vectors.Root]
	return set.NewReaderAt(t.Context(), root, root.Size(), x.open, ids, &set.ReaderOptions{Workers: workers})
}

func (x *vectorRun) read(t *testing.T) {
	for _, workers := range []int{1, 3} {
		var plain bytes.Buffer
		var warnings []set.Finding
		r, err := x.reader(t, workers)
		if err == nil {
			_, err = r.WriteTo(&plain)
			warnings = r.Warnings()
			r.Close()
		}
		want := x.AtRandom()
		got := vectors.Verdict{Length: int64(plain.Len()), Payload: sha256.Sum256(plain.Bytes())}
		got.Outcome, got.Clause, got.Where = setVerdict(err, warnings)
		if got != want {
			t.Errorf("%s [%s] in %q, %d bytes; not %s [%s] in %q, %d bytes: %v", got.Outcome, got.Clause, got.Where, got.Length,
				want.Outcome, want.Clause, want.Where, want.Length, err)
		}
	}
}

func (x *vectorRun) inRanges(t *testing.T) {
	if len(x.Ranges) == 0 {
		return
	}
	r, err := x.reader(t, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, want := range x.Ranges {
		b := make([]byte, want.Length)
		n, err := r.ReadAt(b, want.Offset)
		clause := format.Clause("")
		if err != nil && err != io.EOF {
			_, clause, _ = setVerdict(err, nil)
		}
		if int64(n) != want.Got || sha256.Sum256(b[:n]) != want.Payload || clause != want.Clause || (want.Got < want.Length) != (err != nil) {
			t.Errorf("range %d+%d: %d bytes, %v, not %d bytes and %q", want.Offset, want.Length, n, err, want.Got, want.Clause)
		}
	}
}

func (x *vectorRun) verify(t *testing.T) {
	ids, err := x.Identities()
	if err != nil {
		t.Fatal(err)
	}
	root := x.parts[vectors.Root]
	rep, err := set.Verify(t.Context(), root, root.Size(), x.open, ids, &set.VerifyOptions{Workers: 2})
	if x.AtRandom().Outcome == vectors.NoKey {
		if !errors.As(err, new(*stream.NoKeyError)) {
			t.Errorf("Verify: %v, without a key", err)
		}
		return
	}
	var got, want []string
	for _, f := range rep.Findings {
		got = append(got, called(f.Suffix))
	}
	for _, f := range x.PartWise {
		want = append(want, f.Part)
	}
	if got = slices.Compact(got); !slices.Equal(got, want) || err != nil && x.AtRandom().Outcome == vectors.Success {
		t.Errorf("Verify finds something in %q, not %q: %v, %v", got, want, rep.Findings, err)
	}
}

// setVerdict puts what a reader says into the words of the vectors.
func setVerdict(err error, warnings []set.Finding) (outcome vectors.Outcome, clause format.Clause, where string) {
	if err == nil {
		if len(warnings) == 0 {
			return vectors.Success, "", ""
		}
		return vectors.Warning, warnings[0].Clause, called(warnings[0].Suffix)
	}
	if in, ok := errors.AsType[*set.PartError](err); ok {
		where = called(in.Suffix)
	}
	var found interface {
		error
		Finding() format.Finding
	}
	switch {
	case errors.As(err, new(*stream.NoKeyError)):
		return vectors.NoKey, "", where
	case errors.As(err, &found):
		clause = found.Finding().Clause
		return vectors.FailureOf(clause), clause, where
	case errors.As(err, new(*stream.RoleError)):
		return vectors.Malformed, format.ROLE2, where
	}
	return vectors.Outcome(fmt.Sprint("error ", err)), "", where
}
