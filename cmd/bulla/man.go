package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand is for whoever packages bulla, and help does not list it.
func manCommand(*app) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages to DIR",
		Long:    "Write the manual pages, one for each verb and topic, made of the same texts as\nhelp: bulla-cat.1 is that of cat.",
		Example: "  bulla man man1",
		Hidden:  true,
		Args:    takes(1, 1, "the name of a directory", "bulla man man1"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writePages(cmd.Root(), args[0])
		},
	}
}

func writePages(cmd *cobra.Command, dir string) error {
	name := filepath.Join(dir, pageName(cmd)+".1")
	if err := os.WriteFile(name, []byte(manPage(cmd)), 0o644); err != nil {
		return err
	}
	for _, c := range helpOn(cmd) {
		if err := writePages(c, dir); err != nil {
			return err
		}
	}
	return nil
}

// pageName is how the page of cmd is called: bulla-epoch-create.
func pageName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", "-")
}

// roff escapes what the formatter would take for its own: backslashes and hyphens, which are to
// be found and copied as they are, and a dot or an apostrophe that begins a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace("\n" + text)
	return text[1:]
}

// manPage is the page of cmd in the macros of man(7).
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	section := func(title string) { fmt.Fprintf(&b, ".SH %s\n", title) }
	verbatim := func(text string) {
		fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(strings.Trim(text, "\n")))
	}
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"bulla %s\" \"bulla manual\"\n", roff(strings.ToUpper(pageName(cmd))), roff(buildVersion()))
	section("NAME")
	fmt.Fprintf(&b, "%s \\- %s\n", roff(pageName(cmd)), roff(cmd.Short))
	topic := cmd.IsAdditionalHelpTopicCommand()
	if !topic {
		cmd.InitDefaultHelpFlag()
		cmd.InitDefaultVersionFlag()
		cmd.InheritedFlags() // has pflag look for them, too, in Flags
		section("SYNOPSIS")
		fmt.Fprintf(&b, "%s [flags]\n", roff(cmd.UseLine()))
	}
	section("DESCRIPTION")
	for paragraph := range strings.SplitSeq(orElse(cmd.Long, cmd.Short), "\n\n") {
		if b.WriteString(".PP\n"); strings.HasPrefix(paragraph, "  ") {
			verbatim(paragraph)
		} else {
			b.WriteString(roff(strings.Trim(paragraph, "\n")) + "\n")
		}
	}
	if !topic {
		section("OPTIONS")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				fmt.Fprintf(&b, ".TP\n%s\n%s\n", manFlag(f), roff(strings.ReplaceAll(f.Usage, "`", "")))
			}
		})
		if codes := exitStatus(cmd); codes != "" {
			section("EXIT STATUS")
			verbatim(codes)
		}
	}
	if cmd.Example != "" {
		section("EXAMPLES")
		verbatim(cmd.Example)
	}
	if below := helpOn(cmd); len(below) > 0 || cmd.HasParent() {
		section("SEE ALSO")
		var pages []string
		if cmd.HasParent() {
			pages = append(pages, roff(pageName(cmd.Parent()))+"(1)")
		}
		for _, c := range below {
			pages = append(pages, roff(pageName(c))+"(1)")
		}
		b.WriteString(strings.Join(pages, ",\n") + "\n")
	}
	return b.String()
}

// manFlag is how a flag is typed, and what its value is called.
func manFlag(f *pflag.Flag) string {
	value, _ := pflag.UnquoteUsage(f)
	text := `\fB` + roff("--"+f.Name) + `\fR`
	if f.Shorthand != "" {
		text = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + text
	}
	if value != "" {
		text += ` \fI` + roff(value) + `\fR`
	}
	return text
}
