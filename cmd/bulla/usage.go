package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bulla/internal/safetext"
)

// What is wrong with a command line, and what was meant.

var (
	atMostOne  = files(0)
	exactlyOne = files(1)
)

// files accepts the name of one file, and none if least is 0. One that is empty
// comes of a variable in a script that is: it must not stand for standard input.
func files(least int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "call it once for each"
		switch cmd.Name() {
		case "encrypt":
			hint += ", or put them into a tar first"
		case "cat":
			hint += "; a member of an archive is named FILE" + memberMark + "MEMBER"
		}
		if f := cmd.Flags().Lookup(passphraseFlag.name); f != nil && f.Changed {
			hint = hintNoArgv
		}
		switch {
		case len(args) < least:
			return usage("for example: "+cmd.CommandPath()+" backup.tar.bulla", "%s takes the name of a file", cmd.Name())
		case len(args) > 1 && !slices.Contains(args, ""):
			return usage(hint, "%s takes one file, not %d", cmd.Name(), len(args))
		}
		return notEmpty(cmd, args)
	}
}

// notEmpty accepts any names of files that have something in them.
func notEmpty(_ *cobra.Command, args []string) error {
	if slices.Contains(args, "") {
		return usage("is a variable not set? leave it out, or name - for standard input", "the name of a file is empty")
	}
	return nil
}

// takes accepts from least to most arguments, or any number from least on if most is
// zero, none of them empty.
func takes(least, most int, what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most > 0 && len(args) > most {
			hint := "for example: " + example
			if example == "" {
				hint = "bulla help " + words(cmd) + " shows how it is used"
			}
			return usage(hint, "%s takes %s", words(cmd), what)
		}
		return notEmpty(cmd, args)
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("bulla help "+cmd.Name()+" shows how it is used", "%s takes no file or word, not %s", cmd.Name(), safetext.Printable(args[0]))
	}
	return nil
}

// checkFlags refuses flags whose value is empty. It comes of a variable in a
// script that is not set: such a flag must not be ignored.
func checkFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		switch {
		case len(values) > 0 && !slices.Contains(values, ""):
		case len(values) == 0 && f.Name == "entropy": // no source but the operating system's
		case f.Name == "output":
			err = usage("is a variable not set? leave -o out, or name - for standard output", "the name of the output is empty")
		default:
			err = usage("is a variable not set? leave the flag out, or give it a value", "the value of --%s is empty", f.Name)
		}
	})
	return err
}

// flagError words what pflag has to say about flags.
func flagError(cmd *cobra.Command, err error) error {
	f := &failure{exit: exitUsage, what: safetext.Printable(firstLine(err.Error())), err: err, hint: "bulla help " + words(cmd) + " lists the flags"}
	if cmd == cmd.Root() {
		f.hint = "bulla help lists the verbs, and bulla help VERB the flags of one"
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if f := otherHalf(cmd, e); f != nil {
			return f
		}
		f.hint = orElse(suggestFlag(cmd, e), f.hint)
		if e.GetSpecifiedName() == memberMark[:1] {
			f.hint = "a member of standard input is named after --: bulla cat -- -" + memberMark + "MEMBER"
		}
		f.what = "there is no flag --" + safetext.Printable(e.GetSpecifiedName())
		if e.GetSpecifiedShortnames() != "" {
			// Not all that was given: after -p that may be a passphrase.
			f.what = "there is no flag -" + safetext.Printable(e.GetSpecifiedName())
		}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		// Not the value: it may be a passphrase, too.
		f.what = fmt.Sprintf("--%s takes %s", e.GetFlag().Name, kindOf(e.GetFlag()))
		if e.GetFlag().Name == "passphrase" {
			f.what, f.hint = "--passphrase takes no value", hintNoArgv
		}
	}
	return f
}

func kindOf(f *pflag.Flag) string {
	if allow, ok := f.Value.(*allowFlag); ok {
		return strings.Join(allow.known(), " or ")
	}
	return orElse(map[string]string{
		"int":        "a number",
		"intSlice":   "numbers, with commas between them",
		"storage":    "anonymous, max-parts=N, conditions=honoured or conditions=ignored",
		"descriptor": "the number of a file descriptor",
		"bool":       "no value, or true or false",
	}[f.Value.Type()], "a value of another kind")
}

// otherWords are what people type who know other programs, and what that is here.
var otherWords = map[string]string{
	"-e": "encrypt", "-c": "encrypt", "seal": "encrypt", "lock": "encrypt", "compress": "encrypt -z",
	"-d": "decrypt", "open": "decrypt", "unlock": "decrypt",
	"-t": "verify", "test": "verify", "check": "verify", "fsck": "verify",
	"-l": "ls", "-tf": "ls", "list": "ls", "dir": "ls",
	"-x": "extract", "-xf": "extract", "unpack": "extract", "unzip": "extract", "untar": "extract",
	"info": "inspect", "show": "inspect", "stat": "inspect",
	"add": "recipients add", "remove": "recipients remove", "repair": "recipients repair",
	"recipients ls": "recipients list", "recipients rm": "recipients remove", "recipients delete": "recipients remove",
	"export": "head export", "head save": "head export", "head backup": "head export", "restore": "decrypt, extract or head restore",
	"keys": "keygen", "genkey": "keygen",
	"rm": hintNoDelete, "delete": hintNoDelete, "del": hintNoDelete,
}

const hintNoDelete = "bulla deletes no file; bulla recipients remove takes recipients from one"

// otherWord is a hint for a word, or a flag in its place, that means something to
// other programs.
func otherWord(word string) string {
	verb := otherWords[word]
	if verb == "" || verb == hintNoDelete {
		return verb
	}
	return "did you mean " + verb + "?"
}

func unknownVerb(root *cobra.Command, word string) error {
	hint := orElse(otherWord(word), didYouMean(word, verbNames(root)))
	if hint == "" {
		if _, err := os.Stat(word); err == nil {
			verb := "encrypt"
			if strings.HasSuffix(word, containerSuffix) {
				verb = "decrypt"
			}
			hint = fmt.Sprintf("to %s that file: bulla %s %s", verb, verb, safetext.Shell(word))
		}
	}
	return usage(orElse(hint, "bulla help lists the verbs"), "there is no verb %s", plainName(word))
}

const hintNoArgv = "a passphrase is never given on the command line, where others can see it; -p asks for it"

// otherHalf explains a flag for the other half of a key: what it is for, and what
// to use instead. It is nil for any other flag that does not exist.
func otherHalf(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	given := "--" + unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" {
		given = given[1:]
	}
	opens, encrypts := cmd.Flags().Lookup(identityFlag.name) != nil, cmd.Flags().Lookup(recipientFlag.name) != nil
	switch {
	case opens && !encrypts && slices.Contains([]string{"-r", "--recipient", "-R", "--recipients-file"}, given):
		return usage("to open it, name the identity that belongs to the recipient: -i FILE",
			"%s takes no recipient (%s): files are encrypted to recipients", words(cmd), given)
	case encrypts && !opens && slices.Contains([]string{"-i", "--identity"}, given):
		return usage("bulla keygen -y FILE shows its recipient, which is for -r or, in a file, for -R",
			"%s takes no identity (%s): an identity opens files", words(cmd), given)
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
	case cmd == cmd.Root() && slices.Contains(verbNames(cmd), name):
		return "did you mean " + name + "?"
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
