package main

import (
	"cmp"
	"context"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/console"
	"bulla/internal/interrupt"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/internal/storage/object"
	"bulla/internal/storage/s3"
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
	diffCommand,
	mountCommand,
	serveCommand,
	signCommand,
	parityCommand,
	scrubCommand,
	repairCommand,
	salvageCommand,
	inspectCommand,
	recipientsCommand,
	headCommand,
	grantCommand,
	shredCommand,
	keygenCommand,
	epochCommand,
	storageCommand,
	jobCommand,
	entropyCommand,
	completionCommand,
	versionCommand,
	manCommand,
}

// An app is one run of the program, as every verb sees it.
type app struct {
	stdio
	files  *storage.Run
	remote object.Client // that the stores of files have in common
	s3     *s3.Store
	con    *console.Console
	person *console.Terminal
	left   interrupt.Leftovers

	args                 []string // of the command line
	quiet, verbose, json bool
	hasOutput            bool // the verb has -o

	outErr  error  // the first failure to write to standard output
	claimed claims // what descriptors are read for

	mixer *entropy.Mixer // what new keys are made of, if any are

	envPassphrase string // what $BULLA_PASSPHRASE was

	// passphraseCost is what a new passphrase slot costs to open; nil means
	// what the specification asks for. Tests cannot wait that long.
	passphraseCost *keyslot.PassphraseOptions

	now func() time.Time // the clock by which epochs are chosen and ended
}

func newApp(std stdio) *app {
	a := &app{stdio: std, files: &storage.Run{In: std.in, Out: std.out, Err: std.err}, con: console.New(std.err), envPassphrase: os.Getenv(envPassphrase), now: time.Now}
	a.person = a.con.Terminal()
	a.registerStores()
	log.SetOutput(io.Discard)  // what libraries say to nobody in particular, such as of a server's odd answers
	os.Unsetenv(envPassphrase) // plugins and other programs that are run have no business with it
	return a
}

func (a *app) run(args []string) int {
	ctx, stop := interrupt.Catch(context.Background())
	defer stop()
	a.files.Context = ctx
	root := a.rootCommand()
	root.SetArgs(args)
	a.args = args
	if first(args) == cobra.ShellCompRequestCmd {
		plainUsages(root)
	}
	err := interrupt.Run(ctx, func() error { return root.ExecuteContext(ctx) })
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // whatever failed, failed because of that
	}
	a.files.Abort()
	a.left.Clean()
	a.tellAsked(&a.remote.Stats)
	if err == nil {
		err = a.outErr
	}
	if err == nil {
		a.tellLeftOut()
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

func init() {
	cobra.EnableCommandSorting = false // help lists the verbs in the order in which one needs them
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:                   "bulla VERB",
		Short:                 "Encrypt, open and check files of any size",
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		CompletionOptions:     cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:                  cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.hasOutput = cmd.Flags().Lookup("output") != nil
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
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print what was done")
	f.Var(&storageOption{Options: &a.s3.Options}, "storage-option", "bulla help stores lists them")
	f.MarkHidden("storage-option")
	f.BoolVar(&a.json, "json", false, "write JSON: results to stdout, errors and warnings to stderr")
	for _, verb := range verbs {
		root.AddCommand(verb(a))
	}
	plain(root)
	root.AddCommand(topics()...)
	root.SetHelpCommand(helpCommand(root))
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd) })
	root.Version = buildVersion()
	root.SetVersionTemplate("bulla {{.Version}}\n")
	giveTexts(root)
	return root
}

// plain has help show flags in the order in which they are registered.
func plain(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.Flags().SortFlags = false
	for _, c := range cmd.Commands() {
		plain(c)
	}
}

// newVerb is a verb about containers, as most are, for whose flags the caller sees.
func newVerb(use, short string, args cobra.PositionalArgs, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, ValidArgsFunction: completeContainers, RunE: run}
}

// before has a verb's flags checked before it runs: first those that were registered first.
func before(cmd *cobra.Command, check func(*cobra.Command) error) {
	earlier := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if earlier != nil {
			if err := earlier(cmd, args); err != nil {
				return err
			}
		}
		return check(cmd)
	}
}

// withVerbs is a verb that is nothing without one of its own.
func withVerbs(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	var names []string
	for _, verb := range verbs {
		names = append(names, verb.Name())
		cmd.AddCommand(verb)
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		hint := "bulla help " + cmd.Name() + " explains them"
		if len(args) == 0 {
			return usage(hint, "%s takes a verb: %s", cmd.Name(), strings.Join(names, ", "))
		}
		return usage(cmp.Or(otherWord(cmd.Name()+" "+args[0]), didYouMean(args[0], names), hint), "%s has no verb %s", cmd.Name(), safetext.Printable(args[0]))
	}
	return cmd
}

// first is the first argument; "" if there is none.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// words is what one types to get to a verb: "head export".
func words(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}
