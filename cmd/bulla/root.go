package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/keyslot"
)

// verbs makes the commands, in the order in which help lists them. A new verb
// is one more line.
var verbs = []func(*app) *cobra.Command{
	encryptCommand,
	decryptCommand,
	verifyCommand,
	catCommand,
	lsCommand,
	extractCommand,
	salvageCommand,
	inspectCommand,
	recipientsCommand,
	headCommand,
	keygenCommand,
	entropyCommand,
	completionCommand,
	versionCommand,
}

// An app is one run of the program, as every verb sees it.
type app struct {
	stdio
	files  *storage.Run
	con    *console.Console
	person person
	left   leftovers

	args                 []string // of the command line
	quiet, verbose, json bool

	outErr  error  // the first failure to write to standard output
	claimed claims // what descriptors are read for

	envPassphrase string // what $BULLA_PASSPHRASE was

	// passphraseCost is what a new passphrase slot costs to open; nil means
	// what the specification asks for. Tests cannot wait that long.
	passphraseCost *keyslot.PassphraseOptions
}

func newApp(std stdio) *app {
	a := &app{stdio: std, files: &storage.Run{In: std.in, Out: std.out, Err: std.err}, con: console.New(std.err), envPassphrase: os.Getenv(envPassphrase)}
	a.person = person{a.con.Terminal(), a.con}
	os.Unsetenv(envPassphrase) // plugins and other programs that are run have no business with it
	return a
}

// run carries out a command line and returns the exit code.
func (a *app) run(args []string) int {
	ctx, stop := catchSignals(context.Background())
	defer stop()
	a.files.Context = ctx
	root := a.rootCommand()
	root.SetArgs(args)
	a.args = args
	if first(args) == cobra.ShellCompRequestCmd {
		plainUsages(root)
	}
	err := interruptible(ctx, func() error { return root.ExecuteContext(ctx) })
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // whatever failed, failed because of that
	}
	a.left.clean()
	if err == nil {
		err = a.outErr
	}
	if err == nil {
		return exitOK
	}
	// An error in the flags may have come before --json was seen.
	own := args
	if i := slices.Index(args, "--"); i >= 0 {
		own = args[:i] // what follows is for another command, or names
	}
	a.json = a.json || slices.Contains(own, "--json")
	return a.fail(err)
}

func (a *app) rootCommand() *cobra.Command {
	cobra.EnableCommandSorting = false // help lists the verbs in the order in which one needs them
	root := &cobra.Command{
		Use:   "bulla VERB",
		Short: "Encrypt, open and check files of any size",
		Long: `bulla encrypts files and streams of any size, in one pass and in parallel, for
any number of recipients, and opens, checks and describes what it made.

Only authentic bytes ever leave it. A file appears under its name only when it is
complete; nothing is overwritten without --force, and no input is ever deleted.`,
		Example: `  bulla keygen --default                     make a key, once
  bulla encrypt backup.tar                   makes backup.tar.bulla
  bulla verify backup.tar.bulla              is all of it as it was?
  bulla decrypt backup.tar.bulla             makes backup.tar
  tar c photos | bulla encrypt -p > photos.tar.bulla
  bulla decrypt < photos.tar.bulla | tar x`,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		CompletionOptions:     cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:                  cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.quiet && a.verbose {
				return usage("leave out one of them", "--quiet and --verbose contradict each other")
			}
			return checkFlags(cmd)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("bulla help lists the verbs", "nothing to do: no verb is given")
			}
			return unknownVerb(cmd, args[0])
		},
	}
	root.SetIn(a.in)
	root.SetOut(results{a})
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.SortFlags = false
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but errors")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "say what was done")
	f.BoolVar(&a.json, "json", false, "speak JSON: results on stdout, errors and warnings on stderr")
	for _, verb := range verbs {
		cmd := verb(a)
		cmd.DisableFlagsInUseLine = true
		cmd.Flags().SortFlags = false
		root.AddCommand(cmd)
	}
	root.AddCommand(topics()...)
	root.SetHelpCommand(helpCommand(root))
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd) })
	root.Version = buildVersion()
	root.SetVersionTemplate("bulla {{.Version}}\n")
	return root
}

// atMostOne accepts no argument or one.
func atMostOne(cmd *cobra.Command, args []string) error {
	if err := notEmpty(cmd, args); err != nil {
		return err
	}
	if f := cmd.Flags().Lookup("passphrase"); len(args) > 1 && f != nil && f.Changed {
		return usage(hintNoArgv, "%s takes one file, not %d", cmd.Name(), len(args))
	}
	if len(args) > 1 {
		hint := "call it once for each"
		if cmd.Name() == "encrypt" {
			hint += ", or put them into a tar first"
		}
		return usage(hint, "%s takes one file, not %d", cmd.Name(), len(args))
	}
	return nil
}

// first is the first argument; "" if there is none.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// notEmpty accepts any arguments with something in them. One that is empty comes
// of a variable in a script that is: it must not stand for standard input.
func notEmpty(cmd *cobra.Command, args []string) error {
	if slices.Contains(args, "") {
		return usage("is a variable not set? leave it out, or name - for standard input", "the name of a file is empty")
	}
	return nil
}

// noArgs accepts none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("bulla help "+cmd.Name()+" shows how it is used", "%s takes no file or word, not %s", cmd.Name(), safetext.Printable(args[0]))
	}
	return nil
}

// words is what one types to get to a verb: "head export".
func words(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// kindOf is what a flag takes.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "a number"
	case "intSlice":
		return "numbers, with commas between them"
	case "allow":
		return strings.Join(f.Value.(*allowFlag).words(), " or ")
	case "descriptor":
		return "the number of a file descriptor"
	case "bool":
		return "no value, or true or false"
	}
	return "a value of another kind"
}

// flagError words what pflag has to say about flags.
func flagError(cmd *cobra.Command, err error) error {
	f := &failure{exit: exitUsage, what: firstLine(err.Error()), err: err, hint: "bulla help " + words(cmd) + " lists the flags"}
	if cmd == cmd.Root() {
		f.hint = "bulla help lists the verbs, and bulla help VERB the flags of one"
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if f := otherHalf(cmd, e); f != nil {
			return f
		}
		f.hint = orElse(suggestFlag(cmd, e), f.hint)
		if e.GetSpecifiedName() == memberMark[:1] {
			f.hint = "a member of standard input is named behind --: bulla cat -- -" + memberMark + "MEMBER"
		}
		if e.GetSpecifiedShortnames() != "" {
			// Not all that was given: after -p that may be a passphrase.
			f.what = "there is no flag -" + e.GetSpecifiedName()
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
