package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/keyslot"
)

const (
	envPassphrase  = "BULLA_PASSPHRASE"
	envCredentials = "CREDENTIALS_DIRECTORY" // systemd's
	credentialName = "bulla.passphrase"      // that is looked for there

	maxPassphrase = 64 << 10

	askPassphrase = "Passphrase"
)

// PassphraseFlags say where a passphrase comes from. Never from the command
// line itself, which every process on the machine can read.
type passphraseFlags struct {
	app *app

	ask        bool // -p
	fd         int
	file       string
	command    string
	credential string

	prompt string // what a person is asked for; "" for a passphrase
	named  bool   // the environment's is for something else
}

func (p *passphraseFlags) register(a *app, cmd *cobra.Command, ask string) {
	p.app = a
	f := cmd.Flags()
	f.BoolVarP(&p.ask, "passphrase", "p", false, ask)
	f.IntVar(&p.fd, "passphrase-fd", -1, "read the passphrase from file descriptor `N`")
	f.Lookup("passphrase-fd").DefValue = "0" // none: what help then leaves out
	f.StringVar(&p.file, "passphrase-file", "", "read the passphrase from `FILE`")
	f.StringVar(&p.command, "passphrase-command", "", "run `COMMAND` in a shell and take what it prints for the passphrase")
	f.StringVar(&p.credential, "passphrase-credential", "", "read the passphrase from the systemd credential `NAME`")
}

// given reports whether the user asked for a passphrase: with -p, or by saying
// where it comes from. The environment alone does not: it may be meant for
// other files.
func (p *passphraseFlags) given() bool { return p.ask || p.sources() > 0 }

func (p *passphraseFlags) sources() int {
	n := 0
	for _, set := range []bool{p.fd >= 0, p.file != "", p.command != "", p.credential != ""} {
		if set {
			n++
		}
	}
	return n
}

// check refuses flags that contradict each other, before anything is done.
func (p *passphraseFlags) check() error {
	if p.sources() > 1 {
		return usage("leave all but one out", "more than one source for the passphrase")
	}
	if p.fd == 0 {
		return p.app.claimStdin("the passphrase")
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
	return p.app.person.secret(ctx, orElse(p.prompt, askPassphrase)+": ")
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
	again, err := who.secret(ctx, ask+" once more: ")
	defer clear(again)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		clear(first)
		return nil, refuse("nothing was written; try again", "the two passphrases differ")
	}
	return first, nil
}

// silent gets the passphrase from where it comes without asking anybody: nil if
// a person must be asked.
func (p *passphraseFlags) silent(ctx context.Context) ([]byte, error) {
	switch {
	case p.fd >= 0:
		f := os.NewFile(uintptr(p.fd), fmt.Sprintf("file descriptor %d", p.fd))
		if f == nil {
			return nil, noPassphrase("--passphrase-fd names a descriptor that the caller has opened", "no file descriptor %d", p.fd)
		}
		defer f.Close()
		return readPassphrase(f)
	case p.file != "":
		return p.app.passphraseFile(p.file)
	case p.command != "":
		return commandPassphrase(ctx, p.command, p.app.err)
	case p.credential != "":
		path := credentialPath(p.credential)
		if path == "" {
			return nil, noPassphrase("systemd sets it for a service with LoadCredential=", "no credentials: $%s is not set", envCredentials)
		}
		return p.app.passphraseFile(path)
	case p.named:
		return nil, nil
	}
	if path := credentialPath(credentialName); path != "" && exists(path) {
		return p.app.passphraseFile(path)
	}
	if s := p.app.envPassphrase; s != "" {
		return []byte(s), nil
	}
	return nil, nil
}

func noPassphrase(hint, format string, args ...any) error {
	return &failure{exit: exitNoKey, what: fmt.Sprintf(format, args...), hint: hint}
}

// passphraseFile reads the passphrase in a file.
func (a *app) passphraseFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, noPassphrase("check --passphrase-file, and who may read it", "cannot read the passphrase: %v", causeOf(err))
	}
	defer f.Close()
	a.warnReadable(f, "passphrase file")
	return readPassphrase(f)
}

// readPassphrase reads a passphrase to the end of r. One line end behind it is
// not part of it. It is not empty: an empty source is more likely a mistake than
// a wish.
func readPassphrase(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPassphrase+1))
	if err != nil {
		return nil, noPassphrase("check where the passphrase comes from", "cannot read the passphrase: %v", causeOf(err))
	}
	if len(b) > maxPassphrase {
		clear(b)
		return nil, noPassphrase("check that it is the file you mean", "no passphrase has more than %d bytes", maxPassphrase)
	}
	if b = stripLineEnd(b); len(b) == 0 {
		return nil, keyslot.ErrEmptyPassphrase
	}
	return b, nil
}

func stripLineEnd(b []byte) []byte {
	if t, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		return bytes.TrimSuffix(t, []byte("\r"))
	}
	return b
}

// commandPassphrase is what a command prints. Its standard input is empty, so
// that it does not eat the data; it may use the terminal.
func commandPassphrase(ctx context.Context, command string, stderr io.Writer) ([]byte, error) {
	cmd := shell(ctx, command)
	cmd.Stderr = stderr
	var out bytes.Buffer
	cmd.Stdout = &out
	defer func() { clear(out.Bytes()) }()
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, noPassphrase("run the command by itself and see what it says", "the passphrase command failed (%v)", exit)
		}
		return nil, noPassphrase("check --passphrase-command", "cannot run the passphrase command: %v", err)
	}
	b, err := readPassphrase(&out)
	return bytes.Clone(b), err
}

// credentialPath is where systemd puts a credential of that name; "" if it does
// not, or the name is none.
func credentialPath(name string) string {
	dir := os.Getenv(envCredentials)
	if dir == "" || name == "" || strings.ContainsAny(name, `/\`) {
		return ""
	}
	return filepath.Join(dir, name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// causeOf is err without what an *fs.PathError says besides the path and the
// cause.
func causeOf(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", plainName(pe.Path), pe.Err)
	}
	return err
}
