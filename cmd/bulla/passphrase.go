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
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/keyslot/tpmkey"
)

const (
	envPassphrase  = "BULLA_PASSPHRASE"
	envCredentials = "CREDENTIALS_DIRECTORY" // systemd's
	credentialName = "bulla.passphrase"      // that is looked for there

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
	return p.app.envPassphrase != "" || systemCredential() != ""
}

// open returns the passphrase for opening a file.
func (p *passphraseFlags) open(ctx context.Context) ([]byte, error) {
	if b, err := p.silent(ctx); b != nil || err != nil {
		return b, err
	}
	b, err := p.app.person.Secret(ctx, orElse(p.prompt, askPassphrase)+": ")
	return b, p.unanswered(err)
}

// create returns the passphrase for a new slot. Asked for, it is asked for
// twice; left empty, one is generated and shown.
func (p *passphraseFlags) create(ctx context.Context, m *entropy.Mixer) ([]byte, error) {
	if b, err := p.silent(ctx); b != nil || err != nil {
		return b, err
	}
	who, ask := p.app.person, orElse(p.prompt, askPassphrase)
	first, err := who.Secret(ctx, ask+" (leave it empty to have one made): ")
	if err != nil {
		return nil, p.unanswered(err)
	}
	if len(first) == 0 {
		made, err := keyslot.GeneratePassphrase(m)
		if err != nil {
			return nil, err
		}
		return made, who.Show(fmt.Sprintf("The passphrase is below. Write it down now: it is shown this once.\n\n    %s\n\n", made))
	}
	again, err := who.Secret(ctx, ask+" once more: ")
	return confirmed(first, again, p.unanswered(err), refuse("nothing was written; try again", "the two passphrases differ"))
}

// unanswered words why a person gave no passphrase.
func (p *passphraseFlags) unanswered(err error) error {
	hint := "say where it comes from with --passphrase-file, --passphrase-fd, --passphrase-command or $" + envPassphrase
	if p.prefix != "" || p.named { // the environment's would be for another
		hint = fmt.Sprintf("say where it comes from with --%[1]spassphrase-file, --%[1]spassphrase-fd or --%[1]spassphrase-command", p.prefix)
	}
	return unanswered(err, "the passphrase", "no passphrase was given", hint)
}

// unanswered words why a person gave no answer: there is none to ask for what, or
// none was given.
func unanswered(err error, what, none, hint string) error {
	switch {
	case errors.Is(err, console.ErrNoTerminal):
		return &failure{exit: exitNoKey, err: err, what: "cannot ask for " + what + ": there is no terminal", hint: hint}
	case errors.Is(err, console.ErrNoAnswer):
		return &failure{exit: exitNoKey, err: err, what: none, hint: "type it and press Enter"}
	}
	return err
}

// confirmed is a secret that was asked for twice; differ is the error if it was not
// the same.
func confirmed(first, again []byte, err, differ error) ([]byte, error) {
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
	switch credential := systemCredential(); {
	case len(p.sources) > 0:
		b, err = p.app.passphraseFrom(ctx, p.sources[0])
	case p.named:
		return nil, nil
	case credential != "":
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
	flag, path := "--"+s.name, s.value
	switch s.kind {
	case fromDescriptor:
		f, err := a.files.OpenDescriptor(s.descriptor())
		if err != nil {
			return nil, noSecret(fmt.Sprintf("%s %s needs a redirection, such as %[2]s< FILE", flag, s.value), "cannot read the passphrase: %v", causeOf(err))
		}
		defer f.Close()
		return readSecret(f, "passphrase")
	case fromCommand:
		return commandPassphrase(ctx, s.value, a.err)
	case fromCredential:
		path = credentialPath(s.value)
		switch {
		case path == "" && os.Getenv(envCredentials) == "":
			return nil, noSecret("systemd sets it for a service with LoadCredential=", "no credentials: $%s is not set", envCredentials)
		case path == "":
			return nil, noSecret("name a credential as LoadCredential= does; --"+strings.TrimSuffix(s.name, string(s.kind))+"file reads any file",
				"%s takes the name of a credential, not a path", flag)
		}
	}
	return a.secretFile(path, flag, "passphrase")
}

// noSecret is the error that a passphrase or a PIN cannot be had.
func noSecret(hint, format string, args ...any) error {
	return &failure{exit: exitNoKey, what: fmt.Sprintf(format, args...), hint: hint}
}

// secretFile reads a passphrase or a PIN, as what says, from a file that source
// names.
func (a *app) secretFile(name, source, what string) ([]byte, error) {
	f, err := a.files.Open(name)
	if err != nil {
		return nil, noSecret("check "+source+", and who may read it", "cannot read the %s: %v", what, causeOf(err))
	}
	defer f.Close()
	a.warnExposed(f, name, what+" file")
	return readSecret(f, what)
}

// readSecret reads a passphrase or a PIN to the end of r.
func readSecret(r io.Reader, what string) ([]byte, error) {
	b, err := keyslot.ReadSecret(r, what)
	if e, ok := errors.AsType[*keyslot.KeyError](err); ok {
		return nil, noSecret(e.Advice, "%v", e)
	} else if err != nil {
		return nil, noSecret("check where it comes from", "cannot read the %s: %v", what, causeOf(err))
	}
	return b, nil
}

// commandPassphrase is what a command prints. Its standard input is empty, so
// that it does not eat the data; it may use the terminal. A command that prints
// what is no passphrase is stopped.
func commandPassphrase(ctx context.Context, command string, stderr io.Writer) ([]byte, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := shell(ctx, command)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, noSecret("check --passphrase-command", "cannot run the passphrase command: %v", err)
	}
	b, err := readSecret(out, "passphrase")
	if err != nil {
		stop()
	}
	if failed := cmd.Wait(); err == nil && failed != nil {
		clear(b)
		return nil, noSecret("run the command by itself and see what it says", "the passphrase command failed (%v)", failed)
	}
	return b, err
}

// shell is a command that the system's shell carries out.
func shell(ctx context.Context, command string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", command)
	}
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
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

// systemCredential is where systemd has put a passphrase for this program; "" if it
// has not.
func systemCredential() string {
	if path := credentialPath(credentialName); path != "" && exists(path) {
		return path
	}
	return ""
}

// maxPINTries is how often a person is asked for a PIN. The TPM counts the wrong
// ones; after some it locks itself for everybody.
const maxPINTries = 3

// PINFlags say where the PIN of a TPM key comes from. Never from the command
// line itself, which every process on the machine can read.
type pinFlags struct {
	app  *app
	file string
}

func (p *pinFlags) register(a *app, cmd *cobra.Command) {
	p.app = a
	cmd.Flags().StringVar(&p.file, "pin-file", "", "read the PIN of a TPM key from `FILE` instead of asking for it")
}

func (p *pinFlags) check() error {
	if p.file == "" {
		return nil
	}
	return p.app.claim(p.file, "the PIN")
}

// open asks for the PIN of the key in a file. What a file says is tried once:
// it would say the same again, and each wrong PIN counts.
func (p *pinFlags) open(name string) tpmkey.PINFunc {
	asked := 0
	return func(ctx context.Context, wrong error) ([]byte, error) {
		switch {
		case wrong != nil && (p.file != "" || asked >= maxPINTries):
			return nil, wrong
		case p.file != "":
			return p.app.pinFile(p.file)
		}
		asked++
		prompt := "PIN of the TPM key " + safetext.Printable(name) + ": "
		if wrong != nil {
			prompt = wrong.Error() + "\n" + prompt
		}
		return p.app.askPIN(ctx, prompt)
	}
}

// create gets the PIN of a new key. Asked for, it is asked for twice.
func (p *pinFlags) create(ctx context.Context) ([]byte, error) {
	if p.file != "" {
		return p.app.pinFile(p.file)
	}
	first, err := p.app.askPIN(ctx, "PIN for the new TPM key: ")
	if err == nil {
		err = checkPIN("", first)
	}
	if err != nil {
		clear(first)
		return nil, err
	}
	again, err := p.app.askPIN(ctx, "PIN once more: ")
	return confirmed(first, again, err, refuse("no key was made; try again", "the two PINs differ"))
}

// checkPIN refuses what no TPM takes for a PIN, whoever it came from.
func checkPIN(from string, pin []byte) error {
	if err := tpmkey.CheckPIN(pin); err != nil {
		return noSecret(fmt.Sprintf("a PIN has 1 to %d bytes; --no-pin makes a key that opens without one", tpmkey.MaxPIN), "%s%v", from, err)
	}
	return nil
}

func (a *app) askPIN(ctx context.Context, prompt string) ([]byte, error) {
	pin, err := a.person.Secret(ctx, prompt)
	return pin, unanswered(err, "the PIN", "no PIN was given", "say where it comes from with --pin-file")
}

func (a *app) pinFile(name string) ([]byte, error) {
	pin, err := a.secretFile(name, "--pin-file", "PIN")
	if err == nil {
		err = checkPIN(safetext.Printable(name)+": ", pin)
	}
	if err != nil {
		clear(pin)
		return nil, err
	}
	return pin, nil
}
