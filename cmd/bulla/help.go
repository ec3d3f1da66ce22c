package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"bulla/internal/console"
	"bulla/internal/safetext"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// helpWidth is how many columns help takes where it does not go to a terminal
// that is narrower.
const helpWidth = 80

// What there is to read about each verb and topic, by its words: head-export.txt. A text ends
// with its examples, after a line that says so.
//
//go:embed help/*.txt
var helpTexts embed.FS

// giveTexts gives cmd and all below it their texts. Those that depend on what the program
// knows have been made before.
func giveTexts(cmd *cobra.Command) {
	if text, err := helpTexts.ReadFile("help/" + strings.ReplaceAll(words(cmd), " ", "-") + ".txt"); err == nil {
		cmd.Long, cmd.Example, _ = strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n\nExamples:\n")
	}
	for _, c := range cmd.Commands() {
		giveTexts(c)
	}
}

// help writes what there is to know about a verb or a topic:
//
//	what it does, in paragraphs
//	Usage, Examples
//	Verbs, Topics        that are below it
//	Flags, Exit status
func (a *app) help(cmd *cobra.Command) {
	width := helpWidth
	if w, _, err := term.GetSize(int(a.out.Fd())); err == nil && w > 0 {
		width = min(w, width)
	}
	a.printf("%s", helpText(cmd, width))
}

func helpText(cmd *cobra.Command, width int) string {
	var b strings.Builder
	b.WriteString(console.Wrap(orElse(cmd.Long, cmd.Short), width))
	section := func(title, text string) {
		if text != "" {
			b.WriteString("\n" + title + ":\n" + strings.TrimRight(text, "\n") + "\n")
		}
	}
	if cmd.IsAdditionalHelpTopicCommand() {
		return b.String()
	}
	cmd.InheritedFlags() // has pflag look for them, too, in Flags
	section("Usage", "  "+cmd.UseLine()+" [flags]")
	section("Examples", cmd.Example)
	var verbs, pages string
	for _, c := range helpOn(cmd) {
		line := fmt.Sprintf("  %-*s  %s\n", cmd.NamePadding(), c.Name(), c.Short)
		switch {
		case c.IsAdditionalHelpTopicCommand():
			pages += line
		case c.Name() != "help":
			verbs += line
		}
	}
	section("Verbs", verbs)
	section("Topics", pages)
	section("Flags", cmd.Flags().FlagUsagesWrapped(width))
	section("Exit status", exitStatus(cmd))
	switch {
	case !cmd.HasParent():
		b.WriteString("\nbulla help VERB explains a verb, bulla help TOPIC a topic.\n")
	case verbs != "":
		b.WriteString("\nbulla help " + words(cmd) + " VERB explains a verb.\n")
	}
	return b.String()
}

// helpOn is the verbs and topics below cmd that there is help on.
func helpOn(cmd *cobra.Command) (all []*cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			all = append(all, c)
		}
	}
	return all
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:                   "help [VERB or TOPIC]",
		Short:                 "Explain a verb or a topic",
		DisableFlagsInUseLine: true,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var words []string
			for _, c := range helpOn(cmd) {
				words = append(words, cobra.CompletionWithDesc(c.Name(), c.Short))
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				word := strings.Join(rest, " ")
				return usage(orElse(didYouMean(word, namesOf(helpOn(root))), "bulla help lists the verbs and topics"), "there is no help on %s", safetext.Printable(word))
			}
			cmd.InitDefaultHelpFlag()
			cmd.InitDefaultVersionFlag()
			return cmd.Help()
		},
	}
}

// verbNames is the names of the verbs below cmd.
func verbNames(cmd *cobra.Command) []string {
	return namesOf(slices.DeleteFunc(helpOn(cmd), (*cobra.Command).IsAdditionalHelpTopicCommand))
}

func namesOf(cmds []*cobra.Command) (names []string) {
	for _, c := range cmds {
		names = append(names, c.Name())
	}
	return names
}
