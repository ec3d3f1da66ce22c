package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every verb and topic has a manual page that has all of its flags, its examples and its exit
// codes, and that the formatter has nothing to say against.
func TestMan(t *testing.T) {
	dir := t.TempDir()
	if err := writePages(newApp(stdio{}).rootCommand(), dir); err != nil {
		t.Fatal(err)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Log("no groff: pages are not formatted")
	}
	pages := []string{"-man", "-ww", "-Tutf8", "-P-cbou"}
	everyPage(func(cmd *cobra.Command, name string) {
		page := filepath.Join(dir, pageName(cmd)+".1")
		b, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			return
		}
		pages = append(pages, page)
		var want []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && cmd.Runnable() {
				want = append(want, `\fB`+roff("--"+f.Name)+`\fR`)
			}
		})
		if cmd.Example != "" {
			want = append(want, ".SH EXAMPLES\n")
		}
		if exitStatus(cmd) != "" {
			want = append(want, ".SH EXIT STATUS\n")
		}
		for _, w := range want {
			if !strings.Contains(string(b), w) {
				t.Errorf("the page of %s lacks %q", name, w)
			}
		}
	})
	if groff == "" {
		return
	}
	out, err := exec.Command(groff, pages...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"BULLA-ENCRYPT(1)", "FIRST-LAST      from byte FIRST to byte LAST", "--volume-size SIZE"} {
		if !strings.Contains(string(out), text) {
			t.Errorf("formatted pages lack %q", text)
		}
	}
	warned := exec.Command(groff, append([]string{"-z"}, pages...)...)
	if out, err := warned.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v: %s", err, out)
	}
}

// The formatter takes nothing in a text for a request or an escape.
func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"a-b":       `a\-b`,
		`C:\x`:      `C:\ex`,
		".TH":       `\&.TH`,
		"a\n.b\n'c": "a\n\\&.b\n\\&'c",
	} {
		if got := roff(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
