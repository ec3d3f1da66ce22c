package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/keyslot/epoch"
)

// The files that keygen --default makes, and that are used where a command line
// names no key.
const (
	envConfigDir   = "BULLA_CONFIG_DIR"
	identityFile   = "identity.txt"
	recipientsFile = "recipients.txt"
)

// configDir is the user's configuration directory for this program.
func configDir() (string, error) {
	if dir := os.Getenv(envConfigDir); dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err == nil && !filepath.IsAbs(dir) {
		err = errors.New("path in $HOME is relative")
	}
	if err != nil {
		return "", usage("set $"+envConfigDir+", or name the keys", "cannot tell where the configuration directory is: %v", err)
	}
	return filepath.Join(dir, "bulla"), nil
}

// configFile is the path of a file in the configuration directory; "" if there is
// none. It is absent only if it does not exist: one that cannot be looked at, or a
// link that leads nowhere, is a key that is missing, not a choice to have none.
func configFile(name string) (string, error) {
	dir, err := configDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", &failure{exit: exitIO, err: err, what: "cannot look for a key in the configuration directory: " + causeOf(err).Error(),
			hint: "check who may read the directory, set $" + envConfigDir + " to another, or name the keys"}
	}
	return path, nil
}

// keyFileError says which file of keys err is about.
func keyFileError(name string, err error) error {
	var pe *fs.PathError
	if err == nil || hintOf(err) == "" && errors.As(err, &pe) {
		return err
	}
	f := &failure{exit: exitUsage, err: err, what: printable(name) + ": " + err.Error(), hint: orElse(hintOf(err), "bulla help keys shows what key files look like")}
	if errors.As(err, new(*epoch.ClockError)) {
		f.exit, f.hint = exitRefused, "check the clock; bulla epoch extend makes a calendar that goes further"
	}
	if errors.Is(err, epoch.ErrMalformed) {
		f.hint = "get another copy of the file"
	}
	if errors.Is(err, keyslot.ErrSecretKey) {
		f.hint = "a recipients file holds public keys, which keygen -y FILE shows; the secret ones belong where only you can read"
	}
	return f
}

// openKeys claims a file of keys, as what says, and opens it. A key that is given in
// place of a file's name is told as such, and not repeated: it may be a secret.
func (a *app) openKeys(name, what string) (*storage.Blob, error) {
	f, err := a.openFor(name, what)
	_, kek := keyslot.ParseKEK([]byte(name))
	switch {
	case err == nil:
	case isSecretKey(name), kek == nil && len(name) > keyslot.KEKSize:
		err = usage(hintKeyShown, "a secret key is given where the name of a file is expected")
	case strings.HasPrefix(name, "age1"):
		err = usage("-r takes a recipient; -i, -R and --kek take names of files", "a recipient is given where the name of a file is expected")
	}
	return f, err
}

const hintKeyShown = "it is in your shell's history now, and every program could see it; bulla keygen makes a new one"

// isSecretKey reports whether a word of the command line looks like a secret key.
func isSecretKey(word string) bool {
	word = strings.ToUpper(word)
	return strings.Contains(word, "AGE-SECRET-KEY-") || strings.Contains(word, "AGE-PLUGIN-")
}

func (a *app) readKEK(name string) (*keyslot.KEK, error) {
	f, err := a.openKeys(name, "the symmetric key")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(keyslot.MaxKEKFile)+1))
	defer clear(b)
	if err != nil {
		return nil, err
	}
	kek, err := keyslot.ParseKEK(b)
	if err != nil {
		return nil, &failure{exit: exitUsage, err: err, what: printable(name) + ": " + err.Error(), hint: "bulla keygen --kek makes one"}
	}
	a.warnExposed(f, name, "key file")
	return kek, nil
}

// warnExposed warns if a file with a secret is not for its owner alone, as ssh
// wants it.
func (a *app) warnExposed(f *storage.Blob, name, what string) {
	if st := f.Info(); st != nil && st.Mode().IsRegular() && storage.ExposedTo(st) != "" {
		a.warn(fmt.Sprintf("the %s %s is readable by %s (mode %04o)", what, safetext.Printable(name), storage.ExposedTo(st), st.Mode().Perm()),
			"chmod 600 "+safetext.Shell(name))
	}
}

// warnWritable warns if a file of recipients, or a directory with one, can be
// changed by others, or by its group where that counts: they could have everything
// encrypted to themselves.
func (a *app) warnWritable(path string, group bool) {
	st, err := os.Stat(path)
	if err != nil || storage.ChangeableBy(st, group) == "" {
		return
	}
	a.warn(fmt.Sprintf("%s can be changed by %s (mode %04o), who could add recipients of their own", safetext.Printable(path), storage.ChangeableBy(st, group), st.Mode().Perm()),
		"chmod go-w "+safetext.Shell(path))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
