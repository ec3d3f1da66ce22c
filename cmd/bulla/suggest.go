package main

import (
	"fmt"
	"os"
	"strings"

	"bulla/internal/safetext"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// unknownVerb is the error for a first word that is no verb.
func unknownVerb(root *cobra.Command, word string) error {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := didYouMean(word, names)
	if hint == "" {
		if _, err := os.Stat(word); err == nil {
			verb := "encrypt"
			if strings.HasSuffix(word, containerSuffix) {
				verb = "decrypt"
			}
			hint = fmt.Sprintf("to %s that file: bulla %s %s", verb, verb, safetext.Printable(word))
		}
	}
	return usage(orElse(hint, "bulla help lists the verbs"), "there is no verb %s", safetext.Printable(word))
}

const hintNoArgv = "a passphrase is never given on the command line, where others can see it; -p asks for it"

// suggestFlag is a hint for a flag that does not exist, if there is one.
func suggestFlag(cmd *cobra.Command, unknown *pflag.NotExistError) string {
	name := unknown.GetSpecifiedName()
	switch {
	case name == "password", cmd.Flags().Changed("passphrase") && unknown.GetSpecifiedShortnames() != "":
		return hintNoArgv // -pSECRET
	case unknown.GetSpecifiedShortnames() != "":
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return didYouMean("--"+name, names)
}

// didYouMean is a hint at the one of names that word is likely to be a slip
// for, or at the few that it begins, or "".
func didYouMean(word string, names []string) string {
	const few = 3
	var begun []string
	for _, name := range names {
		if strings.Trim(word, "-") != "" && strings.HasPrefix(name, word) {
			begun = append(begun, name)
		}
	}
	if 0 < len(begun) && len(begun) <= few {
		return "did you mean " + strings.Join(begun, " or ") + "?"
	}
	best, least := "", max(1, len(word)/3)+1
	for _, name := range names {
		if d := editDistance(word, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// editDistance is how many letters must be inserted, deleted, replaced or
// swapped with their neighbour to make b of a.
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
