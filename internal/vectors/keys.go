package vectors

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bulla/keyslot"
	"bulla/keyslot/agekey"
)

// Extension ends the names of the files of vectors.
const Extension = ".vector"

// Load reads every vector of a container in a directory, in the order of their
// names. [LoadSets] has the others.
func Load(dir string) ([]*Vector, error) { return load(dir, false) }

func load(dir string, sets bool) (all []*Vector, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+Extension))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no vectors", dir)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		v, err := Parse(strings.TrimSuffix(filepath.Base(name), Extension), b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if (v.Members != nil) == sets {
			all = append(all, v)
		}
	}
	return all, nil
}

// Identities returns the keys of v in the form that package stream takes, in
// their order.
func (v *Vector) Identities() ([]keyslot.Identity, error) {
	var ids []keyslot.Identity
	for _, k := range v.Keys {
		more, err := k.identities()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", v.Name, k.Kind, err)
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

func (k Key) identities() ([]keyslot.Identity, error) {
	file, err := k.File()
	if err != nil {
		return nil, err
	}
	switch k.Kind {
	case KeyIdentity, KeySSH:
		return agekey.ParseIdentityFile("", bytes.NewReader(file), nil, nil)
	case KeyPassphrase:
		ask := func(context.Context) ([]byte, error) { return file, nil }
		return []keyslot.Identity{keyslot.NewPassphraseIdentity(ask)}, nil
	case KeyKEK:
		kek, err := keyslot.ParseKEK(file)
		return []keyslot.Identity{kek}, err
	}
	return nil, errors.New("unknown kind of key")
}

// File returns what a file holds from which a command takes the key. The caller owns
// it.
func (k Key) File() ([]byte, error) {
	switch k.Kind {
	case KeySSH:
		return base64.StdEncoding.DecodeString(k.Text)
	case KeyPassphrase:
		return []byte(k.Text), nil
	}
	return []byte(k.Text + "\n"), nil
}
