package main

import (
	"fmt"
	"strings"

	"bulla/internal/safetext"

	"github.com/spf13/cobra"
)

// exitCodes is what every exit code means, for help.
var exitCodes = []struct {
	code    string
	meaning string
}{
	{"0", "all is well"},
	{"1", "reading or writing failed: no such file, disk full, network gone"},
	{"3", "the file is corrupt, truncated or forged"},
	{"4", "no key fits, or the passphrase is wrong or cannot be had"},
	{"5", "refused for safety: the output exists, is the input, or is in use"},
	{"6", "salvaged, or taken with --truncated, with loss"},
	{"7", "not a bulla file, of a newer version, or over a limit"},
	{"8", "the command whose output was to be encrypted failed"},
	{"9", "a required source of entropy is missing"},
	{"64", "the command line makes no sense, or a key in it or in a key file"},
	{"128+N", "stopped by signal N: 130 is Ctrl-C, 143 kill, 141 a reader that went away"},
}

// topics are the pages of help that belong to no verb.
func topics() []*cobra.Command {
	var codes strings.Builder
	for _, c := range exitCodes {
		fmt.Fprintf(&codes, "  %-6s %s\n", c.code, c.meaning)
	}
	return []*cobra.Command{
		{
			Use:   "exit-codes",
			Short: "What the exit codes mean",
			Long: "The exit code says what became of it:\n\n" + codes.String() + `
Every other number means failure, too. Unless the code is 0 no output is left under
its final name, with these exceptions: with 6 it has what there is; extract leaves the
members that are whole; and a complete file whose directory could not be synchronized
stays, which the message says (1).

With --json, an error is one object on standard error:
{"error": "...", "hint": "...", "exit": 3}`,
		},
		{
			Use:   "keys",
			Short: "What keys look like, and who can open what",
			Long: `A file opens with any one of the keys it was encrypted to.

  recipient (to encrypt)               identity (to open)
  age1pq1...                           AGE-SECRET-KEY-PQ-1...     bulla keygen
  age1pq1...                           a TSS2 PRIVATE KEY file    bulla keygen --tpm
  age1...                              AGE-SECRET-KEY-1...        age-keygen
  age1NAME1...                         AGE-PLUGIN-NAME-1...       age plugins: YubiKey, TPM, ...
  ssh-ed25519 ..., ssh-rsa ...         the ssh private key file   ssh-keygen
  a passphrase (-p)                    the passphrase (-p)
  a symmetric key (--kek FILE)         the same file              bulla keygen --kek

Recipients files (-R) and identity files (-i) have one key a line; blank lines and
lines that begin with # are passed over. Identity files may also be ssh private
keys, and age files that are encrypted with a passphrase. A symmetric key file has
32 bytes, as they are, in hexadecimal digits or in Base64.

Keys that begin with age1pq1 withstand quantum computers, and so do passphrases and
symmetric keys. The other public keys do not; to have one of each kind in a file
takes --allow-classical.`,
		},
		{
			Use:   "environment",
			Short: "Environment variables and configuration files",
			Long: fmt.Sprintf(`  %-22s where %s and %s are; by default the folder
                         bulla in the user's configuration directory, which on Linux
                         is ~/.config/bulla
  %-22s the passphrase, where -p asks for one or no key is named; other
                         processes of the same user can see it, so prefer a file, a
                         descriptor or a command
  %-22s what -j is where it is not given
  %-22s of systemd: its credential %s is the passphrase
  BULLA_TPM              the device, or the socket of an emulator, that is the TPM

Files are opened with what is in %s, and encrypted to whom %s
lists, when a command line names no key. bulla keygen --default makes both.

A passphrase is taken from the first of: the flag that names a source, the
credential, $%s, the terminal.`,
				envConfigDir, identityFile, recipientsFile, envPassphrase, envJobs, envCredentials, credentialName,
				identityFile, recipientsFile, envPassphrase),
		},
	}
}

// helpCommand is the verb help.
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
				var names []string
				for _, c := range helpOn(root) {
					names = append(names, c.Name())
				}
				return usage(orElse(didYouMean(word, names), "bulla help lists the verbs and topics"), "there is no help on %s", safetext.Printable(word))
			}
			cmd.InitDefaultHelpFlag()
			cmd.InitDefaultVersionFlag()
			return cmd.Help()
		},
	}
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

// usageTemplate is how help goes on behind the text of a verb.
const usageTemplate = `Usage:
  {{.UseLine}} [flags]
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}
{{- if .HasAvailableSubCommands}}

Verbs:
{{- range .Commands}}{{if and .IsAvailableCommand (ne .Name "help")}}
  {{rpad .Name .NamePadding}}  {{.Short}}
{{- end}}{{end}}

Topics:
{{- range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}
{{- end}}{{end}}
{{- end}}

Flags:
{{with .InheritedFlags}}{{end}}{{.Flags.FlagUsagesWrapped 88 | trimTrailingWhitespaces}}
{{- if .HasAvailableSubCommands}}

bulla help VERB explains a verb, bulla help TOPIC a topic.
{{- end}}
`
