package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// everyPage calls f for the root, every verb and every topic, with what one
// types to get help on it.
func everyPage(f func(cmd *cobra.Command, name string)) {
	root := newApp(stdio{}).rootCommand()
	root.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	f(root, "help")
	var below func(*cobra.Command)
	below = func(cmd *cobra.Command) {
		for _, c := range helpOn(cmd) {
			c.InitDefaultHelpFlag()
			f(c, words(c))
			below(c)
		}
	}
	below(root)
}

// TestHelpWidth holds help to 80 columns.
func TestHelpWidth(t *testing.T) {
	everyPage(func(cmd *cobra.Command, name string) {
		for line := range strings.Lines(helpText(cmd, helpWidth)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth {
				t.Errorf("help %s has a line of %d columns: %s", name, n, line)
			}
		}
	})
}

// TestExitStatus holds what help says of exit codes to what the scripts of the
// other tests see: each code of each verb is in its help.
func TestExitStatus(t *testing.T) {
	ends := make(map[string][]string) // of each verb
	reading := []string{"decrypt", "cat", "ls", "extract", "diff", "verify", "scrub", "repair", "salvage", "inspect", "grant", "sign", "parity create", "head export", "recipients list"}
	everyPage(func(cmd *cobra.Command, name string) {
		if name != "help" && cmd.Runnable() && (!cmd.HasSubCommands() || name == "entropy") {
			ends[name] = endsOf(cmd)
			for _, code := range []int{exitOK, exitIO, exitUsage, exitSignal} {
				if !slices.Contains(ends[name], strconv.Itoa(code)) {
					t.Errorf("help %s does not say that it may end with %d", name, code)
				}
			}
			if slices.Contains(reading, name) && !slices.Contains(ends[name], strconv.Itoa(exitChanged)) {
				t.Errorf("help %s does not say that a file may change while it is read", name)
			}
			if len(ends[name]) != strings.Count(exitStatus(cmd), "\n") {
				t.Errorf("help %s has a code that there is not: %q", name, ends[name])
			}
		} else if exitStatus(cmd) != "" {
			t.Errorf("help %s says with what it may end, and is no verb", name)
		}
	})
	call := regexp.MustCompile(`exit (\d+) bulla (?:--?[a-z]+ )*([a-z]+)(?: ([a-z]+))?`)
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	seen := 0
	for _, name := range scripts {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			m := call.FindStringSubmatch(s.Text())
			if m == nil {
				continue
			}
			code, _ := strconv.Atoi(m[1])
			own, ok := ends[m[2]+" "+m[3]]
			if !ok {
				own, ok = ends[m[2]]
			}
			if ok && code != exitOK && code != exitIO && code < exitUsage {
				seen++
				if !slices.Contains(own, m[1]) {
					t.Errorf("%s: help on it does not have %d: %s", name, code, s.Text())
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d calls were found", seen)
	}
}
