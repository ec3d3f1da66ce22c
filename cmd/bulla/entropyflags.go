package main

import (
	"path/filepath"

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

// mixer makes the mixer that the flags ask for. Where there is no configuration
// directory, the TPM is pinned for this run only.
func (e *entropyFlags) mixer(cmd *cobra.Command) (*entropy.Mixer, error) {
	o := &entropy.Options{Require: e.require}
	if dir, err := configDir(); err == nil {
		o.TPMPinFile = filepath.Join(dir, tpmPinFile)
	}
	if cmd.Flags().Changed("entropy") {
		o.Sources = append([]string{}, e.sources...) // not nil: "os" alone is a choice
	}
	return entropy.New(o)
}
