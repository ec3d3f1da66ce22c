package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"bulla/internal/safetext"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherWords are what people type who know other programs, and what that is here.
var otherWords = map[string]string{
	"-e": "encrypt", "-c": "encrypt", "seal": "encrypt", "lock": "encrypt", "compress": "encrypt -z",
	"-d": "decrypt", "open": "decrypt", "unlock": "decrypt",
	"-t": "verify", "test": "verify", "check": "verify", "fsck": "verify",
	"-l": "ls", "-tf": "ls", "list": "ls", "dir": "ls",
	"-x": "extract", "-xf": "extract", "unpack": "extract", "unzip": "extract", "untar": "extract",
	"info": "inspect", "show": "inspect", "stat": "inspect",
	"add": "recipients add", "remove": "recipients remove", "repair": "recipients repair",
	"export": "head export", "restore": "head restore",
	"keys": "keygen", "genkey": "keygen",
}

const hintNoDelete = "bulla deletes no file; bulla recipients remove takes recipients from one"

// otherWord is a hint for a word, or a flag in its place, that means something to
// other programs.
func otherWord(word string) string {
	switch verb := otherWords[word]; {
	case word == "rm", word == "delete", word == "del":
		return hintNoDelete
	case verb != "":
		return "did you mean bulla " + verb + "?"
	}
	return ""
}

// unknownVerb is the error for a first word that is no verb.
func unknownVerb(root *cobra.Command, word string) error {
	hint := orElse(otherWord(word), didYouMean(word, namesOf(verbsOf(root))))
	if hint == "" {
		if _, err := os.Stat(word); err == nil {
			verb := "encrypt"
			if strings.HasSuffix(word, containerSuffix) {
				verb = "decrypt"
			}
			hint = fmt.Sprintf("to %s that file: bulla %s %s", verb, verb, safetext.Shell(word))
		}
	}
	return usage(orElse(hint, "bulla help lists the verbs"), "there is no verb %s", safetext.Printable(word))
}

const hintNoArgv = "a passphrase is never given on the command line, where others can see it; -p asks for it"

// otherHalf explains a flag for the other half of a key: what it is for, and what
// to use instead. It is nil for any other flag that does not exist.
func otherHalf(cmd *cobra.Command, unknown *pflag.NotExistError) *failure {
	given := "--" + unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		given = given[1:]
	}
	opens, encrypts := cmd.Flags().Lookup(identityFlag.name) != nil, cmd.Flags().Lookup(recipientFlag.name) != nil
	switch given {
	case "-r", "--recipient", "-R", "--recipients-file":
		if opens && !encrypts {
			return &failure{exit: exitUsage, what: words(cmd) + " takes no recipient (" + given + "): recipients are whom a file is encrypted to",
				hint: "to open it, name the identity that belongs to the recipient: -i FILE"}
		}
	case "-i", "--identity":
		if encrypts && !opens {
			return &failure{exit: exitUsage, what: words(cmd) + " takes no identity (" + given + "): an identity opens files",
				hint: "bulla keygen -y FILE shows its recipient, which is for -r or, in a file, for -R"}
		}
	}
	return nil
}

// suggestFlag is a hint for a flag that does not exist, if there is one.
func suggestFlag(cmd *cobra.Command, unknown *pflag.NotExistError) string {
	name := unknown.GetSpecifiedName()
	switch {
	case name == "password", cmd.Flags().Changed("passphrase") && unknown.GetSpecifiedShortnames() != "":
		return hintNoArgv // -pSECRET
	case cmd == cmd.Root() && unknown.GetSpecifiedShortnames() != "":
		return otherWord("-" + unknown.GetSpecifiedShortnames())
	case unknown.GetSpecifiedShortnames() != "":
		return ""
	case cmd == cmd.Root() && slices.Contains(namesOf(verbsOf(cmd)), name):
		return "did you mean bulla " + name + "?"
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return didYouMean("--"+name, names)
}

// didYouMean is a hint at those of names that word is likely to be a slip for,
// or that it begins, or "".
func didYouMean(word string, names []string) string {
	const few = 3
	if strings.Trim(word, "-") == "" {
		return ""
	}
	c := new(cobra.Command) // which finds the names of its verbs
	for _, name := range names {
		c.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	most := 2
	if len(word) < 3 {
		most = 1
	}
	for c.SuggestionsMinimumDistance = 1; c.SuggestionsMinimumDistance <= most; c.SuggestionsMinimumDistance++ {
		if found := c.SuggestionsFor(word); 0 < len(found) && len(found) <= few {
			return "did you mean " + strings.Join(found, " or ") + "?"
		}
	}
	return ""
}
