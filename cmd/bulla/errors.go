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

// A problem is what the user gets to know of an error.
type problem struct {
	What string `json:"error"`          // what happened, in one line
	Hint string `json:"hint,omitempty"` // what to do about it, in one line
	Exit int    `json:"exit"`

	silent bool // the exit code says it all
}

// A failure is an error that the command found itself.
type failure struct {
	exit       int
	what, hint string
	err        error // what it comes from, if anything
}

func (f *failure) Error() string { return f.what }
func (f *failure) Unwrap() error { return f.err }

func usage(hint, format string, args ...any) error {
	return &failure{exit: exitUsage, what: fmt.Sprintf(format, args...), hint: hint}
}

func refuse(hint, format string, args ...any) error {
	return &failure{exit: exitRefused, what: fmt.Sprintf(format, args...), hint: hint}
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

// explain makes a problem of any error: the one place where errors become
// messages and exit codes. The most particular come first.
func explain(err error) problem {
	name := "the input"
	if fe, ok := errors.AsType[*fileError](err); ok {
		name = fe.name
	}
	if s, ok := errors.AsType[*signalError](err); ok {
		return problem{Exit: exitSignal + int(s.sig), What: s.Error(), silent: true}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return problem{What: f.what, Hint: f.hint, Exit: f.exit}
	}
	if d, ok := errors.AsType[*directoryError](err); ok {
		return problem{What: d.Error(), Hint: "name a file in it", Exit: exitUsage}
	}
	if isClosedPipe(err) {
		return problem{Exit: exitClosedPipe, What: "the reader of the output went away", silent: true}
	}
	if p, ok := explainContainer(name, err); ok {
		return p
	}
	if p, ok := explainKeys(err); ok {
		return p
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
func explainContainer(name string, err error) (p problem, ok bool) {
	if e, ok := errors.AsType[*keysError](err); ok {
		return explainNoKey(name, e), true
	}
	if e, ok := errors.AsType[*stream.LimitError](err); ok {
		return problem{What: name + ": " + e.Error(), Hint: "the file was made to keep its readers busy; do not trust where it came from", Exit: exitUnsupported}, true
	}
	if e, ok := errors.AsType[*stream.TruncatedError](err); ok {
		p := problem{What: fmt.Sprintf("%s is truncated at byte %d: its end is missing, the %d chunks before are authentic", name, e.Offset, e.Chunks), Hint: hintCopy, Exit: exitBad}
		if e.Chunks > 0 {
			p.Hint = orSalvage(hintCopy, name)
		}
		return p, true
	}
	if e, ok := errors.AsType[*stream.ChunkError](err); ok {
		return problem{What: name + ": " + e.Error() + ": damaged, or changed by somebody", Hint: orSalvage(hintCopy, name), Exit: exitBad}, true
	}
	if e, ok := errors.AsType[*stream.TrailingError](err); ok {
		return problem{What: fmt.Sprintf("%s goes on after its end at byte %d", name, e.Offset), Hint: "something was appended to it; cut it there, or " + hintAgain, Exit: exitBad}, true
	}
	if e, ok := errors.AsType[*format.ParseError](err); ok {
		return explainParse(name, e), true
	}
	if errors.Is(err, format.ErrMixedClasses) {
		return problem{What: "post-quantum and classical recipients in one file: the classical ones would undo what the others are for",
			Hint: "choose one kind, or --allow-classical if that is what you want", Exit: exitRefused}, true
	}
	return p, false
}

// explainParse explains bytes that are no container.
func explainParse(name string, e *format.ParseError) problem {
	p := problem{What: name + ": " + e.Error(), Exit: exitBad, Hint: hintAgain}
	if e.Clause == format.READ4 {
		return problem{What: "the detached head is not that of " + name, Hint: "name the one that was exported from this file", Exit: exitUsage}
	}
	switch e.Kind {
	case format.ErrNotBulla:
		p = problem{What: name + " is not a bulla file: " + e.Reason, Exit: exitUnsupported, Hint: "bulla opens what bulla encrypt has made"}
		switch {
		case strings.Contains(e.Reason, "age file"):
			p.Hint = "age -d opens it"
		case strings.Contains(e.Reason, "as if it were text"), strings.Contains(e.Reason, "UTF-16"):
			p.Hint = "transfer it again as binary; in PowerShell name the output with -o, not with >"
		}
	case format.ErrTruncated:
		p.What = name + " is truncated: " + e.Reason
	case format.ErrDamaged:
		p.What = name + " is " + e.Error()
		switch {
		case e.Clause != format.HEAD5:
			p.Hint = orSalvage(hintCopy, name)
		case name == stdinName:
			p.Hint = "if it came through a pipe, open it as a file: the copy of the head at its end may serve"
		default: // and so is the one at its end
			p.Hint = "a head that bulla head export has kept opens it: --head FILE; or " + hintCopy
		}
	case format.ErrUnsupported:
		p.Exit, p.Hint = exitUnsupported, hintNewer
	}
	return p
}

// A keysError is a container that none of the keys opens.
type keysError struct {
	*stream.NoKeyError
	keys *identities
}

func (e *keysError) Unwrap() error { return e.NoKeyError }

func explainNoKey(name string, e *keysError) problem {
	causes := errors.Join(e.Causes...)
	if f, ok := errors.AsType[*failure](causes); ok { // such as that nobody could be asked
		return problem{What: f.what, Hint: f.hint, Exit: f.exit}
	}
	if errors.Is(causes, keyslot.ErrEmptyPassphrase) {
		return emptyPassphrase
	}
	asked := slices.Contains(e.Tried, format.SlotPassphrase)
	p := problem{Exit: exitNoKey}
	census := " (its slots: " + slotCensus(e.Slots) + ")"
	switch n := e.keys.named; {
	case n == 0 && asked:
		p.What = "wrong passphrase for " + name
	case n == 0:
		p.What = "no key to open " + name + " with" + census
	case asked:
		p.What = "neither the passphrase nor a key of " + plural(n, "identity") + " opens " + name + census
	case n == 1:
		p.What = "the key does not open " + name + census
	default:
		p.What = fmt.Sprintf("none of %d keys opens %s%s", n, name, census)
	}
	for _, c := range e.Causes {
		p.What += "; " + firstLine(c.Error())
	}
	p.Hint = hintNoKey(e, causes, asked)
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

var emptyPassphrase = problem{What: "the passphrase is empty", Exit: exitNoKey, Hint: "check where it comes from"}

// explainKeys explains what is wrong with keys before any file is opened.
func explainKeys(err error) (p problem, ok bool) {
	if e, ok := errors.AsType[*entropy.RequireError](err); ok {
		return problem{What: e.Error(), Exit: exitEntropy,
			Hint: orElse(e.Hint, "leave out --require "+e.Source+", or run this where it is to be had")}, true
	}
	if e, ok := errors.AsType[*entropy.UnknownSourceError](err); ok {
		return problem{What: fmt.Sprintf("no entropy source is called %q", e.Name), Exit: exitUsage,
			Hint: orElse(didYouMean(e.Name, entropy.Names()), "there are: "+strings.Join(entropy.Names(), ", "))}, true
	}
	if errors.Is(err, keyslot.ErrSecretKey) {
		return problem{What: err.Error(), Exit: exitUsage, // err says where, and to treat it as exposed
			Hint: "bulla keygen makes a new key; keygen -y FILE shows the recipient of one"}, true
	}
	if errors.Is(err, keyslot.ErrEmptyPassphrase) {
		return emptyPassphrase, true
	}
	if errors.Is(err, keyslot.ErrUnknownKey) || errors.Is(err, keyslot.ErrNoKeys) {
		return problem{What: err.Error(), Exit: exitUsage, Hint: "bulla help keys shows what keys look like"}, true
	}
	if m, ok := errors.AsType[*agekey.PluginMissingError](err); ok {
		return problem{What: m.Error(), Exit: exitUnsupported, Hint: "install it, and see that it is on the PATH"}, true
	}
	if e, ok := errors.AsType[*agekey.SizeError](err); ok {
		return problem{What: e.Error(), Exit: exitUnsupported, Hint: "use a smaller key, or one of another kind"}, true
	}
	if _, ok := errors.AsType[*keyslot.LineError](err); ok {
		return problem{What: err.Error(), Exit: exitUsage, Hint: "bulla help keys shows what keys look like"}, true
	}
	return p, false
}

// explainIO explains the errors of the operating system, and those that nobody
// foresaw.
func explainIO(err error) problem {
	p := problem{What: err.Error(), Exit: exitIO}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		p.What = fmt.Sprintf("cannot %s %s: %v", pe.Op, plainName(pe.Path), pe.Err)
	} else if le, ok := errors.AsType[*os.LinkError](err); ok {
		p.What = fmt.Sprintf("cannot give %s its name: %v", plainName(le.New), le.Err)
	} else if fe, ok := errors.AsType[*fileError](err); ok {
		p.What = fe.Error()
	}
	switch {
	case isNoSpace(err):
		p.Hint = "make room, or name another place with -o; nothing was left behind"
	case errors.Is(err, fs.ErrNotExist):
		p.Hint = "check the name, and that its directory exists"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		p.Hint = "check who may read and write there, or name another place with -o"
	case errors.Is(err, syscall.ENOTDIR):
		p.Hint = "a part of the path is a file, not a directory"
	case errors.Is(err, syscall.EISDIR):
		p.Hint = "name a file, not a directory"
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.Hint = "the source became shorter while it was read"
	case isSystem(err):
		p.Hint = "the source or the destination failed; no output was left under its final name"
	default:
		p.Hint = hintReport
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
	return printable(dir + base)
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
