package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"bulla/entropy"
	"bulla/keyslot"
)

const (
	envPassphrase  = "BULLA_PASSPHRASE"
	envCredentials = "CREDENTIALS_DIRECTORY" // systemd's
	credentialName = "bulla.passphrase"      // that is looked for there

	maxSecret = 64 << 10 // bytes of a passphrase

	askPassphrase = "Passphrase"
)

// PassphraseFlags say where a passphrase comes from. Never from the command
// line itself, which every process on the machine can read.
type passphraseFlags struct {
	app *app

	ask     bool          // -p
	sources []*sourceFlag // as given; more than one is refused

	prefix string // of the flags' names
	prompt string // what a person is asked for; "" for a passphrase
	named  bool   // the environment's is for something else
}

// given reports whether the user asked for a passphrase: with -p, or by saying
// where it comes from. The environment alone does not: it may be meant for
// other files.
func (p *passphraseFlags) given() bool { return p.ask || len(p.sources) > 0 }

// check refuses flags that contradict each other, before anything is done, and
// claims the descriptor that the passphrase is read from.
func (p *passphraseFlags) check() error {
	switch len(p.sources) {
	case 0:
		return nil
	case 1:
	default:
		return usage("leave all but one out", "more than one source for the passphrase")
	}
	const use = "the passphrase"
	switch s := p.sources[0]; s.kind {
	case fromDescriptor:
		return p.app.claimDescriptor(s.descriptor(), use)
	case fromFile:
		return p.app.claim(s.value, use)
	}
	return nil
}

// ambient reports whether the environment holds a passphrase.
func (p *passphraseFlags) ambient() bool {
	return p.app.envPassphrase != "" || credentialPath(credentialName) != "" && exists(credentialPath(credentialName))
}

// open returns the passphrase for opening a file.
func (p *passphraseFlags) open(ctx context.Context) ([]byte, error) {
	if b, err := p.silent(ctx); b != nil || err != nil {
		return b, err
	}
	b, err := p.app.person.secret(ctx, orElse(p.prompt, askPassphrase)+": ")
	if err == errNoTerminal && p.prefix != "" { // the flags that it names are for another passphrase
		err = withHint(err, "say where it comes from with --"+p.prefix+"passphrase-file, --"+p.prefix+"passphrase-fd or --"+p.prefix+"passphrase-command")
	}
	return b, err
}

// create returns the passphrase for a new slot. Asked for, it is asked for
// twice; left empty, one is generated and shown.
func (p *passphraseFlags) create(ctx context.Context, m *entropy.Mixer) ([]byte, error) {
	if b, err := p.silent(ctx); b != nil || err != nil {
		return b, err
	}
	who, ask := p.app.person, orElse(p.prompt, askPassphrase)
	first, err := who.secret(ctx, ask+" (leave it empty to have one made): ")
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		made, err := keyslot.GeneratePassphrase(m)
		if err != nil {
			return nil, err
		}
		return made, who.Show(fmt.Sprintf("The passphrase is below. Write it down now: it is shown this once.\n\n    %s\n\n", made))
	}
	return confirm(first, refuse("nothing was written; try again", "the two passphrases differ"), func() ([]byte, error) {
		return who.secret(ctx, ask+" once more: ")
	})
}

// confirm asks for a secret a second time; differ is the error if that is not the
// first.
func confirm(first []byte, differ error, ask func() ([]byte, error)) ([]byte, error) {
	again, err := ask()
	defer clear(again)
	if err == nil && !bytes.Equal(first, again) {
		err = differ
	}
	if err != nil {
		clear(first)
		return nil, err
	}
	return first, nil
}

// silent gets the passphrase without asking a person. The result is nil if only
// a person can tell. It is not empty: an empty source is more likely a mistake
// than intended.
func (p *passphraseFlags) silent(ctx context.Context) (b []byte, err error) {
	credential := credentialPath(credentialName)
	switch {
	case len(p.sources) > 0:
		b, err = p.app.passphraseFrom(ctx, p.sources[0])
	case p.named:
		return nil, nil
	case credential != "" && exists(credential):
		b, err = p.app.secretFile(credential, "the systemd credential "+credentialName, "passphrase")
	case p.app.envPassphrase != "":
		return []byte(p.app.envPassphrase), nil
	default:
		return nil, nil
	}
	if err == nil && len(b) == 0 {
		err = keyslot.ErrEmptyPassphrase
	}
	return b, err
}

// passphraseFrom gets the passphrase from where a flag says.
func (a *app) passphraseFrom(ctx context.Context, s *sourceFlag) ([]byte, error) {
	flag := "--" + s.name
	switch s.kind {
	case fromDescriptor:
		f, err := a.openDescriptor(s.descriptor())
		if err != nil {
			return nil, noPassphrase(fmt.Sprintf("%s %s needs a redirection, such as %[2]s< FILE", flag, s.value), "cannot read the passphrase: %v", causeOf(err))
		}
		defer f.Close()
		return readSecret(f, "passphrase")
	case fromFile:
		return a.secretFile(s.value, flag, "passphrase")
	case fromCommand:
		return commandPassphrase(ctx, s.value, a.err)
	}
	path := credentialPath(s.value)
	switch {
	case path == "" && os.Getenv(envCredentials) == "":
		return nil, noPassphrase("systemd sets it for a service with LoadCredential=", "no credentials: $%s is not set", envCredentials)
	case path == "":
		return nil, noPassphrase("name a credential as LoadCredential= does; --"+strings.TrimSuffix(s.name, string(s.kind))+"file reads any file",
			"%s takes the name of a credential, not a path", flag)
	}
	return a.secretFile(path, flag, "passphrase")
}

func noPassphrase(hint, format string, args ...any) error {
	return &failure{exit: exitNoKey, what: fmt.Sprintf(format, args...), hint: hint}
}

// secretFile reads a passphrase or a PIN, as what says, from a file that source
// names.
func (a *app) secretFile(name, source, what string) ([]byte, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, noPassphrase("check "+source+", and who may read it", "cannot read the %s: %v", what, causeOf(err))
	}
	defer f.Close()
	a.warnExposed(f, name, what+" file")
	return readSecret(f, what)
}

// readSecret reads a passphrase or a PIN to the end of r.
func readSecret(r io.Reader, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, noPassphrase("check where it comes from", "cannot read the %s: %v", what, causeOf(err))
	}
	return plainSecret(b, what)
}

// plainSecret is a secret without a byte order mark before it and one line end
// after it.
func plainSecret(b []byte, what string) ([]byte, error) {
	switch {
	case len(b) > maxSecret:
		clear(b)
		return nil, noPassphrase("check that the source is the one you mean", "a %s has at most %d bytes, and this one is longer", what, maxSecret)
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		clear(b)
		return nil, noPassphrase("a shell or an editor may have re-encoded it; save it as UTF-8", "the %s is in UTF-16", what)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if t, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		b = bytes.TrimSuffix(t, []byte("\r"))
	}
	return b, nil
}

// commandPassphrase is what a command prints. Its standard input is empty, so
// that it does not eat the data; it may use the terminal. A command that prints
// more than a passphrase is stopped.
func commandPassphrase(ctx context.Context, command string, stderr io.Writer) ([]byte, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := &bounded{buf: make([]byte, 0, maxSecret+1), full: stop}
	cmd := shell(ctx, command)
	cmd.Stdout, cmd.Stderr = out, stderr
	err := cmd.Run()
	switch exit, failed := errors.AsType[*exec.ExitError](err); {
	case len(out.buf) > maxSecret: // which is why it was stopped
	case failed:
		clear(out.buf)
		return nil, noPassphrase("run the command by itself and see what it says", "the passphrase command failed (%v)", exit)
	case err != nil:
		clear(out.buf)
		return nil, noPassphrase("check --passphrase-command", "cannot run the passphrase command: %v", err)
	}
	return plainSecret(out.buf, "passphrase")
}

// Bounded keeps what is written to it until its buffer is full. Then writing
// fails.
type bounded struct {
	buf  []byte
	full func() // is told
}

func (w *bounded) Write(p []byte) (int, error) {
	n := min(len(p), cap(w.buf)-len(w.buf))
	w.buf = append(w.buf, p[:n]...)
	if n < len(p) {
		w.full()
		return n, io.ErrShortWrite
	}
	return n, nil
}

// credentialPath is where systemd puts a credential of that name; "" if it does
// not, or the name is none.
func credentialPath(name string) string {
	dir := os.Getenv(envCredentials)
	if dir == "" || name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
		return ""
	}
	return filepath.Join(dir, name)
}
