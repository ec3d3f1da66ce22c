//go:build !windows

package epoch

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"bulla/internal/tpmdev/swtpmtest"
	"bulla/keyslot/tpmkey"
)

// pin gives the PINs of a list, one after the other, and then what was wrong.
func pin(pins ...string) tpmkey.PINFunc {
	return func(_ context.Context, wrong error) ([]byte, error) {
		if len(pins) == 0 {
			return nil, wrong
		}
		p := pins[0]
		pins = pins[1:]
		return []byte(p), nil
	}
}

// A keeper that is sealed to a TPM: what was advanced stays so, also for whoever has kept
// every version of its file.
func TestTPM(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	span := Span{Month, 684, 696}
	k, err := New(t.Context(), mixer(t), span, 0, TPM, &Secrets{PIN: pin("1234")})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	cal := calendarOf(t, k)
	file := k.Encode()
	if bytes.Contains(file, k.chain.c[:]) {
		t.Error("the state is in the file")
	}
	var containers [][]byte
	for _, r := range cal.All() {
		containers = append(containers, encryptTo(t, r, ""))
	}
	versions := [][]byte{slices.Clone(file)}
	for to := span.From; to < span.To; to += 3 {
		k := parse(t, file)
		if err := k.Unlock(t.Context(), &Secrets{PIN: pin("1234")}); err != nil {
			t.Fatal(err)
		}
		if err := k.Advance(t.Context(), to, 5, func(off int64, p []byte) error {
			copy(file[off:], p)
			versions = append(versions, slices.Clone(file)) // the copy that a backup has made just then
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			k, err := Parse(v)
			if err != nil {
				t.Fatal(err)
			}
			id := k.Identity(&Secrets{PIN: pin("1234")})
			for i, c := range containers {
				if opens(t, id, c) && span.From+i < to {
					t.Fatalf("at %d a version opens epoch %d", to, span.From+i)
				}
			}
		}
		id := parse(t, file).Identity(&Secrets{PIN: pin("1234")})
		if !opens(t, id, containers[to-span.From]) || !opens(t, id, containers[11]) {
			t.Fatalf("at %d what is reached does not open", to)
		}
	}
	if err := parse(t, versions[0]).Unlock(t.Context(), &Secrets{PIN: pin("1234")}); !errors.Is(err, tpmkey.ErrCounter) {
		t.Errorf("an old copy: %v", err)
	}
	if err := parse(t, file).Unlock(t.Context(), &Secrets{PIN: pin("4321")}); !errors.Is(err, tpmkey.ErrWrongPIN) {
		t.Errorf("a wrong PIN: %v", err)
	}
	if err := parse(t, file).Unlock(t.Context(), &Secrets{PIN: pin("4321", "1234")}); err != nil {
		t.Errorf("the right PIN after a wrong one: %v", err)
	}
	if err := parse(t, file).Unlock(t.Context(), nil); !errors.Is(err, tpmkey.ErrNoPINFunc) {
		t.Errorf("nobody to ask: %v", err)
	}
	e.Replace()
	if err := parse(t, file).Unlock(t.Context(), &Secrets{PIN: pin("1234")}); !errors.Is(err, tpmkey.ErrSRKChanged) {
		t.Errorf("another TPM: %v", err)
	}
}

// A run is cut at every step. One state opens, never none and never two, and what the next
// run leaves is the new one.
func TestTPMCut(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	span := Span{Quarter, 228, 240}
	for _, c := range []struct {
		name    string
		write   int  // that is cut
		arrives bool // and gets there all the same
		from    int  // what opens afterwards
	}{
		{"while the new state is written", 1, false, 228},
		{"before the counter", 1, true, 228},
		{"after the counter", 2, false, 230},
		{"at the end", 2, true, 230},
	} {
		k, err := New(t.Context(), mixer(t), span, 0, TPM, &Secrets{})
		if err != nil {
			t.Fatal(err)
		}
		file := k.Encode()
		part := pageSize / 2
		if c.arrives {
			part = pageSize
		}
		if err := k.Advance(t.Context(), 230, 0, cutAt(file, c.write, part, false)); !errors.Is(err, errCut) {
			t.Fatalf("%s: %v", c.name, err)
		}
		k.Close()
		before := slices.Clone(file)
		k = parse(t, file)
		if err := k.Unlock(t.Context(), nil); err != nil || k.Reach().From != c.from {
			t.Errorf("%s: %v (%v)", c.name, k.Reach(), err)
		}
		other := parse(t, file)
		if other.pages[1-k.at] != nil { // the state that does not count: it does not open
			other.at = 1 - k.at
			if _, err := other.open(t.Context(), &Secrets{}); !errors.Is(err, tpmkey.ErrCounter) {
				t.Errorf("%s: the other state: %v", c.name, err)
			}
		}
		if err := k.Advance(t.Context(), 230, 1, into(file)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		k = parse(t, file)
		if err := k.Unlock(t.Context(), nil); err != nil || k.Reach().From != 230 || k.used[1-k.at] {
			t.Errorf("%s: the next run leaves %v (%v)", c.name, k.Reach(), err)
		}
		// Whoever kept what the cut run had written has the new state at most.
		k = parse(t, before)
		if err := k.Unlock(t.Context(), nil); err == nil && k.Reach().From != 230 {
			t.Errorf("%s: the copy opens %v", c.name, k.Reach())
		}
	}
}

// A power cut of the TPM between two runs changes nothing, and a counter that is gone is
// told.
func TestTPMCounter(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	c, value, err := tpmkey.NewCounter(t.Context(), mixer(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	box, err := c.Seal(t.Context(), []byte("state"), value+1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Unseal(t.Context(), box, value+1, nil); !errors.Is(err, tpmkey.ErrCounter) {
		t.Errorf("before its time: %v", err)
	}
	if err := c.Increment(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Kill()
	e.Restart()
	if got, err := c.Value(t.Context()); got != value+1 || err != nil {
		t.Errorf("%d, want %d (%v)", got, value+1, err)
	}
	if data, _, err := c.Unseal(t.Context(), box, value+1, nil); string(data) != "state" {
		t.Errorf("%q, %v", data, err)
	}
	if _, _, err := c.Unseal(t.Context(), box, value, nil); err == nil { // whatever the file claims
		t.Error("it opens at another value")
	}
	for _, bad := range [][]byte{nil, box[:20], append([]byte{2}, box[1:]...)} {
		if _, _, err := c.Unseal(t.Context(), bad, value+1, nil); !errors.Is(err, tpmkey.ErrDamaged) {
			t.Errorf("a box of %d bytes: %v", len(bad), err)
		}
	}
	if err := c.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Value(t.Context()); !errors.Is(err, tpmkey.ErrNoCounter) {
		t.Errorf("removed: %v", err)
	}
	if _, _, err := c.Unseal(t.Context(), box, value+1, nil); err == nil {
		t.Error("it opens without its counter")
	}
	// A counter that is made afterwards begins above: none comes back to a value it had.
	if d, next, err := tpmkey.NewCounter(t.Context(), mixer(t), nil); err != nil || d.Index == c.Index || next <= value+1 {
		t.Errorf("a second counter: %x at %d (%v)", d.Index, next, err)
	}
}

// The counter of a keeper that is thrown away is free again, also if the run was interrupted.
func TestDiscard(t *testing.T) {
	swtpmtest.Start(t).Use()
	k, err := New(t.Context(), mixer(t), Span{Month, 684, 696}, 0, TPM, &Secrets{PIN: pin("1234")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k.Discard(ctx)
	if _, err := k.h.Counter.Value(t.Context()); !errors.Is(err, tpmkey.ErrNoCounter) {
		t.Errorf("its counter is still there: %v", err)
	}
}
