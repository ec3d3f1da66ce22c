//go:build !windows

package set

import (
	"context"
	"errors"
	"testing"

	"bulla/entropy"
	"bulla/internal/tpmdev/swtpmtest"
)

// A TPM that must contribute to every key, and has failed meanwhile, ends a set before it
// has a root. A process has one TPM for good, so this is the first test of the package: the
// others look for one.
func TestSourceFails(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	m, err := entropy.New(&entropy.Options{Sources: []string{}, Require: []string{"tpm"}})
	if err != nil {
		t.Fatal(err)
	}
	e.Kill()
	opts := small
	opts.Entropy = m
	s := newStore()
	_, err = NewWriter(context.Background(), s.Create, to, &opts)
	if r, ok := errors.AsType[*entropy.RequireError](err); !ok || r.Source != "tpm" || len(s.parts) > 0 {
		t.Errorf("%v, %q", err, s.order)
	}
}
