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
	"syscall"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/stream"
)

// Exit codes. 2 is left to the Go runtime, which ends a program that crashes with it.
const (
	exitOK          = 0
	exitIO          = 1
	exitBad         = 3
	exitNoKey       = 4
	exitRefused     = 5
	exitLoss        = 6
	exitUnsupported = 7
	exitSource      = 8
	exitEntropy     = 9
	exitUsage       = 64
	exitSignal      = 128

	exitInterrupted = exitSignal + int(syscall.SIGINT)
	exitClosedPipe  = exitSignal + int(syscall.SIGPIPE)
)

// A failure is an error as the user sees it.
type failure struct {
	exit   int
	what   string // what happened, in one line
	hint   string // what to do about it, in one line
	err    error  // the cause, if there is another error behind it
	silent bool   // the exit code says it all
}

func (f *failure) Error() string { return f.what }
func (f *failure) Unwrap() error { return f.err }

func usage(hint, format string, args ...any) error {
	return &failure{exit: exitUsage, what: fmt.Sprintf(format, args...), hint: hint}
}

func refuse(hint, format string, args ...any) error {
	return &failure{exit: exitRefused, what: fmt.Sprintf(format, args...), hint: hint}
}

// withHint is err, explained, with another hint.
func withHint(err error, hint string) error {
	f := explain(err)
	f.hint = hint
	return f
}

// A fileError says which input an error is about.
type fileError struct {
	name string // as shown
	err  error
}

func (e *fileError) Error() string { return e.name + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// about says that err is about the input of that name; nil stays nil.
func about(name string, err error) error {
	if err == nil {
		return nil
	}
	return &fileError{name, err}
}

// explain makes a failure of any error: the one place where errors become
// messages and exit codes. The failure is the caller's, and wraps err.
func explain(err error) *failure {
	f := explained(err)
	f.err = err
	return f
}

// explained makes a failure of err. The most particular kinds come first.
func explained(err error) *failure {
	name := "the input"
	if fe, ok := errors.AsType[*fileError](err); ok {
		name = fe.name
	}
	if s, ok := errors.AsType[*signalError](err); ok {
		return &failure{exit: exitSignal + int(s.sig), what: s.Error(), silent: true}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		same := *f
		return &same
	}
	if d, ok := errors.AsType[*directoryError](err); ok {
		return &failure{what: d.Error(), hint: "name a file in it", exit: exitUsage}
	}
	if isClosedPipe(err) {
		return &failure{exit: exitClosedPipe, what: "the reader of the output went away", silent: true}
	}
	if f := explainContainer(name, err); f != nil {
		return f
	}
	if f := explainKeys(err); f != nil {
		return f
	}
	return explainIO(err)
}

// Hints that more than one problem has.
const (
	hintReport     = "if this makes no sense to you, it may be a mistake in bulla: please report it"
	hintCopy       = "copy it again from where it came"
	hintAgain      = hintCopy + "; bulla verify lists all that is wrong with it"
	hintNewer      = "a newer bulla may know it; bulla version says which this is"
	hintPassphrase = "check the keyboard layout and try again; bulla verify without a key says whether the head is damaged"
)

// orSalvage goes on with a hint about a file that is damaged or cut. What came
// through a pipe is gone.
func orSalvage(hint, name string) string {
	if name == stdinName {
		return hint
	}
	return hint + "; bulla salvage gets back what is still authentic"
}

// explainContainer explains what is wrong with a container, or with the keys
// for it.
func explainContainer(name string, err error) *failure {
	if e, ok := errors.AsType[*keysError](err); ok {
		return explainNoKey(name, e)
	}
	if e, ok := errors.AsType[*stream.LimitError](err); ok {
		return &failure{what: name + ": " + e.Error(), hint: "the file was made to keep its readers busy; do not trust where it came from", exit: exitUnsupported}
	}
	if e, ok := errors.AsType[*stream.TruncatedError](err); ok {
		p := &failure{what: fmt.Sprintf("%s is truncated at byte %d: its end is missing, the %d chunks before are authentic", name, e.Offset, e.Chunks), hint: hintCopy, exit: exitBad}
		if e.Chunks > 0 {
			p.hint = orSalvage(hintCopy, name)
		}
		return p
	}
	if e, ok := errors.AsType[*stream.ChunkError](err); ok {
		return &failure{what: name + ": " + e.Error() + ": damaged, or changed by somebody", hint: orSalvage(hintCopy, name), exit: exitBad}
	}
	if e, ok := errors.AsType[*stream.TrailingError](err); ok {
		return &failure{what: fmt.Sprintf("%s goes on after its end at byte %d", name, e.Offset), hint: "something was appended to it; cut it there, or " + hintAgain, exit: exitBad}
	}
	if e, ok := errors.AsType[*format.ParseError](err); ok {
		return explainParse(name, e)
	}
	if errors.Is(err, format.ErrMixedClasses) {
		return &failure{what: "post-quantum and classical recipients in one file: the classical ones would undo what the others are for",
			hint: "choose one kind, or --allow-classical if that is what you want", exit: exitRefused}
	}
	return nil
}

// explainParse explains bytes that are no container.
func explainParse(name string, e *format.ParseError) *failure {
	p := &failure{what: name + ": " + e.Error(), exit: exitBad, hint: hintAgain}
	if e.Clause == format.READ4 {
		return &failure{what: "the detached head is not that of " + name, hint: "name the one that was exported from this file", exit: exitUsage}
	}
	switch e.Kind {
	case format.ErrNotBulla:
		p = &failure{what: name + " is not a bulla file: " + e.Reason, exit: exitUnsupported, hint: "bulla opens what bulla encrypt has made"}
		switch {
		case strings.Contains(e.Reason, "age file"):
			p.hint = "age -d opens it"
		case strings.Contains(e.Reason, "as if it were text"), strings.Contains(e.Reason, "UTF-16"):
			p.hint = "transfer it again as binary; in PowerShell name the output with -o, not with >"
		}
	case format.ErrTruncated:
		p.what = name + " is truncated: " + e.Reason
	case format.ErrDamaged:
		p.what = name + " is " + e.Error()
		switch {
		case e.Clause != format.HEAD5:
			p.hint = orSalvage(hintCopy, name)
		case name == stdinName:
			p.hint = "if it came through a pipe, open it as a file: the copy of the head at its end may serve"
		default: // and so is the one at its end
			p.hint = "a head that bulla head export has kept opens it: --head FILE; or " + hintCopy
		}
	case format.ErrUnsupported:
		p.exit, p.hint = exitUnsupported, hintNewer
	}
	return p
}

// A keysError is a container that none of the keys opens.
type keysError struct {
	*stream.NoKeyError
	keys *identities
}

func (e *keysError) Unwrap() error { return e.NoKeyError }

func explainNoKey(name string, e *keysError) *failure {
	causes := errors.Join(e.Causes...)
	if f, ok := errors.AsType[*failure](causes); ok { // such as that nobody could be asked
		same := *f
		return &same
	}
	if errors.Is(causes, keyslot.ErrEmptyPassphrase) {
		return emptyPassphrase()
	}
	asked := slices.Contains(e.Tried, format.SlotPassphrase)
	p := &failure{exit: exitNoKey}
	census := " (its slots: " + slotCensus(e.Slots) + ")"
	switch n := e.keys.named; {
	case n == 0 && asked:
		p.what = "wrong passphrase for " + name
	case n == 0:
		p.what = "no key to open " + name + " with" + census
	case asked:
		p.what = "neither the passphrase nor a key of " + plural(n, "identity") + " opens " + name + census
	case n == 1:
		p.what = "the key does not open " + name + census
	default:
		p.what = fmt.Sprintf("none of %d keys opens %s%s", n, name, census)
	}
	for _, c := range e.Causes {
		p.what += "; " + firstLine(c.Error())
	}
	p.hint = hintNoKey(e, causes, asked)
	return p
}

// hintNoKey says what else could open the container.
func hintNoKey(e *keysError, causes error, asked bool) string {
	if m, ok := errors.AsType[*agekey.PluginMissingError](causes); ok {
		return "install age-plugin-" + m.Name + ", and see that it is on the PATH"
	}
	if errors.Is(causes, agekey.ErrWrongPassphrase) {
		return "that was the passphrase of the key, not of the file; try again"
	}
	if asked {
		return hintPassphrase
	}
	hints := []string{"name an identity of one of its recipients with -i FILE"}
	if slices.Contains(e.Slots, format.SlotKEK) && !slices.Contains(e.Tried, format.SlotKEK) {
		hints = append(hints, "a symmetric key with --"+e.keys.prefix+"kek FILE")
	}
	if slices.Contains(e.Slots, format.SlotPassphrase) {
		hint := "give a passphrase with -p"
		if e.keys.prefix != "" {
			hint = "say where its passphrase is with --" + e.keys.prefix + "passphrase-file FILE"
		}
		hints = append(hints, hint)
	}
	return strings.Join(hints, ", or ")
}

// slotCensus is the types of some slots with their numbers: "2 hpke, 1 kek".
func slotCensus(slots []format.SlotType) string {
	var parts []string
	for i, t := range slots {
		if slices.Index(slots, t) < i {
			continue
		}
		n := 0
		for _, u := range slots {
			if u == t {
				n++
			}
		}
		parts = append(parts, fmt.Sprintf("%d %v", n, t))
	}
	return strings.Join(parts, ", ")
}

func emptyPassphrase() *failure {
	return &failure{what: "the passphrase is empty", exit: exitNoKey, hint: "check where it comes from"}
}

// explainKeys explains what is wrong with keys before any file is opened.
func explainKeys(err error) *failure {
	if e, ok := errors.AsType[*entropy.RequireError](err); ok {
		return &failure{what: e.Error(), exit: exitEntropy,
			hint: orElse(e.Hint, "leave out --require "+e.Source+", or run this where it is to be had")}
	}
	if e, ok := errors.AsType[*entropy.UnknownSourceError](err); ok {
		return &failure{what: fmt.Sprintf("no entropy source is called %q", e.Name), exit: exitUsage,
			hint: orElse(didYouMean(e.Name, entropy.Names()), "there are: "+strings.Join(entropy.Names(), ", "))}
	}
	if errors.Is(err, keyslot.ErrSecretKey) {
		return &failure{what: err.Error(), exit: exitUsage, // err says where, and to treat it as exposed
			hint: "bulla keygen makes a new key; keygen -y FILE shows the recipient of one"}
	}
	if errors.Is(err, keyslot.ErrEmptyPassphrase) {
		return emptyPassphrase()
	}
	if errors.Is(err, keyslot.ErrUnknownKey) || errors.Is(err, keyslot.ErrNoKeys) {
		return &failure{what: err.Error(), exit: exitUsage, hint: "bulla help keys shows what keys look like"}
	}
	if m, ok := errors.AsType[*agekey.PluginMissingError](err); ok {
		return &failure{what: m.Error(), exit: exitUnsupported, hint: "install it, and see that it is on the PATH"}
	}
	if e, ok := errors.AsType[*agekey.SizeError](err); ok {
		return &failure{what: e.Error(), exit: exitUnsupported, hint: "use a smaller key, or one of another kind"}
	}
	if _, ok := errors.AsType[*keyslot.LineError](err); ok {
		return &failure{what: err.Error(), exit: exitUsage, hint: "bulla help keys shows what keys look like"}
	}
	return nil
}

// explainIO explains the errors of the operating system, and those that nobody
// foresaw.
func explainIO(err error) *failure {
	p := &failure{what: err.Error(), exit: exitIO}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		p.what = fmt.Sprintf("cannot %s %s: %v", pe.Op, plainName(pe.Path), pe.Err)
	} else if le, ok := errors.AsType[*os.LinkError](err); ok {
		p.what = fmt.Sprintf("cannot give %s its name: %v", plainName(le.New), le.Err)
	} else if fe, ok := errors.AsType[*fileError](err); ok {
		p.what = fe.Error()
	}
	switch {
	case isNoSpace(err):
		p.hint = "make room, or name another place with -o; nothing was left behind"
	case errors.Is(err, fs.ErrNotExist):
		p.hint = "check the name, and that its directory exists"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		p.hint = "check who may read and write there, or name another place with -o"
	case errors.Is(err, syscall.ENOTDIR):
		p.hint = "a part of the path is a file, not a directory"
	case errors.Is(err, syscall.EISDIR):
		p.hint = "name a file, not a directory"
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.hint = "the source became shorter while it was read"
	case isSystem(err):
		p.hint = "the source or the destination failed; no output was left under its final name"
	default:
		p.hint = hintReport
	}
	return p
}

// isSystem reports whether the operating system had a part in err.
func isSystem(err error) bool {
	_, path := errors.AsType[*fs.PathError](err)
	_, errno := errors.AsType[syscall.Errno](err)
	return path || errno
}

// isClosedPipe reports whether err is an output that nobody reads any more. Pipes
// that the program itself has made, to other programs, have names with a bar.
func isClosedPipe(err error) bool {
	pe, ok := errors.AsType[*fs.PathError](err)
	return ok && pe.Op == "write" && !strings.HasPrefix(pe.Path, "|") && isBrokenPipe(pe.Err)
}

// plainName is how a path is shown to people: without what an unfinished output
// is called, and without characters that could take the terminal over.
func plainName(path string) string {
	dir, base := filepath.Split(streamName(path))
	if strings.HasPrefix(base, partialPrefix) && strings.HasSuffix(base, partialSuffix) {
		base = strings.TrimSuffix(base[len(partialPrefix):], partialSuffix)
	}
	return safetext.Printable(dir + base)
}

// streamName is the path of a file, and of standard input and output what they
// are called here.
func streamName(path string) string {
	switch path {
	case "/dev/stdin":
		return stdinName
	case "/dev/stdout":
		return "standard output"
	}
	return path
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
