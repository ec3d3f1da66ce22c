//go:build !unix

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// tpmCmd is for scripts that are skipped here: there is no emulator.
func tpmCmd(*testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("no emulated TPMs here") }
}
