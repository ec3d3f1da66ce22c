package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/keyfile"
	"bulla/keyslot/tpmkey"
	"bulla/slot"
)

type keygenFlags struct {
	entropyFlags
	tpmFlags
	passphrase passphraseFlags
	output     string
	isDefault  bool
	recipient  bool
	kek        bool
}

func keygenCommand(a *app) *cobra.Command {
	k := &keygenFlags{}
	cmd := newVerb("keygen [-o FILE | --default] [-p | --kek | --tpm] | -y [FILE]", "Generate a key, or show its public half", atMostOne,
		func(cmd *cobra.Command, args []string) error { return a.keygen(cmd, k, args) })
	cmd.ValidArgsFunction = completeFiles
	f := cmd.Flags()
	f.StringVarP(&k.output, "output", "o", "", "write the key to `FILE`, readable by its owner only (default: standard output)")
	f.BoolVar(&k.isDefault, "default", false, "make it the default key")
	f.BoolVarP(&k.recipient, "recipient", "y", false, "show the recipients of the identities in FILE, and generate nothing")
	f.BoolVar(&k.kek, "kek", false, "generate a symmetric key")
	k.passphrase = passphraseFlags{app: a, prompt: "Passphrase of the key", named: true}
	toProtect.registerPassphrase(cmd, &k.passphrase)
	k.tpmFlags.register(a, cmd)
	k.entropyFlags.register(cmd)
	return cmd
}

func (a *app) keygen(cmd *cobra.Command, k *keygenFlags, args []string) error {
	switch {
	case k.recipient && (k.isDefault || k.kek || k.tpm || k.output != "" || k.passphrase.given()):
		return usage("bulla keygen -y FILE, and > to put what it prints into a file", "-y makes no key and goes with no other flag")
	case k.recipient:
		return a.showRecipients(cmd.Context(), first(args))
	case len(args) > 0:
		return usage("-o FILE says where to write the key; -y FILE shows a recipient", "keygen reads no file without -y")
	case k.isDefault && (k.kek || k.output != ""):
		return usage("leave out --kek and -o", "--default makes an identity in the configuration directory")
	case (k.kek || k.tpm) && k.passphrase.given():
		return usage("leave out one of them", "a passphrase protects neither a symmetric key nor a TPM key, which has a PIN")
	}
	if err := k.tpmFlags.check(cmd); err != nil {
		return err
	}
	if err := k.passphrase.check(); err != nil {
		return err
	}
	m, err := k.mixer(a, cmd)
	if err != nil {
		return err
	}
	switch {
	case k.isDefault:
		return a.keygenDefault(cmd.Context(), k, m)
	case k.kek:
		return a.keygenKEK(m, k.output)
	}
	// What is in the way is found before anybody is asked for a PIN.
	if _, err := a.planOutput(keyPlan(k.output)); err != nil {
		return withoutForce(err)
	}
	id, err := k.newIdentity(cmd.Context(), m)
	if err != nil {
		return err
	}
	if err := a.writeKey(k.output, id.file); err != nil {
		return err
	}
	switch {
	case a.json && k.output != "":
		a.printJSON(made{Identity: safetext.Name(k.output), Recipient: id.recipient.Canonical()})
	case !a.json && !a.quiet && (k.output != "" || !isTerminal(a.out)):
		a.con.Line("public key: " + id.recipient.Canonical())
	}
	if k.tpm {
		a.urgeSecond()
	}
	return a.outErr
}

// A newIdentity is an identity that was just made: its file, and its public half.
type newIdentity struct {
	file      []byte
	recipient keyslot.Recipient
}

func (k *keygenFlags) newIdentity(ctx context.Context, m *entropy.Mixer) (*newIdentity, error) {
	if k.tpm {
		return k.tpmFlags.make(ctx, m)
	}
	id, err := keyslot.GenerateIdentity(m)
	if err != nil {
		return nil, err
	}
	file, err := keyfile.Encode(id, time.Now())
	if err == nil && k.passphrase.given() {
		file, err = k.protect(ctx, m, file)
	}
	return &newIdentity{file, id.Recipient()}, err
}

// protect puts the file of an identity, which it clears, under a passphrase.
func (k *keygenFlags) protect(ctx context.Context, m *entropy.Mixer, file []byte) ([]byte, error) {
	defer clear(file)
	passphrase, err := k.passphrase.create(ctx, m)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	return agekey.EncryptFile(file, passphrase)
}

// made is what keygen --json says.
type made struct {
	Identity   safetext.Name `json:"identity_file,omitempty"`
	Recipients safetext.Name `json:"recipients_file,omitempty"`
	KEK        safetext.Name `json:"kek_file,omitempty"`
	Recipient  string        `json:"recipient,omitempty"`
}

// keyPlan is a file that only its owner may read.
func keyPlan(name string) outputPlan {
	return outputPlan{outputFlags: outputFlags{name: name}, mode: 0o600}
}

// writeKey writes a file that only its owner may read, or standard output if it
// has no name.
func (a *app) writeKey(name string, key []byte) error {
	defer clear(key)
	out, err := a.planOutput(keyPlan(name))
	if err != nil {
		return withoutForce(err)
	}
	return withoutForce(a.produce(out, nil, func(w io.Writer) error {
		if st, err := out.Stat(); err == nil && st.Mode().IsRegular() && storage.ExposedTo(st) != "" {
			a.warn(fmt.Sprintf("the secret key goes to a file that is readable by %s (mode %04o)", storage.ExposedTo(st), st.Mode().Perm()),
				"chmod 600 it; -o FILE makes one that only you can read")
		}
		_, err := w.Write(key)
		return err
	}))
}

// withoutForce words the refusal to overwrite for a verb that cannot be forced.
func withoutForce(err error) error {
	if err != nil && explain(err).exit == exitRefused {
		return withHint(err, "a key is never overwritten; name another file, or move this one away yourself")
	}
	return err
}

func (a *app) keygenKEK(m *entropy.Mixer, name string) error {
	kek, err := keyslot.GenerateKEK(m)
	if err != nil {
		return err
	}
	if err := a.writeKey(name, kek.Encode()); err != nil {
		return err
	}
	if a.json && name != "" {
		a.printJSON(made{KEK: safetext.Name(name)})
	}
	return a.outErr
}

func (a *app) showRecipients(ctx context.Context, name string) error {
	to, err := a.publicHalves(ctx, name)
	if err != nil {
		return err
	}
	for _, r := range to {
		if a.json {
			a.printJSON(made{Recipient: r})
		} else {
			a.printf("%s\n", r)
		}
	}
	return a.outErr
}

func (a *app) publicHalves(ctx context.Context, name string) (to []string, err error) {
	in, err := a.openInput(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	ids, err := a.parseIdentities(in.name, in.Stream(), &pinFlags{app: a})
	if err == nil {
		ids, err = agekey.Inside(ctx, ids)
	}
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		r := slot.RecipientOf(id)
		if r == nil || r.Type() != format.SlotHPKE {
			return nil, &failure{exit: exitUsage, what: fmt.Sprintf("%s: only the recipients of identities that begin with AGE-SECRET-KEY-PQ-1 can be shown", in.name),
				hint: "age-keygen -y shows those of age's other keys, ssh-keygen -y those of ssh keys"}
		}
		to = append(to, r.Canonical())
	}
	return to, nil
}

// TPMFlags say how keygen seals a key to the TPM.
type tpmFlags struct {
	pinFlags
	tpm   bool
	noPIN bool
	pcrs  []int
}

func (t *tpmFlags) register(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&t.tpm, "tpm", false, "seal the key to this machine's TPM, and ask for a PIN for it")
	f.IntSliceVar(&t.pcrs, "pcr", nil, "with --tpm, bind the key to the present values of the PCRs in `LIST`, such as 7")
	f.BoolVar(&t.noPIN, "no-pin", false, "with --tpm, open without a PIN")
	t.pinFlags.register(a, cmd)
}

func (t *tpmFlags) check(cmd *cobra.Command) error {
	for _, name := range []string{"pcr", "no-pin", "pin-file"} {
		if cmd.Flags().Changed(name) && !t.tpm {
			return usage("add --tpm", "--%s is about keys that are sealed to a TPM", name)
		}
	}
	switch {
	case t.tpm && cmd.Flags().Changed("kek"):
		return usage("leave out one of them", "a symmetric key cannot be sealed to a TPM")
	case t.noPIN && t.file != "":
		return usage("leave out one of them", "--no-pin and --pin-file contradict each other")
	}
	for _, n := range t.pcrs {
		if n < 0 || n > 23 {
			return usage("for example --pcr 7, which changes with the settings of Secure Boot", "there is no PCR %d, only 0 to 23", n)
		}
	}
	return nil
}

// make makes a key. That there is a TPM is seen to before anybody thinks of a
// PIN.
func (t *tpmFlags) make(ctx context.Context, m *entropy.Mixer) (*newIdentity, error) {
	pin, o, err := t.available(ctx)
	if err != nil {
		return nil, err
	}
	if !t.noPIN {
		o.PIN, err = t.pinFlags.create(ctx)
		defer clear(o.PIN)
		if err != nil {
			return nil, err
		}
	}
	k, err := tpmkey.Generate(ctx, m, o)
	if required, ok := errors.AsType[*entropy.RequireError](err); ok {
		return nil, required
	}
	if err != nil {
		return nil, sealFailure(pin, err)
	}
	file, err := keyfile.Encode(k, time.Now())
	return &newIdentity{file, k.Recipient()}, err
}

// available finds the TPM, and returns the path of the pin file, too.
func (t *tpmFlags) available(ctx context.Context) (pin string, o *tpmkey.Options, err error) {
	if pin, err = tpmPinPath(); err != nil {
		return "", nil, err
	}
	o = &tpmkey.Options{NoPIN: t.noPIN, PCRs: t.pcrs}
	if o.TPM, err = entropy.PinnedTPM(pin); err != nil {
		return "", nil, err
	}
	if err := tpmkey.Available(ctx, o); err != nil {
		return "", nil, sealFailure(pin, err)
	}
	return pin, o, nil
}

// sealFailure says why a TPM sealed no key. pin is the path of the pin file.
func sealFailure(pin string, err error) error {
	if errors.Is(err, tpmkey.ErrNotPinned) {
		f := tpmFailure(exitRefused, "no key was sealed", err)
		f.hint += "; if you know why, remove " + safetext.Printable(pin)
		return f
	}
	return tpmFailure(exitIO, "cannot seal a key", err)
}

// urgeSecond warns that a TPM is one device, and mortal.
func (a *app) urgeSecond() {
	a.warn("what is encrypted to this key alone is lost when the TPM is cleared or the machine breaks",
		"encrypt to a second key as well, kept elsewhere: bulla keygen -o FILE makes one, and -r or a line in recipients.txt uses it")
}

// The key that is used where none is named is two files, of which the public half
// is in use as soon as it is there: from then on every encrypt takes it, and what
// was encrypted is lost without the other. So the secret half comes first:
//
//	configuration directory  made, its name durable
//	identity.txt             whole, durable
//	recipients.txt           whole, durable
//
// If the second fails, nothing has used the first, and it is removed. A run that
// was killed between them leaves identity.txt alone; the next one makes its public
// half. Nothing removes a secret whose public half is there, or may be.

// keygenDefault puts a new key where the other verbs look for one.
func (a *app) keygenDefault(ctx context.Context, k *keygenFlags, m *entropy.Mixer) error {
	dir, err := configDir()
	if err != nil {
		return err
	}
	secret, err := configFile(identityFile)
	if err != nil {
		return err
	}
	public, err := configFile(recipientsFile)
	switch {
	case err != nil:
		return err
	case secret != "" && (public != "" || k.tpm || k.passphrase.given()):
		return errKeyExists(secret)
	case public != "":
		return errKeyExists(public)
	}
	public = filepath.Join(dir, recipientsFile)
	if secret != "" {
		return a.completePair(ctx, secret, public)
	}
	secret = filepath.Join(dir, identityFile)
	if err := storage.MakeDirs(dir, 0o700); err != nil {
		return err
	}
	id, err := k.newIdentity(ctx, m)
	if err != nil {
		return err
	}
	if err := a.writeKey(secret, id.file); err != nil {
		if isComplete(err) {
			return withdraw(secret, public, err)
		}
		return err
	}
	if err := a.writePublic(public, []string{id.recipient.Canonical()}); err != nil {
		return withdraw(secret, public, err)
	}
	a.tellPair(secret, public, id.recipient.Canonical())
	if k.tpm {
		a.urgeSecond()
		return a.outErr
	}
	a.warn("without the secret key nobody can open what is encrypted to it, you included",
		"keep a copy of it somewhere else than this machine and its backups")
	return a.outErr
}

func errKeyExists(path string) error {
	return refuse("a key is never overwritten; move it away yourself if you want another", "%s exists", safetext.Printable(path))
}

// completePair makes the public half of a secret key that is there alone.
func (a *app) completePair(ctx context.Context, secret, public string) error {
	to, err := a.publicHalves(ctx, secret)
	if err != nil {
		return err
	}
	if err := storage.Settle(secret); err != nil { // the run that wrote it may not have come to that
		return err
	}
	if err := a.writePublic(public, to); err != nil {
		return err
	}
	a.tellPair(secret, public, strings.Join(to, " "))
	return a.outErr
}

func (a *app) writePublic(path string, to []string) error {
	return a.writeKey(path, []byte("# Everything is encrypted to these when no recipient is named.\n"+strings.Join(to, "\n")+"\n"))
}

// withdraw removes a new secret key because of err, unless its public half is
// there, or may be.
func withdraw(secret, public string, err error) error {
	if _, there := os.Lstat(public); !errors.Is(there, fs.ErrNotExist) {
		return err
	}
	if os.Remove(secret) != nil {
		return withHint(err, "the secret key is in "+safetext.Printable(secret)+"; run it again, and it makes the public half")
	}
	return err
}

// tellPair says where the two halves are.
func (a *app) tellPair(secret, public, recipient string) {
	if a.json {
		a.printJSON(made{Identity: safetext.Name(secret), Recipients: safetext.Name(public), Recipient: recipient})
	} else if !a.quiet {
		a.con.Line("bulla: the secret key is in " + safetext.Printable(secret))
		a.con.Line("bulla: the public key is in " + safetext.Printable(public))
	}
}
