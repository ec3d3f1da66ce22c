package main

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"bulla/internal/safetext"
)

// helpWidth is how many columns help takes. On a narrower terminal flags take fewer.
const helpWidth = 80

// What there is to read about each verb and topic, by its words: head-export.txt. A text ends
// with its examples, after a line that says so, and of a verb with its exit codes.
//
//go:embed help/*.txt
var helpTexts embed.FS

// exitStatusMark is what stands before the exit codes of a verb in its text.
const exitStatusMark = "\n\nExit status: "

// giveTexts gives cmd and all below it their texts, after what was made of what the
// program knows.
func giveTexts(cmd *cobra.Command) {
	if text, err := helpTexts.ReadFile("help/" + strings.ReplaceAll(words(cmd), " ", "-") + ".txt"); err == nil {
		long, codes, _ := strings.Cut(cmd.Long+strings.TrimSuffix(string(text), "\n"), exitStatusMark)
		cmd.Long, cmd.Example, _ = strings.Cut(long, "\n\nExamples:\n")
		cmd.Annotations = map[string]string{exitStatusMark: codes}
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
	b.WriteString(strings.TrimRight(orElse(cmd.Long, cmd.Short), "\n") + "\n")
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

// exitCodes is what every exit code means, for help.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "success"},
	{exitIO, "reading or writing failed: no such file, disk full, network gone"},
	{exitBad, "the file is corrupt, truncated or forged"},
	{exitNoKey, "no key fits, or the passphrase is wrong or cannot be had"},
	{exitRefused, "refused for safety: the output exists, is the input, or is in use"},
	{exitLoss, "salvaged, or taken with --truncated, with loss"},
	{exitUnsupported, "not a bulla file, of a newer version, or over a limit"},
	{exitSource, "the command whose output was to be encrypted failed"},
	{exitEntropy, "a required source of entropy is missing"},
	{exitDiffers, "what is compared differs"},
	{exitChanged, "another program changed the file meanwhile"},
	{exitUsage, "the command line makes no sense, or a key in it or in a key file"},
	{exitSignal, "stopped by signal N: 130 Ctrl-C, 143 kill, 141 the reader went away"},
}

// exitStatus is with what a verb may end, a line each, as its text says; all there is if cmd
// is nil.
func exitStatus(cmd *cobra.Command) string {
	var b strings.Builder
	for _, c := range exitCodes {
		code := strconv.Itoa(c.code)
		if cmd != nil && !slices.Contains(endsOf(cmd), code) {
			continue
		}
		if c.code == exitSignal {
			code += "+N"
		}
		fmt.Fprintf(&b, "  %-6s %s\n", code, c.meaning)
	}
	return b.String()
}

// endsOf is the exit codes that the text of cmd names; none of what is no verb.
func endsOf(cmd *cobra.Command) []string { return strings.Fields(cmd.Annotations[exitStatusMark]) }

// topics are the pages of help that belong to no verb.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "exit-codes",
			Short: "What the exit codes mean",
			Long:  "Exit codes:\n\n" + exitStatus(nil) + "\n",
		},
		{
			Use:   "keys",
			Short: "What keys look like, and who can open what",
		},
		{
			Use:   "stores",
			Short: "Object storage and web servers: s3:// and https://",
		},
		{
			Use:   "environment",
			Short: "Environment variables and configuration files",
		},
	}
}

func completionCommand(a *app) *cobra.Command {
	shells := map[string]func(*cobra.Command) error{
		"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(a.out, true) },
		"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(a.out) },
		"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(a.out, true) },
		"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(a.out) },
	}
	names := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print a completion script for a shell",
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("for example: bulla completion bash", "completion takes the name of one shell")
			}
			if shells[args[0]] == nil {
				return usage(orElse(didYouMean(args[0], names), "there are bash, zsh, fish and powershell"), "no completion for the shell %s", safetext.Printable(args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return shells[args[0]](cmd.Root()) },
	}
}

// plainUsages takes the marks out of the descriptions of flags that say what help
// is to call their values: a shell would show them.
func plainUsages(cmd *cobra.Command) {
	plain := func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") }
	cmd.Flags().VisitAll(plain)
	cmd.PersistentFlags().VisitAll(plain)
	for _, c := range cmd.Commands() {
		plainUsages(c)
	}
}

// complete has a flag complete to one of some words.
func complete(cmd *cobra.Command, flag string, words []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("internal error: " + err.Error()) // the flag is not there
	}
}

// completeFiles completes the only argument to a file.
func completeFiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func completeContainers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{containerSuffix[1:]}, cobra.ShellCompDirectiveFilterFileExt
}
