package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/internal/archive"
	"bulla/internal/console"
	"bulla/internal/fullio"
	"bulla/internal/producer"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/internal/zseek"
	"bulla/origin"
	"bulla/parity"
	"bulla/stream"
)

// containerSuffix ends the names of containers.
const containerSuffix = ".bulla"

type encryptFlags struct {
	recipientFlags
	outputFlags
	workFlags
	entropyFlags
	compressFlags
	parity parityFlags
	sign   string // a key
	setFlags
	opener      identityFlags // of a set that is continued without its journal
	suite       string
	reserve     int
	verify      bool
	fromCommand bool
}

func encryptCommand(a *app) *cobra.Command {
	e := &encryptFlags{}
	cmd := newVerb("encrypt [FILE | --from-command -- COMMAND...]", "Encrypt a file or a stream",
		func(cmd *cobra.Command, args []string) error {
			if e.fromCommand {
				return checkProducer(cmd, args)
			}
			return atMostOne(cmd, args)
		},
		func(cmd *cobra.Command, args []string) error { return a.encrypt(cmd, e, args) })
	cmd.ValidArgsFunction = completeFiles
	e.recipientFlags.register(a, cmd, toEncrypt)
	e.allow.other = []string{"double"}
	e.outputFlags.register(cmd, "write to `FILE` (default FILE"+containerSuffix+"; - is standard output)")
	e.compressFlags.register(cmd)
	e.parity.register(cmd)
	cmd.Flags().StringVar(&e.sign, "sign", "", "sign the output with the SSH key in `KEY`, in the file OUTPUT"+signatureSuffix)
	f := cmd.Flags()
	f.StringVar(&e.suite, "suite", "", "encrypt with `SUITE`, aes or chacha (default: the faster one on this processor)")
	f.IntVar(&e.reserve, "reserve", 0, "leave room to add `N` more recipients later, besides two")
	complete(cmd, "suite", []string{"aes", "chacha"})
	f.BoolVar(&e.fromCommand, "from-command", false, "encrypt the output of the command after --")
	f.BoolVar(&e.verify, "verify", false, "read the output back and authenticate it before it gets its name")
	e.setFlags.register(cmd)
	e.opener.app, e.opener.passphrase.app = a, a
	f.StringArrayVar(&e.opener.files, "resume-key", nil, "continue a set that has lost FILE"+containerSuffix+journalSuffix+" with the identities in `KEYS`")
	e.entropyFlags.register(cmd)
	e.workFlags.register(cmd)
	return cmd
}

// suites by their names; without one, the processor decides.
var suites = map[string]format.Suite{"": 0, "aes": format.AES256GCM, "chacha": format.ChaCha20Poly1305}

// writerOptions checks the flags that have nothing to do with files and keys.
func (e *encryptFlags) writerOptions(a *app, cmd *cobra.Command) (*stream.WriterOptions, error) {
	if err := e.parity.check("--parity"); err != nil {
		return nil, err
	}
	suite, ok := suites[e.suite]
	if !ok {
		return nil, usage("use aes or chacha", "there is no suite %s", safetext.Printable(e.suite))
	}
	if e.reserve < 0 || e.reserve > format.MaxSlots {
		return nil, usage("give a number from 0 to 128", "invalid --reserve %d", e.reserve)
	}
	level, err := e.level(cmd)
	if err != nil {
		return nil, err
	}
	mixer, err := e.mixer(a, cmd)
	if err != nil {
		return nil, err
	}
	return &stream.WriterOptions{
		Suite: suite, Level: level, Workers: e.jobs, Reserve: e.reserve, Entropy: mixer,
		AllowClassical: e.allowClassical, Done: new(atomic.Int64),
	}, nil
}

// encrypt carries out the verb. Everything that can be found wrong is found
// before anybody is asked for a passphrase, and that before any output exists.
func (a *app) encrypt(cmd *cobra.Command, e *encryptFlags, args []string) error {
	opts, err := e.writerOptions(a, cmd)
	if err != nil {
		return err
	}
	volumeSize, err := e.volumeSize(cmd, opts.Level)
	if err != nil {
		return err
	}
	if !e.fromCommand {
		if err := a.claimInput(first(args)); err != nil {
			return err
		}
	}
	keys, err := e.recipientFlags.check()
	if err != nil {
		return err
	}
	if err := explainPlan(stream.Plan(e.planned(keys), opts)); err != nil {
		return err
	}
	in, from, err := a.source(cmd.Context(), e, args)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := e.checkDouble(in); err != nil {
		return err
	}
	flags := e.outputFlags
	flags.force = flags.force || e.resume // the root is there, and stays
	out, err := a.planOutput(outputPlan{outputFlags: flags, mode: 0o666, binary: true, size: in.size + in.size>>11,
		byDefault: in.named(func(path string) (string, error) { return path + containerSuffix, nil })})
	if volumeSize > 0 && errors.Is(err, storage.Exists) {
		err = withHint(err, "-o names another set; --resume continues one that is not whole")
	}
	if err != nil {
		return err
	}
	if e.verify {
		if err := out.checkReadBack(); err != nil {
			return err
		}
	}
	if volumeSize > 0 {
		return a.encryptSet(cmd.Context(), e, volumeSize, keys, in, from, out, opts)
	}
	par, err := a.planParity(&e.parity, e.outputFlags, out)
	if err != nil {
		return err
	}
	sig, err := a.planSignature(cmd.Context(), e, out)
	if err != nil {
		return err
	}
	to, err := e.withPassphrase(cmd.Context(), keys, opts.Entropy)
	if err != nil {
		return err
	}
	return a.seal(cmd.Context(), in, from, out, par, sig, to, opts, e)
}

// checkDouble refuses a file that is encrypted, or is called so.
func (e *encryptFlags) checkDouble(in *input) error {
	if e.allow.allows("double") || in.path == "" {
		return nil
	}
	begin := make([]byte, len(format.Magic))
	if in.regular {
		in.At().ReadAt(begin, 0)
	}
	switch {
	case string(begin) == format.Magic:
		return refuse("--allow double encrypts it once more; bulla recipients add lets others open it", "%s is encrypted already", in.name)
	case strings.HasSuffix(in.path, containerSuffix):
		return refuse("--allow double encrypts it all the same", "%s has the name of an encrypted file", in.name)
	}
	return nil
}

// source is what is to be encrypted: a file, or the output of a command, which
// then is not nil.
func (a *app) source(ctx context.Context, e *encryptFlags, args []string) (*input, *producer.Producer, error) {
	if !e.fromCommand {
		in, err := a.openInput(first(args))
		if errors.Is(err, storage.IsDirectory) {
			err = withHint(err, "put it into a tar: tar c DIR | bulla encrypt -o DIR.tar"+containerSuffix)
		}
		return in, nil, err
	}
	from, err := producer.New(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	return &input{given: from.Name, name: from.Name.String(), size: -1}, from, nil
}

// checkProducer refuses command lines from which it cannot be told where the
// command begins.
func checkProducer(cmd *cobra.Command, args []string) error {
	const example = "for example: bulla encrypt -o db.sql.bulla --from-command -- pg_dump shop"
	switch at := cmd.ArgsLenAtDash(); {
	case at < 0:
		return usage(example, "--from-command needs -- before the command")
	case at > 0:
		return usage(example, "--from-command takes its input from the command, not from %s", safetext.Printable(args[0]))
	case len(args) == 0 || args[0] == "":
		return usage(example, "--from-command needs a command")
	}
	return nil
}

// A sealing takes what is to be encrypted.
type sealing interface {
	io.ReaderFrom
	Abort(error)
}

// feed has w take the input, without the bytes to skip: a file, or what a command makes. The command's standard
// input is ours, unless that is taken for something else. However this program ends,
// it does not before the command has.
func (a *app) feed(w sealing, in *input, from *producer.Producer, skip int64, members *archive.Counter) (n int64, err error) {
	defer members.End()
	if from == nil {
		src := in.Stream()
		if skip > 0 {
			src = io.NewSectionReader(in.At(), skip, in.size-skip)
		}
		if n, err = w.ReadFrom(fullio.Tee(src, members)); err == nil {
			err = a.unchanged(in, skip+n)
		}
	} else {
		stdin := a.in
		if a.claimDescriptor(0, "the command's input") != nil {
			stdin = nil
		}
		if err = from.Start(stdin, a.err); err == nil {
			defer a.left.Add(from.Wait)()
			n, err = w.ReadFrom(fullio.Tee(from.Out, members))
			err = from.End(err)
		}
	}
	if err != nil {
		w.Abort(err) // or it would be finished as if this were all
	}
	return n, err
}

// spoiled adds to the failure of a command, if that is what err is, what has
// become of the output.
func spoiled(err error, out *output) error {
	f := explain(err)
	switch {
	case f.exit != exitSource:
		return err
	case out.Whole():
		f.what += "; " + out.name + " was not made"
	default:
		f.what += "; what came out is not complete and does not open as whole"
	}
	return f
}

// A container is an output that is encrypted to, with what is made of it in the same pass.
type container struct {
	*output
	par   *output // its parity file; nil: none
	maker *parity.Maker
	made  parityMade
	hash  *origin.Maker // observes it; nil: it is not signed
}

// begin returns what to write the container to, which is created.
func (c *container) begin(e *encryptFlags) (w io.Writer, err error) {
	w = c.writer()
	if c.par != nil {
		if err := c.par.Begin(); err != nil {
			return nil, err
		}
		if c.maker, err = newMaker(c.par.writer(), e.parity.cells, e.jobs); err != nil {
			return nil, err
		}
		w = fullio.Both(w, c.maker)
	}
	return w, nil
}

// finish gives the container its name, once what was made of it is whole, too.
func (c *container) finish() (hashed *origin.Part, err error) {
	if c.hash != nil {
		hashed, err = c.hash.Finish()
	}
	if err == nil && c.par != nil {
		err = c.made.close(c.maker, c.par)
	}
	if err == nil {
		err = c.output.Commit()
	}
	if isComplete(err) && c.par != nil { // the container is there, so its parity file has a use
		c.par.Commit()
	}
	return hashed, err
}

// settle gives the parity file its name, when the container has its own.
func (c *container) settle(a *app) error {
	if c.par == nil {
		return nil
	}
	if err := c.par.Commit(); err != nil {
		return c.par.fails(err)
	}
	a.noteParity(&c.made)
	return nil
}

// lacking is an error of what is made beside an output, which is there.
func lacking(out *output, err error) error {
	if err == nil || isComplete(err) {
		return err
	}
	return withHint(err, out.name+" is there, and whole: bulla parity create and bulla sign make what it lacks")
}

func (c *container) Abort() {
	c.output.Abort()
	if c.par != nil {
		c.par.Abort()
	}
}

func (a *app) seal(ctx context.Context, in *input, from *producer.Producer, out, par *output, sig *signatureOutput, to []stream.Recipient, opts *stream.WriterOptions, e *encryptFlags) error {
	if err := out.Begin(); err != nil {
		return err
	}
	c := &container{output: out, par: par}
	defer c.Abort()
	dst, err := c.begin(e)
	if err != nil {
		return err
	}
	start := time.Now()
	if sig != nil {
		c.hash = new(origin.Maker)
		opts.Observer = c.hash
	}
	sw, err := stream.NewWriter(ctx, dst, to, opts)
	if err != nil {
		return err
	}
	if e.compressFlags == (compressFlags{}) {
		a.warnFull(out, in.size)
	}
	bar := a.startProgress(&e.workFlags, in.name, in.size, opts.Done, out)
	members := new(archive.Counter)
	n, err := a.feed(sw, in, from, 0, members)
	if err == nil && e.verify {
		bar.Finish(nil)
		bar, err = a.closeVerified(ctx, sw, out, &e.workFlags)
	} else if cerr := sw.Close(); err == nil {
		err = cerr
	}
	compressed := ""
	if st, serr := out.Stat(); err == nil && opts.Level > 0 && n > 0 && serr == nil && out.Whole() {
		compressed = fmt.Sprintf(" compressed to %s (%.1f%%),", console.Bytes(st.Size()), 100*float64(st.Size())/float64(n))
	}
	var hashed *origin.Part
	if err == nil {
		hashed, err = c.finish()
	}
	bar.Finish(err)
	if err != nil {
		return spoiled(out.fails(err), out)
	}
	if err := cmp.Or(c.settle(a), sig.write(a, hashed)); err != nil {
		return lacking(out, err)
	}
	a.note("%s: %s%s encrypted to %s for %s in %v", in.name, console.Bytes(n), compressed, out.name, plural(len(to), "recipient"), time.Since(start).Round(time.Millisecond))
	done := written{Plaintext: n, Recipients: len(to), Epoch: epochOf(to)}
	if par != nil {
		done.Parity = &c.made
	}
	a.warnOther(e, out, par != nil, sig != nil)
	return a.sealed(in, out, members, done)
}

// warnOther warns of a parity file and a signature that lie beside an output and were not made with it.
func (a *app) warnOther(e *encryptFlags, out *output, parity, signature bool) {
	warn := func(suffix, verb string) {
		if a.probe(out.Name()+suffix) == nil {
			a.warn(out.name+suffix+" is not of this file, but of one that had its name before", "remove it, or bulla "+verb+" --force makes it anew")
		}
	}
	if !out.Whole() || out.InStore() && !e.force { // a store is not asked for nothing
		return
	}
	if !parity {
		warn(paritySuffix, "parity create")
	}
	if !signature {
		warn(signatureSuffix, "sign")
	}
}

// sealed reports what was encrypted.
func (a *app) sealed(in *input, out *output, members *archive.Counter, done written) error {
	done.InputField, done.OutputField = in.given.AsInput(), out.given.AsOutput()
	if members.IsTar {
		a.note("%s: a tar of %s with %s of data", in.name, plural(int(members.Members), "member"), console.Bytes(members.Bytes))
		done.Members, done.MemberBytes = &members.Members, &members.Bytes
	}
	a.tellEmpty(in, done.Plaintext, members)
	return a.result(out, done)
}

// written is what encrypt, decrypt and cat say with --json.
type written struct {
	safetext.InputField
	Member safetext.String `json:"member,omitempty"`
	safetext.OutputField
	Plaintext   int64       `json:"plaintext_bytes"`
	Recipients  int         `json:"recipients,omitempty"`
	Volumes     int         `json:"volumes,omitempty"` // of a set
	Members     *int64      `json:"members,omitempty"` // of a tar
	MemberBytes *int64      `json:"member_bytes,omitempty"`
	Parity      *parityMade `json:"parity,omitempty"`
	Epoch       *days       `json:"epoch,omitempty"` // that it is encrypted to
}

// checkReadBack refuses to verify what cannot be read again.
func (o *output) checkReadBack() error {
	if o.InStore() {
		return usage("leave out --verify, and use bulla verify "+safetext.Shell(string(o.given))+" afterwards", "--verify reads the output back before it has its name, which a store cannot do")
	}
	if !o.Whole() {
		return usage("name a file with -o, or leave out --verify", "--verify reads the output back, and %s is written only once", o.name)
	}
	return nil
}

// closeVerified ends the output and reads it back. It shows how far that has
// come until the progress it returns is finished.
func (a *app) closeVerified(ctx context.Context, sw *stream.Writer, out *output, w *workFlags) (bar *console.Progress, err error) {
	done := new(atomic.Int64)
	err = sw.CloseVerified(ctx, func() (io.ReaderAt, int64, error) {
		src, size, err := out.ReadBack()
		if err == nil {
			bar = a.startProgress(w, out.name+", read back", size, done, out)
		}
		return src, size, err
	}, done)
	return bar, explainReadBack(out, err)
}

// explainReadBack words what reading back has found.
func explainReadBack(out *output, err error) error {
	if !errors.Is(err, stream.ErrNotAsWritten) {
		return err
	}
	return &failure{exit: exitIO, err: err, what: "reading " + out.name + " back: " + firstLine(err.Error()),
		hint: "the disk, or the memory, does not keep what it is given; the output was thrown away"}
}

// zstdSuffix ends the names of what Zstandard has compressed.
const zstdSuffix = ".zst"

// compressFlags are the flags of a verb that compresses what it encrypts.
type compressFlags struct {
	compress bool
	number   int
}

func (c *compressFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&c.compress, "compress", "z", false, "compress with Zstandard before encrypting; ranges stay readable")
	f.IntVar(&c.number, "level", 0, "compress at level `N`, 1 (fastest) to 19 (default 3); implies -z")
}

// level is what to compress at, 0 for not at all.
func (c *compressFlags) level(cmd *cobra.Command) (int, error) {
	if !cmd.Flags().Changed("level") {
		if c.compress {
			return zseek.DefaultLevel, nil
		}
		return 0, nil
	}
	if c.number < zseek.MinLevel || c.number > zseek.MaxLevel {
		return 0, usage("1 is the fastest, 19 the smallest", "there is no --level %d", c.number)
	}
	return c.number, nil
}

// tellEmpty warns of an input that is whole as far as can be told, and still not what
// its owner thinks of as a backup: a tar that holds nothing or breaks off, or no data
// from something that is not a file.
func (a *app) tellEmpty(in *input, n int64, c *archive.Counter) {
	const hint = "it was encrypted as it is; check what made it"
	switch {
	case c.IsTar && c.Members == 0:
		a.warn(in.name+" is empty: a tar without members, or nothing but zeros", hint)
	case c.IsTar && c.Early:
		a.warn(in.name+" is a tar that ends early, after "+plural(int(c.Members), "member")+": its end is missing", hint)
	case n == 0 && !in.regular:
		a.warn(in.name+" had no data at all", hint)
	}
}
