package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/keyslot/keyfile"
	"bulla/keyslot/tpmkey"
	"bulla/stream"
)

// maxPINTries is how often a person is asked for a PIN. The TPM counts the wrong
// ones; after some it locks itself for everybody.
const maxPINTries = 3

// PINFlags say where the PIN of a TPM key comes from. Never from the command
// line itself, which every process on the machine can read.
type pinFlags struct {
	app  *app
	file string
}

func (p *pinFlags) register(a *app, cmd *cobra.Command) {
	p.app = a
	cmd.Flags().StringVar(&p.file, "pin-file", "", "read the PIN of a TPM key from `FILE` instead of asking for it")
}

func (p *pinFlags) check() error {
	if p.file == "" {
		return nil
	}
	return p.app.claim(p.file, "the PIN")
}

// open asks for the PIN of the key in a file. What a file says is tried once:
// it would say the same again, and each wrong PIN counts.
func (p *pinFlags) open(name string) tpmkey.PINFunc {
	asked := 0
	return func(ctx context.Context, wrong error) ([]byte, error) {
		switch {
		case wrong != nil && (p.file != "" || asked >= maxPINTries):
			return nil, wrong
		case p.file != "":
			return p.app.pinFile(p.file)
		}
		asked++
		prompt := "PIN of the TPM key " + safetext.Printable(name) + ": "
		if wrong != nil {
			prompt = wrong.Error() + "\n" + prompt
		}
		return p.app.askPIN(ctx, prompt)
	}
}

// create gets the PIN of a new key. Asked for, it is asked for twice.
func (p *pinFlags) create(ctx context.Context) ([]byte, error) {
	if p.file != "" {
		return p.app.pinFile(p.file)
	}
	first, err := p.app.askPIN(ctx, "PIN for the new TPM key: ")
	if err == nil {
		err = checkPIN("", first)
	}
	if err != nil {
		clear(first)
		return nil, err
	}
	again, err := p.app.askPIN(ctx, "PIN once more: ")
	return confirmed(first, again, err, refuse("no key was made; try again", "the two PINs differ"))
}

// checkPIN refuses what no TPM takes for a PIN, whoever it came from.
func checkPIN(from string, pin []byte) error {
	if err := tpmkey.CheckPIN(pin); err != nil {
		return noSecret(fmt.Sprintf("a PIN has 1 to %d bytes; --no-pin makes a key that opens without one", tpmkey.MaxPIN), "%s%v", from, err)
	}
	return nil
}

func (a *app) askPIN(ctx context.Context, prompt string) ([]byte, error) {
	pin, err := a.person.Secret(ctx, prompt)
	return pin, unanswered(err, "the PIN", "no PIN was given", "say where it comes from with --pin-file")
}

func (a *app) pinFile(name string) ([]byte, error) {
	pin, err := a.secretFile(name, "--pin-file", "PIN")
	if err == nil {
		err = checkPIN(safetext.Printable(name)+": ", pin)
	}
	if err != nil {
		clear(pin)
		return nil, err
	}
	return pin, nil
}

func (a *app) parseIdentities(name string, r io.Reader, pin *pinFlags) ([]keyslot.Identity, error) {
	beside := func(name string) (io.ReadCloser, error) { return a.files.Open(name) } // so that no output replaces it
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
