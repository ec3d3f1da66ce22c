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
	var verbs []string
	everyPage(func(cmd *cobra.Command, name string) {
		if name != "help" && cmd.Runnable() && (!cmd.HasSubCommands() || name == "entropy") {
			verbs = append(verbs, name)
			if exitStatus(cmd) == "" {
				t.Errorf("help %s does not say with what it may end", name)
			}
		}
	})
	for verb := range exitsOf {
		if !slices.Contains(verbs, verb) {
			t.Errorf("there is no verb %s", verb)
		}
	}
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
			own, ok := exitsOf[m[2]+" "+m[3]]
			if !ok {
				own, ok = exitsOf[m[2]]
			}
			if ok && code != exitOK && code != exitIO && code < exitUsage {
				seen++
				if !slices.Contains(own, code) {
					t.Errorf("%s: help on it does not have %d: %s", name, code, s.Text())
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d calls were found", seen)
	}
}
