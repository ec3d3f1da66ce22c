// Command bulla encrypts files and streams of any size, and opens, checks and
// describes what it made.
//
// Every verb has a file of its own. What they share is one idea a file:
//
//	root.go        the verbs, the flags they all have, the run itself
//	errors.go      every error's message, hint and exit code; explain.go has those of
//	               containers and keys
//	report.go      how everything is said, to people and to programs; progress
//	keyflags.go    the flags that name keys; files of keys in keys.go, recipients and
//	               identities in keys_*.go
//	passphrase.go  where passphrases and PINs come from
//	input.go       what is read, and what standard input and other descriptors are for
//	output.go      what is written: whole or not at all
//	usage.go       what is wrong with a command line, and what was meant
//	help.go        how help is laid out, and what belongs to no verb; what exit codes mean
//
// A new verb is a file with a function that makes its cobra.Command, and a line
// in the list in root.go; what there is to say of it, with its exit codes, is a text in help.
package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/interrupt"
	"bulla/internal/locked"
)

// gcPercent is how far the heap may grow beyond what is in use before it is
// collected. The streams allocate all they need at their start and hardly
// anything later: collections while that is under way find nothing, and each
// stops the workers.
const gcPercent = 400

func main() {
	locked.NoDumps() // before there is a secret
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

// version is set by a release: go build -ldflags "-X main.version=v1.2.3".
var version string

// buildVersion is the version of this program: as a release says, or else as the
// Go toolchain knows it.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return orElse(info.Main.Version, "(unknown)")
	}
	return orElse(version, "(unknown)")
}

// buildSetting is one of the settings that the toolchain records in a program.
func buildSetting(key string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
	}
	return ""
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Show the version",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			v := versionInfo{buildVersion(), buildSetting("vcs.revision"), buildSetting("vcs.time"),
				runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, format.Version}
			if a.json {
				return a.printJSON(v)
			}
			a.printf("bulla %s\n", v.Version)
			if v.Commit != "" {
				a.printf("commit %s of %s\n", v.Commit, v.Time)
			}
			a.printf("format %d\n%s %s\n", v.Format, v.Go, v.Platform)
			return nil
		},
	}
}

type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"commit_time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   int    `json:"format"`
}
