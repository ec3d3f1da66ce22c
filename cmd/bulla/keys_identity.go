package main

import (
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/keyslot/keyfile"
	"bulla/slot"
	"bulla/stream"
)

// IdentityFlags say with what to open a file.
type identityFlags struct {
	app        *app
	files      []string
	keks       []string
	passphrase passphraseFlags
	pin        pinFlags
}

func (k *identityFlags) register(a *app, cmd *cobra.Command) { k.registerFor(a, cmd, toOpen) }

func (k *identityFlags) registerFor(a *app, cmd *cobra.Command, use keyUse) {
	k.app, k.passphrase.app = a, a
	use.registerFiles(cmd, identityFlag, &k.files)
	use.registerFiles(cmd, kekFlag, &k.keks)
	k.pin.register(a, cmd)
	use.registerPassphrase(cmd, &k.passphrase)
}

// Identities are the keys there are to open files with.
type identities struct {
	all   []stream.Identity
	named int // how many of them the user named, or keeps in the default place

	written time.Time // when the file was that they are tried on, as far as is known

	phrase bool   // the user asked for a passphrase
	prefix string // of the flags that name more
}

// given reports whether the user said which keys to use.
func (k *identityFlags) given() bool {
	return len(k.files) > 0 || len(k.keks) > 0 || k.passphrase.given()
}

// find reads the identities. Without any flag these are the ones in the default
// place and, if ask, a passphrase, which is asked for only once a file is met that
// it could open.
func (k *identityFlags) find(ask bool) (*identities, error) {
	if err := k.passphrase.check(); err != nil {
		return nil, err
	}
	if err := k.pin.check(); err != nil {
		return nil, err
	}
	ids := &identities{phrase: k.passphrase.given(), prefix: k.passphrase.prefix}
	files := k.files
	if !k.given() {
		path, err := configFile(identityFile)
		if err != nil && !k.passphrase.ambient() {
			return nil, err
		}
		if path != "" {
			files = []string{path}
		}
	}
	for _, name := range files {
		more, err := k.app.readIdentities(name, &k.pin)
		if err != nil {
			return nil, err
		}
		ids.all = append(ids.all, more...)
	}
	for _, name := range k.keks {
		kek, err := k.app.readKEK(name)
		if err != nil {
			return nil, err
		}
		ids.all = append(ids.all, kek)
	}
	ids.named = len(ids.all)
	if k.passphrase.given() || !k.given() && (ask || k.passphrase.ambient()) {
		ids.all = append(ids.all, keyslot.NewPassphraseIdentity(k.passphrase.open))
	}
	return ids, nil
}

func (a *app) readIdentities(name string, pin *pinFlags) ([]keyslot.Identity, error) {
	f, err := a.openKeys(name, "the identities")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids, err := a.parseIdentities(name, f, pin)
	if err == nil { // else it may be no secret
		a.warnExposed(f, name, "identity file")
	}
	return ids, err
}

// near says which file the identities are about to be tried on: a keeper tries the keys of
// the file's time first.
func (ids *identities) near(in *input) {
	if in == nil || !in.regular || in.InStore() {
		return
	}
	ids.written = in.Info().ModTime()
	for _, k := range ids.keepers() {
		k.Near(ids.written)
	}
}

// keepers are those of the identities that are one.
func (ids *identities) keepers() (all []*keyfile.Keeper) {
	for _, id := range ids.all {
		if k, ok := id.(*keyfile.Keeper); ok {
			all = append(all, k)
		}
	}
	return all
}

// openers adds to named the recipients that the identities belong to, as far as they say.
func (ids *identities) openers(named []namedRecipient) []namedRecipient {
	for _, id := range ids.all {
		if r := slot.RecipientOf(id); r != nil {
			named = append(named, namedRecipient{r, theOpener})
		}
	}
	return named
}

// A keysError is a container that none of the keys opens.
type keysError struct {
	*stream.NoKeyError
	keys *identities
}

func (e *keysError) Unwrap() error { return e.NoKeyError }

// explain adds to an error that no key fits which keys there were.
func (ids *identities) explain(err error) error {
	if nk, ok := errors.AsType[*stream.NoKeyError](err); ok {
		if err := unusable(nk); err != nil {
			return err
		}
		return &keysError{nk, ids}
	}
	return err
}

func (a *app) parseIdentities(name string, r io.Reader, pin *pinFlags) ([]keyslot.Identity, error) {
	beside := func(name string) (io.ReadCloser, error) { return a.openBeside(name) } // so that no output replaces it
	ids, err := keyfile.ParseIdentities(name, r, &keyfile.Options{UI: a.person, PIN: pin.open(name), Open: beside})
	return ids, keyFileError(name, err)
}

// tpmFailure says why a TPM did not do something, with the hint that belongs to
// that.
func tpmFailure(exit int, what string, err error) *failure {
	f := &failure{exit: exit, what: what + ": " + err.Error(), err: err}
	if own, ok := errors.AsType[*failure](err); ok { // of a prompt
		f.what, f.hint = own.what, own.hint
	} else {
		f.hint = hintOf(err)
	}
	return f
}

// hintOf is what an error of a key advises itself, if it does.
func hintOf(err error) string {
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return h.Hint()
	}
	return ""
}

// unusable is why a TPM key could not be used, if that is why nothing opened a
// file: nil if not. It counts for more than that no other key fits.
func unusable(nk *stream.NoKeyError) error {
	for _, cause := range nk.Causes {
		if e, ok := errors.AsType[*keyfile.UnusableError](cause); ok {
			f := tpmFailure(exitNoKey, safetext.Printable(e.File), e.Err)
			f.err = nk
			return f
		}
	}
	return nil
}
