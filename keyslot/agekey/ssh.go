package agekey

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"bulla/format"
	"bulla/internal/once"
	"bulla/internal/safetext"
	"bulla/keyslot"
)

// The ssh keys that one can encrypt to. An age file for one says whose it is: its
// stanza carries the first four bytes of the key's SHA-256.
const (
	sshEd25519 = "ssh-ed25519"
	sshRSA     = "ssh-rsa"

	sshSecurityKey = "sk-" // how the types of keys on security keys begin

	sshTagSize = 4
)

var (
	errSSHKind      = errors.New("files cannot be encrypted to an ssh key of this kind, only to ssh-ed25519 and ssh-rsa")
	errSSHRecipient = errors.New("malformed ssh public key")

	// ErrWrongPassphrase is what a wrong passphrase of an ssh key or of an
	// identity file is refused with.
	ErrWrongPassphrase = errors.New("wrong passphrase")
)

// An SSHKindError is an ssh key of a kind that one cannot encrypt to, such as
// ecdsa-sha2-nistp256.
type SSHKindError struct{ Kind string }

func (e *SSHKindError) Error() string { return errSSHKind.Error() }
func (e *SSHKindError) Unwrap() error { return errSSHKind }

// Hint says what would do instead.
func (e *SSHKindError) Hint() string {
	if strings.HasPrefix(e.Kind, sshSecurityKey) {
		return "a security key only signs with it; age-plugin-fido2-hmac makes a recipient of such a key"
	}
	return "ask for another key: age1pq…, age1…, ssh-ed25519 or ssh-rsa"
}

// isAuthorizedKey reports whether s is a line of an authorized_keys file, one that
// begins with options too.
func isAuthorizedKey(s string) bool {
	_, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	return err == nil
}

// parseSSH reads a line of an authorized_keys file: a key, perhaps with options
// before it and a comment after it.
func parseSSH(s string) (*Recipient, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	if err != nil {
		if kind := strings.Fields(s)[0]; kind != sshEd25519 && kind != sshRSA {
			return nil, &SSHKindError{safetext.OneLine(kind)}
		}
		return nil, errSSHRecipient
	}
	return sshRecipient(key)
}

func sshRecipient(key ssh.PublicKey) (*Recipient, error) {
	var r age.Recipient
	var err error
	switch key.Type() {
	case sshEd25519:
		r, err = agessh.NewEd25519Recipient(key)
	case sshRSA:
		r, err = agessh.NewRSARecipient(key)
	default:
		return nil, &SSHKindError{key.Type()}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSSHRecipient, err)
	}
	return newRecipient(r, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), format.Classical)
}

// The PEM labels of files that hold an ssh private key.
const (
	opensshLabel   = "OPENSSH PRIVATE KEY"
	encryptedLabel = "ENCRYPTED PRIVATE KEY" // PKCS #8
)

var sshLabels = []string{opensshLabel, "RSA PRIVATE KEY", "PRIVATE KEY"}

// maxBcryptRounds is how much work an encrypted key may ask for: ssh-keygen makes
// 16 to 24 rounds, and 2048 take some seconds.
const maxBcryptRounds = 1 << 11

// checkOpenSSH refuses a key in OpenSSH's form that one cannot encrypt to, or that
// costs too much to open, before anybody is asked for its passphrase. What is
// malformed is left to package ssh.
//
//	"openssh-key-v1" 0 || string cipher || string kdf || string (string salt || u32 rounds) || u32 keys || string public key || …
func checkOpenSSH(b []byte) error {
	b, ok := bytes.CutPrefix(b, []byte("openssh-key-v1\x00"))
	var head struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public               []byte
		Rest                 []byte `ssh:"rest"`
	}
	if !ok || ssh.Unmarshal(b, &head) != nil {
		return nil
	}
	if key, err := ssh.ParsePublicKey(head.Public); err == nil && key.Type() != sshEd25519 && key.Type() != sshRSA {
		return &SSHKindError{key.Type()}
	}
	var options struct {
		Salt   string
		Rounds uint32
	}
	if ssh.Unmarshal([]byte(head.Options), &options) == nil && options.Rounds > maxBcryptRounds {
		return &keyslot.KeyError{Reason: fmt.Sprintf("opening the ssh key takes %d rounds of bcrypt, more than %d", options.Rounds, maxBcryptRounds),
			Advice: "ssh-keygen -p -a 100 -f FILE sets them anew"}
	}
	return nil
}

// parseSSHIdentity reads an ssh private key in PEM. One that is encrypted asks ui
// for its passphrase when a slot names it. Its public half stands in the file or,
// for the old forms, beside it in name.pub, which open opens.
func parseSSHIdentity(name string, file []byte, ui UI, open func(name string) (io.ReadCloser, error)) (*Identity, error) {
	block, _ := pem.Decode(file)
	if block != nil && block.Type == encryptedLabel {
		return nil, &keyslot.KeyError{Reason: "an encrypted private key in PKCS #8, which is not read here", Advice: "ssh-keygen -p -f FILE writes it in OpenSSH's form"}
	}
	if block == nil || !slices.Contains(sshLabels, block.Type) {
		return nil, fmt.Errorf("%w: a PEM file without an ssh private key", keyslot.ErrUnknownKey)
	}
	if block.Type == opensshLabel {
		if err := checkOpenSSH(block.Bytes); err != nil {
			return nil, err
		}
	}
	key, err := ssh.ParseRawPrivateKey(file)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		public := missing.PublicKey
		if public == nil {
			if public, err = readPublic(name+".pub", open); err != nil {
				return nil, err
			}
		}
		return newLockedSSH(name, file, public, ui)
	}
	if err != nil {
		return nil, fmt.Errorf("malformed ssh private key: %w", err)
	}
	i, err := sshIdentity(key)
	if err != nil {
		return nil, err
	}
	return fixedIdentity(i), nil
}

func sshIdentity(key any) (age.Identity, error) {
	switch key := key.(type) {
	case *ed25519.PrivateKey: // from OpenSSH's format
		return agessh.NewEd25519Identity(*key)
	case ed25519.PrivateKey: // from PKCS #8
		return agessh.NewEd25519Identity(key)
	case *rsa.PrivateKey:
		return agessh.NewRSAIdentity(key)
	}
	kind := "ssh key"
	if s, err := ssh.NewSignerFromKey(key); err == nil {
		kind = s.PublicKey().Type()
	}
	return nil, &SSHKindError{kind}
}

// A lockedSSH is an encrypted ssh private key. It asks for the passphrase once,
// and only for a slot that names the key.
type lockedSSH struct {
	name   string
	file   []byte
	public ssh.PublicKey
	ui     UI
	opened once.Value[age.Identity]
}

func newLockedSSH(name string, file []byte, public ssh.PublicKey, ui UI) (*Identity, error) {
	if _, err := sshRecipient(public); err != nil {
		return nil, err
	}
	l := &lockedSSH{name: name, file: slices.Clone(file), public: public, ui: ui}
	return &Identity{with: func(ctx context.Context) age.Identity {
		return identityFunc(func(stanzas []*age.Stanza) ([]byte, error) { return l.unwrap(ctx, stanzas) })
	}}, nil
}

// readPublic reads the public half of an encrypted key of an old form.
func readPublic(name string, open func(name string) (io.ReadCloser, error)) (ssh.PublicKey, error) {
	if open == nil {
		open = func(name string) (io.ReadCloser, error) { return os.Open(name) }
	}
	f, err := open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &keyslot.KeyError{Reason: "the ssh key is encrypted in an old form, which does not hold its public half, and there is no file of its name with .pub",
			Advice: "ssh-keygen -p -f FILE writes it in a form that does", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("the public half of the encrypted key: %w", err)
	}
	defer f.Close()
	line, err := keyslot.ReadKeyFile(f)
	if err != nil {
		return nil, fmt.Errorf("the public half of the encrypted key: %w", err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil, fmt.Errorf("the public half of the encrypted key: %s: %w", name, errSSHRecipient)
	}
	return key, nil
}

func (l *lockedSSH) unwrap(ctx context.Context, stanzas []*age.Stanza) ([]byte, error) {
	if !slices.ContainsFunc(stanzas, l.named) {
		return nil, age.ErrIncorrectIdentity
	}
	i, err := l.opened.Get(ctx, func() (age.Identity, error) { return l.open(ctx) })
	if err != nil {
		return nil, fmt.Errorf("ssh key %q: %w", l.name, err)
	}
	return i.Unwrap(stanzas)
}

// named reports whether a stanza carries the tag of l's key.
func (l *lockedSSH) named(s *age.Stanza) bool {
	sum := sha256.Sum256(l.public.Marshal())
	tag := base64.RawStdEncoding.EncodeToString(sum[:sshTagSize])
	return s.Type == l.public.Type() && len(s.Args) > 0 && s.Args[0] == tag
}

func (l *lockedSSH) open(ctx context.Context) (age.Identity, error) {
	passphrase, err := l.ui.Passphrase(ctx, fmt.Sprintf("ssh key %q", l.name))
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(l.file, passphrase)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, ErrWrongPassphrase
	}
	if err != nil { // in the old form one wrong passphrase in 256 decrypts, to nonsense
		return nil, fmt.Errorf("%w, or a malformed key: %w", ErrWrongPassphrase, err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil || !bytes.Equal(signer.PublicKey().Marshal(), l.public.Marshal()) {
		return nil, errors.New("the public key is of another private key")
	}
	return sshIdentity(key)
}
