package main

import (
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"bulla/entropy"
)

// EntropyFlags say what new keys are made of.
type entropyFlags struct {
	sources, require []string
}

func (e *entropyFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&e.sources, "entropy", nil, "mix only these `SOURCES` with the operating system's (default: all)")
	f.StringSliceVar(&e.require, "require", nil, "fail unless entropy `SOURCE` works (repeatable)")
	complete(cmd, "entropy", entropy.Names())
	complete(cmd, "require", entropy.Names())
}

// tpmPinFile, in the configuration directory, keeps which TPM random bytes come
// from: once it is there, they come from no other.
const tpmPinFile = "tpm-pin"

// tpmPinPath is the path of the file that pins the TPM.
func tpmPinPath() (string, error) {
	dir, err := configDir()
	return filepath.Join(dir, tpmPinFile), err
}

// mixer makes the mixer that the flags ask for. Without a configuration directory
// the TPM is pinned for this run only, and is refused if it is asked for by name.
func (e *entropyFlags) mixer(a *app, cmd *cobra.Command) (*entropy.Mixer, error) {
	o := &entropy.Options{Require: e.require}
	pin, err := tpmPinPath()
	switch {
	case err == nil:
		o.TPMPinFile = pin
	case slices.Contains(slices.Concat(e.sources, e.require), "tpm"):
		return nil, err
	}
	if cmd.Flags().Changed("entropy") {
		o.Sources = append([]string{}, e.sources...) // not nil: "os" alone is a choice
	}
	a.mixer, err = entropy.New(o)
	return a.mixer, err
}

// tellLeftOut warns of sources that should have been in the new keys. What was
// required has ended the run instead.
func (a *app) tellLeftOut() {
	if a.mixer == nil {
		return
	}
	for _, s := range a.mixer.LeftOut() {
		a.warn("the entropy source "+s.Name+" was left out: "+s.Reason, s.Hint)
	}
}
