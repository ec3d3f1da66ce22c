package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// OutputFlags are the flags of every verb that writes a file.
type outputFlags struct {
	name   string // -o
	force  bool
	noSync bool
	allow  allowFlag
}

func (o *outputFlags) register(cmd *cobra.Command, usage string) {
	f := cmd.Flags()
	f.StringVarP(&o.name, "output", "o", "", usage)
	f.BoolVar(&o.force, "force", false, "replace an existing output")
	f.BoolVar(&o.noSync, "no-sync", false, "do not wait until the output is safe on the disk")
	o.allow.register(cmd)
}

// An allowFlag is what is too risky for --force to cover.
type allowFlag struct {
	words []string
	other []string // the words that the verb knows beside "device"
	only  []string // those that it knows, where it writes to no device
}

func (a *allowFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(a, "allow", "do what --force does not cover: `WHAT` is "+strings.Join(a.known(), " or "))
}

func (a *allowFlag) known() []string {
	if a.only != nil {
		return a.only
	}
	return append([]string{"device"}, a.other...)
}

func (a *allowFlag) allows(word string) bool { return slices.Contains(a.words, word) }

func (a *allowFlag) Set(words string) error {
	for _, w := range strings.Split(words, ",") {
		if !slices.Contains(a.known(), w) {
			return errors.New("unknown word")
		}
		a.words = append(a.words, w)
	}
	return nil
}

func (a *allowFlag) String() string { return strings.Join(a.words, ",") }
func (a *allowFlag) Type() string   { return "allow" }

// An outputPlan says what is to be written where.
type outputPlan struct {
	outputFlags
	mode   fs.FileMode // of a new file, before the umask
	binary bool        // it would do harm to a terminal
	text   bool        // it may be shown on a terminal as far as it is text
	size   int64       // about, if it is known

	// byDefault makes the name where -o gives none, or only a directory; nil
	// stands for standard output.
	byDefault func() (string, error)
}

// An output is what a verb writes: see package storage for what it promises.
type output struct {
	*storage.Pending
	name  string // as shown
	given safetext.Name
	plan  outputPlan
}

// planOutput checks that p can be carried out, and creates nothing yet.
func (a *app) planOutput(p outputPlan) (*output, error) {
	name, base, err := p.names()
	if err != nil {
		return nil, err
	}
	pending, err := a.files.Plan(name, storage.Options{Force: p.force, NoSync: p.noSync, Mode: p.mode, Device: p.allow.allows("device"), Size: p.size, Base: base})
	if errors.Is(err, storage.IsDirectory) {
		return nil, usage("name a file in it, or "+safetext.Printable(name)+"/ for the default name", "the output %s is a directory", safetext.Printable(name))
	}
	if err != nil {
		return nil, err
	}
	o := &output{Pending: pending, given: safetext.Name(pending.Name()), plan: p}
	if o.IsStandardOutput() {
		o.given = stdoutName
	}
	o.name = o.given.String()
	if p.binary && p.name == "" && o.Terminal() {
		return nil, refuse("name a file with -o FILE, or force it with -o -", "the output is binary and would go to the terminal")
	}
	if p.name == "" && o.Whole() && !a.quiet && !a.json { // whose result says where it is
		a.tellWhere(o)
	}
	return o, nil
}

// names is what the output is called, and what it would be in a directory.
func (p *outputPlan) names() (name, base string, err error) {
	inDir := p.name != "" && os.IsPathSeparator(p.name[len(p.name)-1])
	if p.byDefault == nil || p.name != "" && !inDir {
		return orElse(p.name, "-"), "", nil
	}
	if name, err = p.byDefault(); err != nil || !inDir {
		return name, "", err
	}
	return p.name, filepath.Base(name), nil
}

// tellWhere says, where standard output goes to a pipe or a file, that the output
// does not: a backup that is piped somewhere would be empty there.
func (a *app) tellWhere(o *output) {
	st, err := a.out.Stat()
	if err != nil || st.Mode()&fs.ModeNamedPipe == 0 && !st.Mode().IsRegular() {
		return
	}
	a.con.Line("bulla: note: the output goes to " + o.name + ", not to standard output; -o - writes it there")
}

// warnFull warns if there is less room than the output is going to take.
func (a *app) warnFull(o *output, size int64) {
	if free, ok := o.Free(); ok && free < size {
		a.warn(fmt.Sprintf("%s needs %s, and only %s are free there", o.name, console.Bytes(size), console.Bytes(free)),
			"make room, or name another place with -o")
	}
}

// fails ends an output that err has kept from being complete, and adds to err what
// there is of it.
func (o *output) fails(err error) error {
	o.Abort()
	f := explain(err)
	switch {
	case f.exit != exitIO || f.silent || isComplete(err):
		return err
	case o.Remains():
		f.hint = also(f.hint, "the unfinished output could not be removed: "+safetext.Printable(o.Partial()))
	case o.Whole():
		f.hint = also(f.hint, "no output was left behind")
	default:
		f.hint = also(f.hint, o.name+" got an incomplete output")
	}
	return f
}

func also(hint, more string) string { return strings.TrimPrefix(hint+"; "+more, "; ") }

// writer is what to write the output to, once it is created. Of plaintext a terminal
// gets text alone, and zeros become holes in a file.
func (o *output) writer() io.Writer {
	switch {
	case o.plan.text && o.plan.name == "" && o.Terminal():
		return &textOnly{terminal: o.Writer()}
	case o.plan.text && o.Whole() && !o.InStore():
		return o.Sparse()
	}
	return o.Writer() // as it is: package stream treats files and pipes well
}

// produce creates an output, has it written, and gives it its name, while progress is
// shown if there is any. An error says what there is of the output.
func (a *app) produce(out *output, show func() *console.Progress, write func(w io.Writer) error) error {
	if err := out.Begin(); err != nil {
		return err
	}
	defer out.Abort()
	var bar *console.Progress
	if show != nil {
		bar = show()
	}
	err := write(out.writer())
	if err == nil {
		err = out.Commit()
	}
	bar.Finish(err)
	if err != nil {
		return out.fails(err)
	}
	return nil
}

// writeWhole writes an output that is at hand: a key, a detached head, or a slot.
func (a *app) writeWhole(out *output, b []byte) error {
	return a.produce(out, nil, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// textOnly is a terminal that only text may reach: by Write alone, as the other
// methods of a file, such as ReadFrom, would go past it.
type textOnly struct {
	terminal io.Writer
	filter   safetext.Filter
}

func (t *textOnly) Write(p []byte) (int, error) {
	if !t.filter.Accept(p) {
		return 0, refuse("name a file with -o FILE, or force it with -o -", "the output is not text and would go to the terminal")
	}
	return t.terminal.Write(p)
}

// storageErrors is what is said of what became of a file. In the texts NAME is its
// name, PARTIAL that of the unfinished output, and CAUSE the error behind it. Without
// what, the error says itself what happened.
var storageErrors = map[storage.Kind]struct {
	exit       int
	what, hint string
}{
	storage.Exists:       {exitRefused, "", "--force replaces it; -o names another"},
	storage.Dangling:     {exitRefused, "", "--force replaces regular files only; remove it, or name another output with -o"},
	storage.NotRegular:   {exitRefused, "", "--force replaces regular files only; remove it, or name another output with -o"},
	storage.NotAllowed:   {exitRefused, "", "--allow device writes to it, over whatever it holds"},
	storage.IsDirectory:  {exitUsage, "", "name a file in it"},
	storage.NoBase:       {exitUsage, "", "name a file in it"},
	storage.IsInput:      {exitRefused, "NAME is both the input and the output", hintOutput},
	storage.InUse:        {exitRefused, "another run is writing NAME", "wait for it, or name another output with -o"},
	storage.Locked:       {exitRefused, "another run is changing NAME", "wait for it, and try again"},
	storage.NotPatchable: {exitUsage, "", "name a regular file"},
	storage.InTheWay:     {exitRefused, "", "name another output with -o, or remove it if it is not needed"},
	storage.Damaged:      {exitRefused, "", "remove it: with --resume-key KEYS, or the --kek that the set is for, --resume does without"},
	storage.Lost: {exitRefused, "NAME was not written: its unfinished file was removed, or replaced by another run",
		"run it again, and no other with the same output meanwhile"},
	storage.Undurable:     {exitIO, "NAME is complete, but a power failure now may lose it: CAUSE", "check the disk; --no-sync leaves this step out where it is a flag"},
	storage.Leftover:      {exitIO, "NAME is complete, but PARTIAL could not be removed: CAUSE", "remove PARTIAL yourself"},
	storage.Changed:       {exitChanged, "", "run it again"},
	storage.Shrunk:        {exitIO, "", "run it again when nothing writes to it, or on a snapshot of it"},
	storage.NoScheme:      {exitUnsupported, "", "./NAME is a file of that name"},
	storage.BadURL:        {exitUsage, "", "for example https://host/backup.tar.bulla or s3://bucket/backup.tar.bulla"},
	storage.ReadOnly:      {exitUsage, "", "name a file, or an object: s3://bucket/key"},
	storage.NotFound:      {exitIO, "", "check the name"},
	storage.Denied:        {exitIO, "NAME may not be accessed: CAUSE", "check the credentials and what they allow"},
	storage.NoCredentials: {exitIO, "there are no credentials for NAME: CAUSE", "set AWS_PROFILE, or the other variables and files that the aws command uses; --storage-option anonymous does without"},
	storage.Expired:       {exitIO, "", "renew them, for example with aws sso login"},
	storage.Skewed:        {exitIO, "", "set this computer's clock"},
	storage.Untrusted:     {exitIO, "the server of NAME cannot be trusted: CAUSE", "SSL_CERT_FILE names the certificates to trust"},
	storage.Unavailable:   {exitIO, "NAME cannot be reached: CAUSE", "run it again later"},
	storage.Refused:       {exitIO, "the server of NAME refuses: CAUSE", ""},
	storage.PartRefused:   {exitIO, "NAME was not written: the store takes no more parts: CAUSE", "--storage-option max-parts=N has it written in N parts, which grow"},
	storage.TooLarge:      {exitRefused, "NAME was not written: CAUSE", "give a larger --storage-option max-parts=N, or write a set of volumes"},
	storage.Unsafe:        {exitRefused, "the store of NAME does not heed conditions: a change by another program at the same time would be lost", "--allow unsafe-store changes it all the same; -o HEAD makes a detached head instead"},
	storage.Versioned:     {exitRefused, "NAME is in a bucket that keeps versions: changing it adds one, CAUSE", "--yes adds it; --delete-old-version deletes the old one afterwards, which whoever was removed could still open"},
	storage.Retained:      {exitRefused, "NAME is locked against changes", ""},
	storage.Lingers:       {exitIO, "NAME is changed, but its old version could not be deleted: CAUSE", "delete it yourself: whoever was removed can still open it"},
	storage.NoDescriptor:  {exitUsage, "", "for example /dev/fd/3"},
	storage.Closed:        {exitIO, "NAME is closed", "name a file, or redirect it; /dev/null opened for reading and writing looks closed, too: use -o /dev/null, or open it for writing only"},
	storage.HalfPatched: {exitIO, "",
		"it opens with its old recipients or its new ones; once writing works again, bulla recipients repair makes both copies of its head equal"},
}

const hintOutput = "name another output with -o"

// explainStorage words what became of a file.
func explainStorage(e *storage.Error) *failure {
	t, ok := storageErrors[e.Kind]
	if !ok {
		t.exit, t.hint = exitRefused, hintOutput
	}
	name, cause := plainName(e.Name), ""
	if e.Err != nil {
		cause = causeOf(e.Err).Error()
	}
	with := strings.NewReplacer("NAME", name, "PARTIAL", safetext.Printable(e.Partial), "CAUSE", cause)
	f := &failure{exit: t.exit, err: e, what: orElse(with.Replace(t.what), e.Text(name)), hint: with.Replace(t.hint)}
	if e.Kind == storage.HalfPatched {
		f.what = explainIO(e.Err).what
	}
	return f
}

// isComplete reports whether err is about an output that is there, and whole.
func isComplete(err error) bool {
	return errors.Is(err, storage.Undurable) || errors.Is(err, storage.Leftover)
}
