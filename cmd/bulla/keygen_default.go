package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bulla/entropy"
	"bulla/internal/safetext"
	"bulla/internal/storage"
)

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
