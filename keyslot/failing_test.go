//go:build !windows

package keyslot

import (
	"errors"
	"testing"

	"bulla/entropy"
	"bulla/internal/tpmdev/swtpmtest"
)

// A TPM that must contribute to every key, and has failed meanwhile, ends all that would
// make one: there is no key, no passphrase, no slot. A process has one TPM for good, so
// this is the first test of the package: the others draw on none.
func TestSourceFails(t *testing.T) {
	e := swtpmtest.Start(t)
	e.Use()
	m := mixer(t, &entropy.Options{Sources: []string{}, Require: []string{"tpm"}})
	if _, err := GenerateKEK(m); err != nil {
		t.Fatal(err)
	}
	e.Kill()
	identity, err1 := GenerateIdentity(m)
	kek, err2 := GenerateKEK(m)
	words, err3 := GeneratePassphrase(m)
	if identity != nil || kek != nil || words != nil {
		t.Errorf("there is %v, %v, %q", identity, kek, words)
	}
	errs := []error{err1, err2, err3}
	for _, r := range []Recipient{newIdentity(t).Recipient(), newKEK(t), newPassphrase(t, "x")} {
		body, err := r.Wrap(t.Context(), m, testPreamble(), testCEK())
		if body != nil {
			t.Errorf("%v: there is a slot", r.Type())
		}
		errs = append(errs, err)
	}
	for i, err := range errs {
		if e, ok := errors.AsType[*entropy.RequireError](err); !ok || e.Source != "tpm" {
			t.Errorf("%d: %v", i, err)
		}
	}
}
