package agekey

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"bulla/keyslot"
	"bulla/slot"
)

func TestSSH(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"ed25519", []string{"-t", "ed25519"}},
		{"rsa", []string{"-t", "rsa", "-b", "2048"}},
		{"rsa, old form", []string{"-t", "rsa", "-b", "2048", "-m", "PEM"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := sshKey(t, append(tt.args, "-N", "")...)
			i := parseIdentity(t, file, read(t, file), nil)
			s := slotOf(t, parseRecipient(t, string(read(t, file+".pub")), nil))
			opens(t, i, s)
			refuses(t, i, slotOf(t, parseRecipient(t, natives(t)["ed25519"], nil)), slot.ErrIncorrectIdentity)
			refuses(t, i, slotOf(t, parseRecipient(t, natives(t)["x25519"], nil)), slot.ErrIncorrectIdentity)
			if i.(*Identity).Interactive() {
				t.Error("it is interactive")
			}
		})
	}
}

func TestSSHPKCS8(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	file := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	opens(t, parseIdentity(t, "", file, nil), slotOf(t, parseRecipient(t, string(ssh.MarshalAuthorizedKey(public)), nil)))
}

func TestLockedSSH(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"ed25519", []string{"-t", "ed25519", "-a", "2"}},
		{"rsa", []string{"-t", "rsa", "-b", "2048", "-a", "2"}},
		{"rsa, old form", []string{"-t", "rsa", "-b", "2048", "-m", "PEM"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := sshKey(t, append(tt.args, "-N", "correct horse")...)
			mine := slotOf(t, parseRecipient(t, string(read(t, file+".pub")), nil))
			ui := &script{passphrase: "correct horse"}
			i := parseIdentity(t, file, read(t, file), ui)

			// Slots that do not name the key ask for nothing.
			refuses(t, i, slotOf(t, parseRecipient(t, natives(t)["ed25519"], nil)), slot.ErrIncorrectIdentity)
			refuses(t, i, slotOf(t, parseRecipient(t, natives(t)["x25519"], nil)), slot.ErrIncorrectIdentity)
			ui.asked(t)
			opens(t, i, mine)
			opens(t, i, mine)
			ui.asked(t, `passphrase of ssh key "`+file+`"`)

			errTTY := errors.New("no terminal")
			for _, bad := range []struct {
				ui   *script
				want error
			}{
				{&script{passphrase: "wrong"}, ErrWrongPassphrase},
				{&script{}, nil},
				{&script{err: errTTY}, errTTY},
			} {
				i := parseIdentity(t, file, read(t, file), bad.ui)
				for range 2 {
					_, err := i.Unwrap(t.Context(), mine, testPreamble())
					if err == nil || bad.want != nil && !errors.Is(err, bad.want) || errors.Is(err, slot.ErrIncorrectIdentity) {
						t.Errorf("%v, want %v", err, bad.want)
					}
				}
				if len(bad.ui.calls) != 1 {
					t.Errorf("asked %q", bad.ui.calls)
				}
			}
			refuses(t, parseIdentity(t, file, read(t, file), nil), mine, ErrNoUI)
		})
	}
}

// Of an encrypted key in an old form, the public half stands beside it.
func TestLockedSSHPublicHalf(t *testing.T) {
	file := sshKey(t, "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "12345")
	mine := slotOf(t, parseRecipient(t, string(read(t, file+".pub")), nil))
	parse := func() (keyslot.Identity, error) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		ids, err := ParseIdentityFile(file, f, &script{passphrase: "12345"}, nil)
		if err != nil {
			return nil, err
		}
		return ids[0], nil
	}
	replace := func(public string) {
		t.Helper()
		if err := os.WriteFile(file+".pub", []byte(public), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// Another key's public half: a slot for that one does not open.
	replace(natives(t)["ed25519"])
	i, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, i, mine, slot.ErrIncorrectIdentity)
	if _, err := i.Unwrap(t.Context(), slotOf(t, parseRecipient(t, natives(t)["ed25519"], nil)), testPreamble()); err == nil || errors.Is(err, slot.ErrIncorrectIdentity) {
		t.Errorf("a slot for the other key: %v", err)
	}

	replace("nonsense")
	if _, err := parse(); !errors.Is(err, errSSHRecipient) {
		t.Errorf("a malformed public half: %v", err)
	}
	if err := os.Remove(file + ".pub"); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no public half: %v", err)
	}
}

func TestSSHKindsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-t", "ecdsa", "-N", ""},
		{"-t", "ecdsa", "-N", "12345", "-a", "2"},
	} {
		file := sshKey(t, args...)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := ParseIdentityFile(filepath.Base(file), f, nil, nil); !errors.Is(err, errSSHKind) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// A cancelled call does not wait for the person.
func TestLockedSSHCancelled(t *testing.T) {
	file := sshKey(t, "-t", "ed25519", "-a", "2", "-N", "12345")
	mine := slotOf(t, parseRecipient(t, string(read(t, file+".pub")), nil))
	ctx, cancel := context.WithCancel(t.Context())
	ui := &stuck{asked: cancel, release: make(chan struct{})}
	i := parseIdentity(t, file, read(t, file), ui)
	if _, err := i.Unwrap(ctx, mine, testPreamble()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(ui.release)
}

// stuck is a UI at which nobody answers, and that does not look at contexts.
type stuck struct {
	script
	asked   func()
	release chan struct{}
}

func (s *stuck) Passphrase(context.Context, string) ([]byte, error) {
	s.asked()
	<-s.release
	return nil, errors.New("too late")
}

// An ssh key may stand below what editors and people put above it.
func TestSSHBelowComments(t *testing.T) {
	file := read(t, sshKey(t, "-t", "ed25519", "-N", ""))
	for _, above := range []string{"\xef\xbb\xbf", "\n\n", "# my key\n", "\xef\xbb\xbf# my key\r\n\r\n# of 2024\n", " \t\n"} {
		parseIdentity(t, "", append([]byte(above), file...), nil)
	}
	if _, err := ParseIdentityFile("", strings.NewReader("# no key\n"), nil, nil); !errors.Is(err, keyslot.ErrNoKeys) {
		t.Errorf("comments alone: %v", err)
	}
}

// What cannot be used as it is says what would make it so, and before anybody is
// asked for a passphrase.
func TestSSHAdvice(t *testing.T) {
	for _, tt := range []struct {
		name, file, advice string
	}{
		{"encrypted PKCS #8", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n", "ssh-keygen -p"},
		{"old form without its public half", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nMAA=\n-----END RSA PRIVATE KEY-----\n", "ssh-keygen -p"},
		{"too many rounds", openssh(t, sshPublic(t), 1<<11+1), "ssh-keygen -p -a"},
		{"security key", openssh(t, securityKey(), 16), "age-plugin-fido2-hmac"},
	} {
		ui := &script{}
		_, err := ParseIdentityFile("no such file", strings.NewReader(tt.file), ui, nil)
		e, ok := errors.AsType[interface {
			error
			Hint() string
		}](err)
		if !ok || !strings.Contains(e.Hint(), tt.advice) || len(ui.calls) > 0 {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := ParseIdentityFile("", strings.NewReader(openssh(t, sshPublic(t), 1<<11)), &script{}, nil); err != nil {
		t.Errorf("as many rounds as there may be: %v", err)
	}
}

func sshPublic(t *testing.T) []byte {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(natives(t)["ed25519"]))
	if err != nil {
		t.Fatal(err)
	}
	return key.Marshal()
}

// securityKey is a public key of type sk-ssh-ed25519@openssh.com.
func securityKey() []byte {
	return ssh.Marshal(struct {
		Kind        string
		Public      []byte
		Application string
	}{"sk-ssh-ed25519@openssh.com", make([]byte, 32), "ssh:"})
}

// openssh is a file with an encrypted key, whose private half is nonsense.
func openssh(t *testing.T, public []byte, rounds uint32) string {
	t.Helper()
	options := ssh.Marshal(struct {
		Salt   string
		Rounds uint32
	}{"0123456789abcdef", rounds})
	b := ssh.Marshal(struct {
		Cipher, KDF string
		Options     []byte
		Keys        uint32
		Public      []byte
		Private     []byte
	}{"aes256-ctr", "bcrypt", options, 1, public, make([]byte, 64)})
	return string(pem.EncodeToMemory(&pem.Block{Type: opensshLabel, Bytes: append([]byte("openssh-key-v1\x00"), b...)}))
}
