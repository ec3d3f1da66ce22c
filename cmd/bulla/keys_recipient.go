package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/keyfile"
	"bulla/stream"
)

// RecipientFlags say who may open what is written.
type recipientFlags struct {
	app            *app
	recipients     []string
	files          []string
	keks           []string
	passphrase     passphraseFlags
	allowClassical bool
	allEpochs      bool // a calendar stands for all of its keys, not for today's
}

func (k *recipientFlags) register(a *app, cmd *cobra.Command, use keyUse) {
	k.registerPublic(a, cmd, use)
	use.registerFiles(cmd, kekFlag, &k.keks)
	use.registerPassphrase(cmd, &k.passphrase)
	cmd.Flags().BoolVar(&k.allowClassical, "allow-classical", false, "allow classical recipients beside post-quantum ones")
}

// registerPublic registers the flags that name public keys.
func (k *recipientFlags) registerPublic(a *app, cmd *cobra.Command, use keyUse) {
	k.app, k.passphrase.app = a, a
	use.registerFiles(cmd, recipientFlag, &k.recipients)
	use.registerFiles(cmd, recipientsFileFlag, &k.files)
}

// check refuses what is wrong with the flags, and finds the recipients that
// take no asking.
func (k *recipientFlags) check() ([]keyslot.Recipient, error) {
	if err := k.passphrase.check(); err != nil {
		return nil, err
	}
	files, byDefault := k.files, false
	if len(k.recipients)+len(files)+len(k.keks) == 0 && !k.passphrase.given() {
		path, err := configFile(recipientsFile)
		if err != nil {
			return nil, err
		}
		if path == "" {
			return nil, usage("use -r RECIPIENT, -R FILE or -p; or make a key once with: bulla keygen --default", "no recipients: nobody could open the result")
		}
		files, byDefault = []string{path}, true
		k.app.warnWritable(filepath.Dir(path), true)
	}
	public, err := k.public(files)
	if err != nil {
		return nil, err
	}
	var to []keyslot.Recipient
	for _, r := range public {
		to = append(to, r.Recipient)
	}
	for _, name := range files {
		k.app.warnWritable(name, byDefault)
	}
	for _, name := range k.keks {
		kek, err := k.app.readKEK(name)
		if err != nil {
			return nil, err
		}
		to = append(to, kek)
	}
	to = withoutRepeats(to)
	k.tellEpochs(to)
	return to, nil
}

// A namedRecipient is one with the place where it was named.
type namedRecipient struct {
	keyslot.Recipient
	from string
}

// public reads the recipients that -r names, and those in files.
func (k *recipientFlags) public(files []string) (all []namedRecipient, err error) {
	for i, s := range k.recipients {
		r, err := keyfile.ParseRecipient(s, &keyfile.Options{UI: k.app.person})
		if err != nil {
			return nil, k.explainRecipient(i, s, err)
		}
		all = append(all, namedRecipient{r, "-r"})
	}
	for _, name := range files {
		to, err := k.app.readRecipients(name, k.allEpochs)
		if err != nil {
			return nil, err
		}
		for _, r := range to {
			all = append(all, namedRecipient{r, storage.Shown(name)})
		}
	}
	return all, nil
}

// explainRecipient says what is wrong with the i-th -r. What was given there is
// not repeated: it may be a secret.
func (k *recipientFlags) explainRecipient(i int, s string, err error) error {
	f := &failure{exit: exitUsage, err: err, what: "-r: " + err.Error(), hint: orElse(hintOf(err), "bulla help keys shows what recipients look like")}
	if len(k.recipients) > 1 {
		f.what = fmt.Sprintf("-r (number %d): %v", i+1, err)
	}
	switch {
	case errors.Is(err, keyslot.ErrSecretKey):
		f.hint = hintKeyShown
	case errors.Is(err, keyslot.ErrUnknownKey) && exists(s):
		f.hint = "there is a file of that name: -R reads recipients from a file"
	}
	return f
}

// planned are the recipients, with one that stands for a passphrase that has not
// been asked for.
func (k *recipientFlags) planned(to []keyslot.Recipient) []stream.Recipient {
	if k.passphrase.given() {
		return append(slices.Clone(to), keyslot.AnyPassphrase{})
	}
	return to
}

// explainPlan words what is wrong with recipients before they are asked.
func explainPlan(err error) error {
	if errors.As(err, new(*entropy.RequireError)) {
		return refuse("use recipients that begin with age1pq1, a passphrase or --kek", "--require cannot be kept for age recipients: age takes its randomness from the operating system alone")
	}
	return err
}

// withPassphrase adds the recipient that is a passphrase, if one is wanted.
func (k *recipientFlags) withPassphrase(ctx context.Context, to []keyslot.Recipient, m *entropy.Mixer) ([]stream.Recipient, error) {
	if k.passphrase.given() {
		p, err := k.passphrase.create(ctx, m)
		defer clear(p)
		if err != nil {
			return nil, err
		}
		r, err := keyslot.NewPassphraseRecipient(p, k.app.passphraseCost)
		if err != nil {
			return nil, err
		}
		to = append(to, r)
	}
	return to, nil
}

func withoutRepeats(all []keyslot.Recipient) []keyslot.Recipient {
	var kept []keyslot.Recipient
	for _, r := range all {
		same := func(o keyslot.Recipient) bool { return o.Type() == r.Type() && o.Canonical() == r.Canonical() }
		if !slices.ContainsFunc(kept, same) {
			kept = append(kept, r)
		}
	}
	return kept
}

func (a *app) readRecipients(name string, allEpochs bool) ([]keyslot.Recipient, error) {
	f, err := a.openKeys(name, "the recipients")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	to, err := keyfile.ParseRecipients(f, &keyfile.Options{UI: a.person, Now: a.now(), AllEpochs: allEpochs, PassedOver: func(e *agekey.SSHKindError) {
		a.warn(printable(name)+": passed over a key of type "+e.Kind+": "+e.Error(), e.Hint())
	}})
	return to, keyFileError(name, err)
}
