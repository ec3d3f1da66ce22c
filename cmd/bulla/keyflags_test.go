package main

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everyVerb calls f for every verb, and those below it.
func everyVerb(cmd *cobra.Command, f func(*cobra.Command)) {
	for _, c := range cmd.Commands() {
		if c.Runnable() && c.IsAvailableCommand() && !c.HasSubCommands() {
			f(c)
		}
		everyVerb(c, f)
	}
}

// TestFlagsWithoutValue gives every flag of every verb that takes a value an empty
// one, as a script does whose variable is not set. Every one is refused, before
// anything is read or written.
func TestFlagsWithoutValue(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	dir, flags := t.TempDir(), 0
	refused := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("bulla", args...)
		var stdout, stderr bytes.Buffer
		cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, null, &stdout, &stderr
		cmd.Run()
		code := cmd.ProcessState.ExitCode()
		empty := args[0] == "inspect" && code == exitBad // it looks at the file first
		if code != exitUsage && !empty || stdout.Len() > 0 || !strings.Contains(stderr.String(), "\nbulla: hint: ") {
			t.Errorf("%q: exit code %d, %q: %s", args, code, stdout.Bytes(), stderr.Bytes())
		}
		return stderr.String()
	}
	everyVerb(newApp(stdio{null, null, null}).rootCommand(), func(cmd *cobra.Command) {
		verb := strings.Fields(words(cmd))
		sample := map[string]string{"SHELL": "bash", "N": "32", "PERIOD": "2099", "s3://BUCKET/PREFIX": "s3://b"}
		value := false
		for _, word := range strings.Fields(cmd.Use)[1:] { // what it does not get along without
			switch {
			case word[0] == '[':
			case word[0] == '-':
				value = true
			case value || word == "|" || word == "VERB":
				value = false
			default:
				verb = append(verb, cmp.Or(sample[word], strings.TrimSuffix(word, "...")))
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || f.Name == "entropy" { // whose empty list is a choice
				return
			}
			flags++
			if testing.Short() && flags%8 > 0 {
				return
			}
			says := refused(append(verb, "--"+f.Name+"=")...)
			if !strings.Contains(says, "--"+f.Name) && !strings.Contains(says, "the name of the output is empty") {
				t.Errorf("%v --%s=: it does not say which flag it is about: %s", verb, f.Name, says)
			}
			if _, list := f.Value.(pflag.SliceValue); list {
				refused(append(verb, "--"+f.Name, "1", "--"+f.Name+"=")...)
			}
			if t := f.Value.Type(); t == "int" || t == "descriptor" {
				refused(append(verb, "--"+f.Name+"=-1")...)
			}
		})
	})
	if flags < 100 {
		t.Errorf("only %d flags", flags)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestKeyFlags holds the flags that name keys to one meaning in every verb.
func TestKeyFlags(t *testing.T) {
	letters := map[string]string{"r": "recipient", "R": "recipients-file", "i": "identity", "p": "passphrase", "o": "output"}
	everyVerb(newApp(stdio{}).rootCommand(), func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if name := letters[f.Shorthand]; name != "" && name != f.Name {
				t.Errorf("%s: -%s is --%s", words(cmd), f.Shorthand, f.Name)
			}
			if strings.Contains(f.Usage, "{}") {
				t.Errorf("%s: --%s: %s", words(cmd), f.Name, f.Usage)
			}
		})
		for _, kind := range passphraseSources {
			for _, prefix := range []string{"", "open-"} {
				one, all := cmd.Flags().Lookup(prefix+"passphrase-file"), cmd.Flags().Lookup(prefix+"passphrase-"+string(kind.kind))
				if (one == nil) != (all == nil) {
					t.Errorf("%s has some of the sources of a passphrase, but not all", words(cmd))
				}
			}
		}
	})
}
