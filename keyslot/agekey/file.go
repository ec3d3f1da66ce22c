package agekey

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"filippo.io/age"
	"filippo.io/age/armor"

	"bulla/format"
	"bulla/internal/once"
	"bulla/keyslot"
	"bulla/slot"
)

// How identity files begin that are not lines of keys.
const (
	encryptedPrefix = "age-encryption.org/"
	pemPrefix       = "-----BEGIN "
)

// ParseIdentityFile reads an identity file in any form that age takes:
//
//   - lines of identities, post-quantum ones included;
//   - an ssh private key in PEM, below comments or none;
//   - either a binary or an armored age file, encrypted with a passphrase, that
//     holds lines of identities.
//
// Nothing is asked of ui yet: a passphrase is asked for when a slot needs it, and
// then once. name is for messages, and may be empty; open opens name.pub, where an
// encrypted ssh key of an old form has its public half: nil stands for [os.Open].
//
// It reads at most keyslot.MaxKeyFile bytes of r and one more. For a PEM file that
// holds another kind of key the error wraps [keyslot.ErrUnknownKey]; for lines it
// is as that of [keyslot.ParseIdentities].
func ParseIdentityFile(name string, r io.Reader, ui UI, open func(name string) (io.ReadCloser, error)) ([]keyslot.Identity, error) {
	ui = orNobody(ui)
	file, err := keyslot.ReadKeyFile(r)
	if err != nil {
		return nil, err
	}
	encrypted := bytes.HasPrefix(file, []byte(encryptedPrefix))
	trimmed := belowComments(file)
	if bytes.HasPrefix(trimmed, []byte(armor.Header)) {
		encrypted = true
		if file, err = keyslot.ReadKeyFile(armor.NewReader(bytes.NewReader(trimmed))); err != nil {
			return nil, fmt.Errorf("armored identity file: %w", err)
		}
	}
	if encrypted {
		return []keyslot.Identity{&encryptedFile{name: name, file: file, ui: ui}}, nil
	}
	defer clear(file)
	if bytes.HasPrefix(trimmed, []byte(pemPrefix)) {
		i, err := parseSSHIdentity(name, trimmed, ui, open)
		if err != nil {
			return nil, err
		}
		return []keyslot.Identity{i}, nil
	}
	return keyslot.ParseIdentities(bytes.NewReader(file), Identities(ui))
}

// EncryptFile returns an identity file under a passphrase, armored, as age -p -a
// makes it. It computes one scrypt, which takes about a second and 256 MiB; if these
// are not to be had, it fails with a [*keyslot.MemoryError]. It refuses an empty
// passphrase ([keyslot.ErrEmptyPassphrase]).
func EncryptFile(file, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, keyslot.ErrEmptyPassphrase
	}
	if err := checkScrypt(scryptWork); err != nil {
		return nil, err
	}
	to, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(scryptWork)
	var b bytes.Buffer
	armored := armor.NewWriter(&b)
	w, err := age.Encrypt(armored, to)
	if err == nil {
		_, err = w.Write(file)
		err = cmp.Or(err, w.Close(), armored.Close())
	}
	return b.Bytes(), err
}

// DecryptFile returns what EncryptFile has put under a passphrase, as the caller's. It
// computes one scrypt, within age's bound. Errors are [ErrWrongPassphrase],
// [*keyslot.MemoryError] and age's.
func DecryptFile(file, passphrase []byte) ([]byte, error) {
	plain, err := decrypt(armor.NewReader(bytes.NewReader(file)), func() ([]byte, error) { return bytes.Clone(passphrase), nil })
	if err != nil {
		return nil, err
	}
	return keyslot.ReadKeyFile(plain)
}

// scryptWork is age's default: the binary logarithm of scrypt's N.
const scryptWork = 18

// checkScrypt finds out whether there is the memory for one scrypt of age, in which
// r is 8: 128*N*r bytes (RFC 7914).
func checkScrypt(work uint64) error { return keyslot.CheckMemory(128 * 8 << work) }

// Inside returns ids with those that are files under a passphrase replaced by what
// is in them. It asks for the passphrases that have yet to be asked for.
func Inside(ctx context.Context, ids []keyslot.Identity) (all []keyslot.Identity, err error) {
	for _, id := range ids {
		inside := []keyslot.Identity{id}
		if f, ok := id.(*encryptedFile); ok {
			if inside, err = f.open(ctx); err != nil {
				return nil, err
			}
		}
		all = append(all, inside...)
	}
	return all, nil
}

// belowComments is a file without white space around it, and from the first line
// that is no comment on.
func belowComments(file []byte) []byte {
	file = bytes.TrimSpace(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf")))
	for bytes.HasPrefix(file, []byte("#")) {
		_, file, _ = bytes.Cut(file, []byte("\n"))
		file = bytes.TrimSpace(file)
	}
	return file
}

// An encryptedFile is an identity file under a passphrase: every identity in it,
// behind one question.
type encryptedFile struct {
	name   string
	file   []byte
	ui     UI
	inside once.Value[[]keyslot.Identity]
}

// Format implements [fmt.Formatter]: no verb prints what is in the file.
func (f *encryptedFile) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "identity file %q", f.name)
}

// Accepts implements [keyslot.Identity]: as long as the file is closed, or did not
// open, it takes whatever the identities in such a file may open.
func (f *encryptedFile) Accepts(t format.SlotType) bool {
	inside, open, err := f.inside.Peek()
	if !open || err != nil {
		return t == format.SlotHPKE || t == format.SlotAge
	}
	return slices.ContainsFunc(inside, func(i keyslot.Identity) bool { return i.Accepts(t) })
}

// Interactive reports whether the passphrase has yet to be asked for, or there is
// an interactive identity in the file.
func (f *encryptedFile) Interactive() bool {
	inside, open, _ := f.inside.Peek()
	return !open || slices.ContainsFunc(inside, slot.IsInteractive)
}

// Unwrap implements [keyslot.Identity].
func (f *encryptedFile) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	_, cek, err := f.UnwrapAny(ctx, []*format.Slot{s}, p)
	return cek, err
}

// UnwrapAny implements [slot.ManyUnwrapper] for all identities in the file.
func (f *encryptedFile) UnwrapAny(ctx context.Context, slots []*format.Slot, p *format.Preamble) (int, []byte, error) {
	if err := ctx.Err(); err != nil {
		return -1, nil, err
	}
	if !slices.ContainsFunc(slots, func(s *format.Slot) bool { return f.Accepts(s.Type) }) {
		return -1, nil, slot.ErrIncorrectIdentity
	}
	inside, err := f.open(ctx)
	if err != nil {
		return -1, nil, err
	}
	failed, which := slot.ErrIncorrectIdentity, -1
	for _, i := range inside {
		at, cek, err := slot.UnwrapAny(ctx, i, slots, p)
		if err == nil {
			return at, cek, nil
		}
		if errors.Is(failed, slot.ErrIncorrectIdentity) {
			failed, which = err, at
		}
	}
	return which, nil, failed
}

// open returns what is in the file.
func (f *encryptedFile) open(ctx context.Context) ([]keyslot.Identity, error) {
	inside, err := once.Await(ctx, func() ([]keyslot.Identity, error) {
		return f.inside.Get(ctx, func() ([]keyslot.Identity, error) { return f.decrypt(ctx) })
	})
	if err != nil {
		return nil, fmt.Errorf("identity file %q: %w", f.name, err)
	}
	return inside, nil
}

func (f *encryptedFile) decrypt(ctx context.Context) ([]keyslot.Identity, error) {
	plain, err := decrypt(bytes.NewReader(f.file), func() ([]byte, error) {
		return f.ui.Passphrase(ctx, fmt.Sprintf("identity file %q", f.name))
	})
	if err != nil {
		return nil, err
	}
	ids, err := keyslot.ParseIdentities(plain, Identities(f.ui))
	return slot.KeysFirst(ids), err
}

// decrypt opens a file under the passphrase that ask gives away.
func decrypt(file io.Reader, ask func() ([]byte, error)) (io.Reader, error) {
	var own error
	plain, err := age.Decrypt(file, identityFunc(func(stanzas []*age.Stanza) (fileKey []byte, err error) {
		fileKey, own = unlock(stanzas, ask)
		return fileKey, own
	}))
	if err != nil {
		return nil, cmp.Or(own, err)
	}
	return plain, nil
}

// unlock opens the one stanza of a file under a passphrase. What scrypt may cost
// is bounded by age.
func unlock(stanzas []*age.Stanza, ask func() ([]byte, error)) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != scryptStanza || len(stanzas[0].Args) != 2 {
		return nil, errors.New("it is encrypted, but not with a passphrase")
	}
	work, _ := strconv.ParseUint(stanzas[0].Args[1], 10, 6) // age refuses what is none
	if err := checkScrypt(work); err != nil {
		return nil, err
	}
	passphrase, err := ask()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	if len(passphrase) == 0 {
		return nil, keyslot.ErrEmptyPassphrase
	}
	i, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, err
	}
	fileKey, err := i.Unwrap(stanzas)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		err = ErrWrongPassphrase
	}
	return fileKey, err
}
