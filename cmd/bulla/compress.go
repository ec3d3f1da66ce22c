package main

import (
	"github.com/spf13/cobra"

	"bulla/internal/zseek"
)

// zstdSuffix ends the names of what Zstandard has compressed.
const zstdSuffix = ".zst"

// compressFlags are the flags of a verb that compresses what it encrypts.
type compressFlags struct {
	compress bool
	number   int
}

func (c *compressFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&c.compress, "compress", "z", false, "compress with Zstandard before encrypting; ranges stay readable")
	f.IntVar(&c.number, "level", 0, "compress at level `N`, 1 (fastest) to 19 (default 3); implies -z")
}

// level is what to compress at, 0 for not at all.
func (c *compressFlags) level(cmd *cobra.Command) (int, error) {
	if !cmd.Flags().Changed("level") {
		if c.compress {
			return zseek.DefaultLevel, nil
		}
		return 0, nil
	}
	if c.number < zseek.MinLevel || c.number > zseek.MaxLevel {
		return 0, usage("1 is the fastest, 19 the smallest", "there is no --level %d", c.number)
	}
	return c.number, nil
}
