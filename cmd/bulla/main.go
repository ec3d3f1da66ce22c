// Command bulla encrypts files and streams of any size, and opens, checks and
// describes what it made.
//
// Every verb has a file of its own. What they share is one idea a file:
//
//	root.go        the verbs, the flags they all have, the run itself
//	errors.go      every error's message, hint and exit code; explain.go has those of
//	               containers and keys
//	report.go      how everything is said, to people and to programs
//	keyflags.go    the flags that name keys; files of keys in keys.go, recipients and
//	               identities in keys_*.go
//	passphrase.go  where passphrases and PINs come from
//	input.go       what is read, and what standard input and other descriptors are for
//	output.go      what is written: whole or not at all
//	progress.go    how many pieces at a time, and whether progress is shown
//	usage.go       what is wrong with a command line, and what was meant
//	help.go        how help is laid out
//	topics.go      the help that belongs to no verb; what exit codes mean
//
// A new verb is a file with a function that makes its cobra.Command, and a line
// in the list in root.go; with what it may end stands in topics.go.
package main

import (
	"os"
	"runtime/debug"

	"bulla/internal/interrupt"
)

// gcPercent is how far the heap may grow beyond what is in use before it is
// collected. The streams allocate all they need at their start and hardly
// anything later: collections while that is under way find nothing, and each
// stops the workers.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	code := newApp(stdio{os.Stdin, os.Stdout, os.Stderr}).run(os.Args[1:])
	if code == exitInterrupted {
		interrupt.Die()
	}
	os.Exit(code)
}

// stdio is the three files that a program starts with.
type stdio struct{ in, out, err *os.File }
