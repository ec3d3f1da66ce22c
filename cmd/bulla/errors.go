package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/interrupt"
	"bulla/internal/producer"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/set"
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
	exitDiffers     = 10
	exitChanged     = 11
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
	if pe, ok := errors.AsType[*set.PartError](err); ok {
		name += pe.Suffix
	} else if te, ok := errors.AsType[*stream.TargetError](err); ok && te.Role == format.RoleVolume {
		name += set.VolumeSuffix(int(te.Number))
	}
	if s, ok := errors.AsType[*interrupt.Error](err); ok {
		return &failure{exit: exitSignal + int(s.Signal), what: s.Error(), silent: true}
	}
	if f := explainedBefore(err); f != nil {
		return f
	}
	if f := explainJob(err); f != nil {
		return f
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return explainStorage(e)
	}
	if e, ok := errors.AsType[*producer.Error](err); ok {
		return &failure{exit: exitSource, what: e.Text, hint: e.Advice}
	}
	if isClosedPipe(err) {
		return &failure{exit: exitClosedPipe, what: "the reader of the output went away", silent: true}
	}
	return cmp.Or(explainContainer(name, err), explainPlain(err), explainKeys(err), explainIO(err))
}

// explainedBefore is the failure that err holds; nil if there is none.
func explainedBefore(err error) *failure {
	if e, ok := errors.AsType[*console.UnansweredError](err); ok { // by a key, which only a person can answer
		err = unanswered(e, e.For, "no answer was given for "+e.For, "run it at a terminal, or use a key that asks nothing")
	}
	if f, ok := errors.AsType[*failure](err); ok {
		same := *f
		return &same
	}
	return nil
}

// explainIO explains the errors of the operating system, and those that nobody
// foresaw.
func explainIO(err error) *failure {
	f := &failure{what: err.Error(), exit: exitIO}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		f.what = fmt.Sprintf("cannot %s %s: %v", pe.Op, plainName(pe.Path), pe.Err)
	} else if le, ok := errors.AsType[*os.LinkError](err); ok {
		f.what = fmt.Sprintf("cannot give %s its name: %v", plainName(le.New), le.Err)
	} else if fe, ok := errors.AsType[*fileError](err); ok {
		f.what = fe.Error()
	}
	for _, h := range systemHints {
		if errors.Is(err, h.err) {
			f.hint = h.hint
			break
		}
	}
	switch {
	case storage.NoSpace(err):
		f.hint = "make room" + elsewhere
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(f.what, " http://"):
		f.hint = "bulla reads from web servers by https://; to a path of this name, write ./ before it"
	case errors.Is(err, syscall.EINVAL) && strings.HasPrefix(f.what, "cannot sync "):
		f.hint = "this file system cannot wait for the disk; --no-sync leaves that out where it is a flag" + elsewhere
	case f.hint != "":
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)):
		f.hint = "the source or the destination failed"
	default:
		f.hint = hintReport
	}
	return f
}

// elsewhere is what a hint adds about outputs. app.hinted leaves it out where the verb has no -o.
const elsewhere = ", or name another place with -o"

// systemHints are for errors of the operating system; the first that fits counts.
var systemHints = []struct {
	err  error
	hint string
}{
	{storage.ErrNotInherited, "a redirection passes it on, such as 3< FILE or 3> FILE"},
	{fs.ErrNotExist, "check the name, and that its directory exists"},
	{fs.ErrPermission, "check who may read and write there" + elsewhere},
	{syscall.EROFS, "check who may read and write there" + elsewhere},
	{syscall.ENOTDIR, "a part of the path is a file, not a directory"},
	{syscall.EISDIR, "name a file, not a directory"},
	{syscall.ELOOP, "a symbolic link in the path leads back to itself"},
	{syscall.ENAMETOOLONG, "choose a shorter name; outputs are named with -o"},
	{syscall.EXDEV, "its directory spans file systems, as overlays and bind mounts may; name another place with -o"},
	{io.ErrUnexpectedEOF, "the source became shorter while it was read"},
}

// isClosedPipe reports whether err is an output that nobody reads any more. Pipes
// that the program itself has made, to other programs, have names with a bar.
func isClosedPipe(err error) bool {
	pe, ok := errors.AsType[*fs.PathError](err)
	return ok && pe.Op == "write" && !strings.HasPrefix(pe.Path, "|") && storage.BrokenPipe(pe.Err)
}

// causeOf is err without what an *fs.PathError says besides the path and the
// cause.
func causeOf(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", plainName(pe.Path), pe.Err)
	}
	return err
}

// plainName is how a path is shown to people: without what an unfinished output
// is called, and without characters that could take the terminal over. A secret key
// in the place of a path is not shown.
func plainName(path string) string {
	if isSecretKey(path) {
		return "a secret key"
	}
	return safetext.Printable(streamName(storage.FinalPath(path)))
}

// printable is a name as the user gave it, without the secrets of a URL and without
// characters that could take the terminal over.
func printable(name string) string { return safetext.Printable(storage.Shown(name)) }

// streamName is the path of a file, and of standard input and output what they
// are called here.
func streamName(path string) string {
	switch path {
	case "-", "/dev/stdin":
		return stdinName
	case "/dev/stdout":
		return stdoutName
	}
	return path
}
