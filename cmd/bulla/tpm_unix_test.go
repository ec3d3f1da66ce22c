//go:build unix

package main

import (
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bulla/internal/tpmdev"
	"bulla/internal/tpmdev/swtpmtest"
)

// tpmCmd is the script command tpm, for scripts that begin with
// [missing:swtpm] skip:
//
//	tpm start    a new emulator, which is the TPM from here on
//	tpm cut      as a power cut does
//	tpm off      as an orderly shutdown does
//	tpm on       on again, with the state it left
//	tpm replace  another TPM in its place
//	tpm pause    it takes commands and does not answer
//	tpm resume   it does again
func tpmCmd(t *testing.T) func(*testscript.TestScript, bool, []string) {
	var mu sync.Mutex
	emulators := make(map[string]*swtpmtest.Emulator) // by where the script runs
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 {
			ts.Fatalf("usage: tpm start | cut | off | on | replace | pause | resume")
		}
		where := ts.Getenv("WORK")
		mu.Lock()
		defer mu.Unlock()
		e := emulators[where]
		if e == nil && args[0] != "start" {
			ts.Fatalf("no tpm start")
		}
		switch args[0] {
		case "start":
			e = swtpmtest.Start(t)
			ts.Defer(e.Kill)
			emulators[where] = e
			ts.Setenv(tpmdev.EnvDevice, e.Socket)
			ts.Setenv("TPM2TOOLS_TCTI", e.TCTI)
		case "cut":
			e.Kill()
		case "off":
			e.Shutdown()
		case "on":
			e.Restart()
		case "replace":
			e.Replace()
		case "pause":
			e.Pause()
		case "resume":
			e.Resume()
		default:
			ts.Fatalf("tpm cannot %s", args[0])
		}
	}
}
