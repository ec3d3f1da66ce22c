package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/safetext"
	"bulla/keyslot/keyfile"
	"bulla/keyslot/tpmkey"
)

// TPMFlags say how keygen seals a key to the TPM.
type tpmFlags struct {
	pinFlags
	tpm   bool
	noPIN bool
	pcrs  []int
}

func (t *tpmFlags) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&t.tpm, "tpm", false, "seal the key to this machine's TPM, and ask for a PIN for it")
	f.IntSliceVar(&t.pcrs, "pcr", nil, "with --tpm, bind the key to the present values of the PCRs in `LIST`, such as 7")
	f.BoolVar(&t.noPIN, "no-pin", false, "with --tpm, open without a PIN")
	t.pinFlags.register(a, cmd)
}

func (t *tpmFlags) check(cmd *cobra.Command) error {
	for _, name := range []string{"pcr", "no-pin", "pin-file"} {
		if cmd.Flags().Changed(name) && !t.tpm {
			return usage("add --tpm", "--%s is about keys that are sealed to a TPM", name)
		}
	}
	switch {
	case t.tpm && cmd.Flags().Changed("kek"):
		return usage("leave out one of them", "a symmetric key cannot be sealed to a TPM")
	case t.noPIN && t.file != "":
		return usage("leave out one of them", "--no-pin and --pin-file contradict each other")
	}
	for _, n := range t.pcrs {
		if n < 0 || n > 23 {
			return usage("for example --pcr 7, which changes with the settings of Secure Boot", "there is no PCR %d, only 0 to 23", n)
		}
	}
	return nil
}

// make makes a key. That there is a TPM is seen to before anybody thinks of a
// PIN.
func (t *tpmFlags) make(ctx context.Context, m *entropy.Mixer) (*newIdentity, error) {
	pin, o, err := t.available(ctx)
	if err != nil {
		return nil, err
	}
	if !t.noPIN {
		o.PIN, err = t.pinFlags.create(ctx)
		defer clear(o.PIN)
		if err != nil {
			return nil, err
		}
	}
	k, err := tpmkey.Generate(ctx, m, o)
	if required, ok := errors.AsType[*entropy.RequireError](err); ok {
		return nil, required
	}
	if err != nil {
		return nil, sealFailure(pin, err)
	}
	file, err := keyfile.Encode(k, time.Now())
	return &newIdentity{file, k.Recipient()}, err
}

// available finds the TPM, and returns the path of the pin file, too.
func (t *tpmFlags) available(ctx context.Context) (pin string, o *tpmkey.Options, err error) {
	if pin, err = tpmPinPath(); err != nil {
		return "", nil, err
	}
	o = &tpmkey.Options{NoPIN: t.noPIN, PCRs: t.pcrs}
	if o.TPM, err = entropy.PinnedTPM(pin); err != nil {
		return "", nil, err
	}
	if err := tpmkey.Available(ctx, o); err != nil {
		return "", nil, sealFailure(pin, err)
	}
	return pin, o, nil
}

// sealFailure says why a TPM sealed no key. pin is the path of the pin file.
func sealFailure(pin string, err error) error {
	if errors.Is(err, tpmkey.ErrNotPinned) {
		f := tpmFailure(exitRefused, "no key was sealed", err)
		f.hint += "; if you know why, remove " + safetext.Printable(pin)
		return f
	}
	return tpmFailure(exitIO, "cannot seal a key", err)
}

// urgeSecond warns that a TPM is one device, and mortal.
func (a *app) urgeSecond() {
	a.warn("what is encrypted to this key alone is lost when the TPM is cleared or the machine breaks",
		"encrypt to a second key as well, kept elsewhere: bulla keygen -o FILE makes one, and -r or a line in recipients.txt uses it")
}
