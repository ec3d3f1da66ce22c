package epoch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/slot"
	"bulla/stream"
)

func mixer(t testing.TB) *entropy.Mixer {
	t.Helper()
	m, err := entropy.New(&entropy.Options{Sources: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newKeeper makes a plain keeper of a period.
func newKeeper(t testing.TB, e Every, period string) *Keeper {
	t.Helper()
	first, last, err := ParsePeriod(period)
	if err != nil {
		t.Fatal(err)
	}
	s, err := SpanOf(e, first, last)
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(t.Context(), mixer(t), s, first, Plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func parse(t testing.TB, file []byte) *Keeper {
	t.Helper()
	k, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func calendarOf(t testing.TB, k *Keeper) *Calendar {
	t.Helper()
	if err := k.Unlock(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	c, err := k.Calendar()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// into is a Write that changes a file in memory.
func into(file []byte) Write {
	return func(off int64, p []byte) error {
		copy(file[off:], p)
		return nil
	}
}

// encryptTo makes a container for r.
func encryptTo(t testing.TB, r slot.Recipient, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stream.NewWriter(t.Context(), &b, []slot.Recipient{r}, &stream.WriterOptions{Entropy: mixer(t)})
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// opens reports whether id opens a container.
func opens(t testing.TB, id slot.Identity, container []byte) bool {
	t.Helper()
	r, err := stream.NewReaderAt(t.Context(), bytes.NewReader(container), int64(len(container)), []slot.Identity{id}, nil)
	if _, no := errors.AsType[*stream.NoKeyError](err); no {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return true
}

// A hundred files over twelve months, and a keeper that is advanced step by step: at every
// state exactly the files of the reached epochs open. What the keeper's file held before
// is nowhere in it.
func TestHundredFiles(t *testing.T) {
	k := newKeeper(t, Month, "2027")
	cal := calendarOf(t, k)
	file := k.Encode()
	type written struct {
		at        time.Time
		container []byte
	}
	var files []written
	for i := range 100 {
		at := day("2027-01-01").Time().Add(time.Duration(i) * 365 * 24 * time.Hour / 100)
		to, err := cal.At(at)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, written{at, encryptTo(t, to, fmt.Sprint(i))})
	}
	for to := cal.From; to <= cal.To; to++ {
		k := parse(t, file)
		if err := k.Unlock(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		old := slices.Clone(k.chain.c[:])
		if err := k.Advance(t.Context(), to, day("2028-01-01"), into(file)); err != nil {
			t.Fatal(err)
		}
		if to > cal.From && bytes.Contains(file, old) {
			t.Fatalf("the keeper at %d still has the state of %d", to, to-1)
		}
		id := parse(t, file).Identity(nil)
		for i, f := range files {
			id.Near(f.at)
			want := Month.Number(DateOf(f.at)) >= to
			if got := opens(t, id, f.container); got != want {
				t.Errorf("keeper at %v: file %d of %v opens: %v", Month.First(to), i, f.at, got)
			}
		}
	}
	if err := parse(t, file).Advance(t.Context(), cal.To+1, 0, into(file)); err == nil {
		t.Error("a keeper goes beyond its end")
	}
}

// The file's time decides only in which order keys are tried: a wrong one costs no file.
func TestNear(t *testing.T) {
	k := newKeeper(t, Day, "2027-01..2027-03")
	to, err := calendarOf(t, k).At(day("2027-02-14").Time())
	if err != nil {
		t.Fatal(err)
	}
	container := encryptTo(t, to, "")
	for _, at := range []string{"1970-01-01", "2027-02-14", "2027-01-01", "2027-12-31", "9999-12-31"} {
		id := parse(t, k.Encode()).Identity(nil)
		id.Near(day(at).Time())
		if !opens(t, id, container) {
			t.Errorf("it does not open from %s", at)
		}
	}
	s := Span{Day, 100, 110}
	for d, want := range map[Date]string{
		104: "[104 103 105 102 106 101 107 100 108 109]",
		0:   "[100 101 102 103 104 105 106 107 108 109]",
		999: "[109 108 107 106 105 104 103 102 101 100]",
	} {
		if got := fmt.Sprint(nearest(s, d)); got != want {
			t.Errorf("from %d: %s, want %s", d, got, want)
		}
	}
	if got := nearest(Span{Day, 0, MaxEpochs}, 2000); len(got) != maxTries || slices.Max(got) > 2000+maxTries/2 {
		t.Errorf("%d epochs, to %d", len(got), slices.Max(got))
	}
	if got := nearest(Span{Day, 5, 5}, 5); got != nil {
		t.Error(got)
	}
}

var errCut = errors.New("the power failed")

// cutAt is a Write that a power failure cuts: of its n-th write only the first bytes get
// there, or the last.
func cutAt(file []byte, n, bytes int, fromEnd bool) Write {
	return func(off int64, p []byte) error {
		if n--; n > 0 {
			copy(file[off:], p)
			return nil
		}
		if n == 0 && !fromEnd {
			copy(file[off:], p[:bytes])
		} else if n == 0 {
			copy(file[off+int64(len(p)-bytes):], p[len(p)-bytes:])
		}
		return errCut
	}
}

// An advance is cut at every write, after any part of it: the keeper has the old state or
// the new one, and the next run leaves nothing of the old.
func TestCut(t *testing.T) {
	k := newKeeper(t, Month, "2027")
	whole := calendarOf(t, k)
	from := k.Reach().From
	cuts := []int{0, 1, 7, 8, 30, 93, 94, 95, 125, 126, 512, pageSize - 1, pageSize}
	for n := 1; n <= 2; n++ {
		for _, part := range cuts {
			for _, fromEnd := range []bool{false, true} {
				file := k.Encode()
				// Not the first change: both pages have been written before.
				if err := parse(t, file).Advance(t.Context(), from, 1, into(file)); err != nil {
					t.Fatal(err)
				}
				k := parse(t, file)
				if err := k.Unlock(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				secret := slices.Clone(k.chain.c[:])
				err := k.Advance(t.Context(), from+3, 2, cutAt(file, n, part, fromEnd))
				if !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				k = parse(t, file)
				if got := k.Reach().From; got != from && got != from+3 || n == 2 && got != from+3 {
					t.Fatalf("cut in write %d after %d bytes: epoch %d", n, part, got)
				}
				if c, bad := calendarOf(t, k).Conflict(whole); bad {
					t.Fatalf("cut in write %d after %d bytes: another key for %v", n, part, c)
				}
				if err := k.Advance(t.Context(), from+3, 3, into(file)); err != nil {
					t.Fatal(err)
				}
				k = parse(t, file)
				if k.Reach().From != from+3 || bytes.Contains(file, secret) || k.used[1-k.at] || k.LastRun() != 3 {
					t.Fatalf("cut in write %d after %d bytes: not finished by the next run", n, part)
				}
			}
		}
	}
}

// The next run of any kind erases what a run that was cut has left.
func TestFinish(t *testing.T) {
	k := newKeeper(t, Week, "2027")
	file := k.Encode()
	if err := parse(t, file).Extend(t.Context(), k.Reach().To+10, cutAt(file, 2, 0, false)); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	k = parse(t, file)
	if k.Reach().Len() != 63 || !k.used[1-k.at] {
		t.Fatalf("%d epochs", k.Reach().Len())
	}
	if err := k.Finish(t.Context(), into(file)); err != nil {
		t.Error(err)
	}
	if k := parse(t, file); k.used[1-k.at] {
		t.Error("the old state is still there")
	}
}

func TestExtend(t *testing.T) {
	k := newKeeper(t, Quarter, "2027")
	old := calendarOf(t, k)
	file := k.Encode()
	k = parse(t, file)
	if err := k.Unlock(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := k.Advance(t.Context(), old.From+1, 5, into(file)); err != nil {
		t.Fatal(err)
	}
	if err := k.Extend(t.Context(), old.To+4, into(file)); err != nil {
		t.Fatal(err)
	}
	cal := calendarOf(t, parse(t, file))
	if got := cal.Span.String(); got != "2027-04-01 to 2028-12-31" {
		t.Error(got)
	}
	if at, bad := cal.Conflict(old); bad {
		t.Errorf("another key for %v", at)
	}
	if k.LastRun() != 5 {
		t.Error("extending is no run that ends epochs")
	}
	if err := k.Extend(t.Context(), old.To, into(file)); err != nil || k.Reach().To != old.To+4 {
		t.Errorf("it became shorter: %v (%v)", k.Reach(), err)
	}
	if err := k.Extend(t.Context(), old.From+1+MaxEpochs+1, into(file)); err == nil {
		t.Error("more than 4,096 epochs")
	}
	if err := k.Advance(t.Context(), k.Reach().To, 6, into(file)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Calendar(); err == nil {
		t.Error("a calendar without epochs")
	}
}

// What is not as the specification has it is refused, and nothing panics.
func TestParse(t *testing.T) {
	k := newKeeper(t, Month, "2027")
	file := k.Encode()
	if !bytes.Equal(parse(t, file).Encode(), file) {
		t.Error("it does not encode to what was read")
	}
	for i := range file[:pageSize+pageSize] {
		b := slices.Clone(file)
		b[i] ^= 1 << (i % 8)
		if _, err := Parse(b); !errors.Is(err, ErrMalformed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	b := slices.Clone(file)
	b[2*pageSize+5] = 1 // left by a run that was cut
	if k := parse(t, b); !k.used[1] || k.pages[1] != nil {
		t.Error("what a run has left is not seen")
	}
	for _, n := range []int{0, 1, 16, pageSize, FileSize - 1} {
		if _, err := Parse(file[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := Parse(append(file, 0)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	s := *k.state()
	for name, change := range map[string]func(){
		"end before epoch": func() { s.End = s.Epoch - 1 },
		"too many epochs":  func() { s.End = s.Epoch + MaxEpochs + 1 },
		"run before 1970":  func() { s.Run = 1 << 31 },
	} {
		s = *k.state()
		change()
		b := append(encode(pageSize, k.h, nil), k.page(&s)...)
		if _, err := Parse(append(b, make([]byte, pageSize)...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Under a passphrase nothing of the state shows, and stock age opens the box.
func TestPassphrase(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes five scrypts")
	}
	phrase := func(s string, err error) *Secrets {
		return &Secrets{Passphrase: func(context.Context) ([]byte, error) { return []byte(s), err }}
	}
	s := Span{Month, 684, 696}
	k, err := New(t.Context(), mixer(t), s, 0, Passphrase, phrase("correct", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	file := k.Encode()
	if bytes.Contains(file, k.chain.c[:]) {
		t.Error("the state is in the file")
	}
	for _, c := range []struct {
		o    *Secrets
		want error
	}{
		{nil, errNobody},
		{phrase("wrong", nil), agekey.ErrWrongPassphrase},
		{phrase("", nil), keyslot.ErrEmptyPassphrase},
		{phrase("", errCut), errCut},
	} {
		if err := parse(t, file).Unlock(t.Context(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	locked := parse(t, file)
	if err := locked.Advance(t.Context(), s.From+1, 7, into(file)); !errors.Is(err, errLocked) {
		t.Error(err)
	}
	if err := locked.Advance(t.Context(), s.From, 7, into(file)); err != nil { // nothing ends: nothing to unlock
		t.Error(err)
	}
	k = parse(t, file)
	if err := k.Unlock(t.Context(), phrase("correct", nil)); err != nil {
		t.Fatal(err)
	}
	if err := k.Advance(t.Context(), s.From+2, 8, into(file)); err != nil {
		t.Fatal(err)
	}
	to, err := calendarOf(t, k).At(day("2027-03-31").Time())
	if err != nil {
		t.Fatal(err)
	}
	id := parse(t, file).Identity(phrase("correct", nil))
	if !id.Interactive() || !opens(t, id, encryptTo(t, to, "")) || id.Interactive() {
		t.Error("it does not open with its passphrase")
	}
	for _, v := range []any{k, id} {
		if s := fmt.Sprintf("%v %+v", v, v); bytes.Contains([]byte(s), k.chain.c[:8]) || len(s) > 200 {
			t.Errorf("%T prints %q", v, s)
		}
	}
}
