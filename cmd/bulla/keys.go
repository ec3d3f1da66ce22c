package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"bulla/internal/safetext"
	"bulla/keyslot"
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
	if err != nil {
		return "", usage("set $"+envConfigDir, "cannot tell where the configuration directory is: %v", err)
	}
	return filepath.Join(dir, "bulla"), nil
}

// configFile is the path of a file in the configuration directory; "" if it is
// not there.
func configFile(name string) string {
	dir, err := configDir()
	if err != nil {
		return ""
	}
	if path := filepath.Join(dir, name); exists(path) {
		return path
	}
	return ""
}

// keyFileError says which file of keys err is about.
func keyFileError(name string, err error) error {
	var pe *fs.PathError
	if err == nil || errors.As(err, &pe) {
		return err
	}
	f := &failure{exit: exitUsage, err: err, what: safetext.Printable(name) + ": " + err.Error(), hint: "bulla help keys shows what key files look like"}
	f.hint = orElse(hintOf(err), f.hint)
	if errors.Is(err, keyslot.ErrSecretKey) {
		f.hint = "a recipients file holds public keys, which keygen -y FILE shows; the secret ones belong where only you can read"
	}
	return f
}

// readKEK reads a symmetric key.
func (a *app) readKEK(name string) (*keyslot.KEK, error) {
	f, err := a.openFor(name, "the symmetric key")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a.warnReadable(f, name, "key file")
	b, err := io.ReadAll(io.LimitReader(f, int64(keyslot.MaxKEKFile)+1))
	defer clear(b)
	if err != nil {
		return nil, err
	}
	kek, err := keyslot.ParseKEK(b)
	if err != nil {
		return nil, &failure{exit: exitUsage, err: err, what: safetext.Printable(name) + ": " + err.Error(), hint: "bulla keygen --kek makes one"}
	}
	return kek, nil
}

// warnReadable warns if a file with a secret is for everybody to read.
func (a *app) warnReadable(r io.Reader, name, what string) {
	f, ok := r.(*os.File)
	if !ok {
		return
	}
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && readableByOthers(st.Mode()) {
		a.warn(fmt.Sprintf("the %s %s is readable by others (mode %04o)", what, safetext.Printable(name), st.Mode().Perm()),
			"chmod 600 "+safetext.Printable(name))
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
