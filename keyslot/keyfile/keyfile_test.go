package keyfile_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"bulla/entropy"
	"bulla/format"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/keyfile"
	"bulla/slot"
	"bulla/stream"
)

const ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA== someone"

func newIdentity(t *testing.T) *keyslot.HPKEIdentity {
	t.Helper()
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newKEK(t *testing.T) *keyslot.KEK {
	t.Helper()
	k, err := keyslot.GenerateKEK(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A person knows one passphrase and no more.
type person struct{ agekey.UI }

func (person) Passphrase(context.Context, string) ([]byte, error) { return []byte("12345"), nil }

func underPassphrase(t *testing.T, text string) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient("12345")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(10)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every kind of file opens what was encrypted to its public half, straight from
// one parser through the stream to the other.
func TestEveryKind(t *testing.T) {
	id, kek := newIdentity(t), newKEK(t)
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file []byte
		to   slot.Recipient
	}{
		"lines":            {[]byte("# a comment\n\n" + id.String() + "\n"), id.Recipient()},
		"age lines":        {[]byte(x.String()), parse(t, x.Recipient().String())},
		"under passphrase": {underPassphrase(t, id.String()+"\n"), id.Recipient()},
		"key":              {kek.Encode(), kek},
		"hexadecimal key":  {[]byte(kekHex(t, kek) + "\n"), kek},
		"new identity":     {encode(t, id), id.Recipient()},
		"new key":          {encode(t, kek), kek},
		"ssh":              sshPair(t),
	} {
		t.Run(name, func(t *testing.T) {
			if tt.file == nil {
				t.Skip("no ssh-keygen")
			}
			var container bytes.Buffer
			w, err := stream.NewWriter(t.Context(), &container, []slot.Recipient{tt.to}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			ids, err := keyfile.ParseIdentities("k", bytes.NewReader(tt.file), &keyfile.Options{UI: person{}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.NewReader(t.Context(), &container, ids, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func parse(t *testing.T, s string) slot.Recipient {
	t.Helper()
	r, err := keyfile.ParseRecipient(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func encode(t *testing.T, k slot.Public) []byte {
	t.Helper()
	b, err := keyfile.Encode(k, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func kekHex(t *testing.T, k *keyslot.KEK) string {
	t.Helper()
	s, ok := strings.CutSuffix(string(k.Encode()), "\n")
	if !ok {
		t.Fatal(s)
	}
	raw := make([]byte, keyslot.KEKSize+1)
	if _, err := base64.StdEncoding.Decode(raw, []byte(s)); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw[:keyslot.KEKSize])
}

func sshPair(t *testing.T) (pair struct {
	file []byte
	to   slot.Recipient
}) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		return pair
	}
	name := filepath.Join(t.TempDir(), "k")
	if out, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-f", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(name + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if pair.file, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	pair.to = parse(t, string(public))
	return pair
}

func TestEncode(t *testing.T) {
	id := newIdentity(t)
	want := "# created: 2001-09-09T01:46:40Z\n# public key: " + id.Recipient().Canonical() + "\n" + id.String() + "\n"
	if got := string(encode(t, id)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if b, err := keyfile.Encode(nil, time.Now()); err == nil {
		t.Errorf("no key is %q", b)
	}
}

// What cannot be used in a list of keys is passed over, and said.
func TestPassedOver(t *testing.T) {
	r := newIdentity(t).Recipient().Canonical()
	file := ecdsa + "\n" + r + "\nsk-ssh-ed25519@openssh.com AAAA\n"
	if to, err := keyfile.ParseRecipients(strings.NewReader(file), nil); err == nil {
		t.Errorf("%d recipients although nobody is told of those passed over", len(to))
	}
	var over []*agekey.SSHKindError
	o := &keyfile.Options{PassedOver: func(e *agekey.SSHKindError) { over = append(over, e) }}
	to, err := keyfile.ParseRecipients(strings.NewReader(file), o)
	if err != nil || len(to) != 1 || to[0].Canonical() != r || len(over) != 2 {
		t.Fatalf("%v, %v, passed over %v", to, err, over)
	}
	for i, kind := range []string{"ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"} {
		if over[i].Kind != kind || over[i].Hint() == "" {
			t.Errorf("passed over: %v", over[i])
		}
	}
	if hint := over[1].Hint(); !strings.Contains(hint, "age-plugin-fido2-hmac") {
		t.Errorf("no plugin is named: %s", hint)
	}
	// A list of nothing else is an error, and what is wrong elsewhere stays one.
	line := new(keyslot.LineError)
	if _, err := keyfile.ParseRecipients(strings.NewReader("# keys\n"+ecdsa), o); !errors.As(err, &line) || line.Line != 2 || len(over) != 2 {
		t.Errorf("nothing but what is passed over: %v", err)
	}
	if _, err := keyfile.ParseRecipients(strings.NewReader(r+"\nage1cut"), o); err == nil {
		t.Error("a malformed key was passed over")
	}
}

// A KEK opens slots of its own type alone.
func TestKEKIsNoOtherKey(t *testing.T) {
	ids, err := keyfile.ParseIdentities("", bytes.NewReader(newKEK(t).Encode()), nil)
	if err != nil || len(ids) != 1 || !ids[0].Accepts(format.SlotKEK) || ids[0].Accepts(format.SlotHPKE) {
		t.Fatal(ids, err)
	}
}

// No identity prints its secret, whatever verb asks for it, before or after it was
// used.
func TestNothingSecretIsPrinted(t *testing.T) {
	id := newIdentity(t)
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	kek := newKEK(t)
	raw, err := hex.DecodeString(kekHex(t, kek))
	if err != nil {
		t.Fatal(err)
	}
	pluginKey := plugin.EncodeIdentity("none", []byte("a secret that it keeps"))
	for name, file := range map[string][]byte{
		"lines": []byte(id.String() + "\n" + x.String() + "\n" + pluginKey), "under passphrase": underPassphrase(t, id.String()),
		"key": raw, "ssh": sshPair(t).file,
	} {
		ids, err := keyfile.ParseIdentities("k", bytes.NewReader(file), &keyfile.Options{UI: person{}})
		if name == "ssh" && file == nil {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range ids {
			if opener, ok := i.(interface{ Interactive() bool }); ok && opener.Interactive() && name != "lines" {
				i.Unwrap(t.Context(), &format.Slot{Type: format.SlotHPKE, Body: make([]byte, format.HPKEBodySize)}, &format.Preamble{})
			}
			for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%t"} {
				for _, holder := range []any{i, []slot.Identity{i}, struct{ I any }{i}, &struct{ I slot.Identity }{i}} {
					s := strings.ToLower(fmt.Sprintf(verb, holder))
					for _, secret := range []string{id.String(), x.String(), pluginKey, string(raw), hex.EncodeToString(raw), fmt.Sprint(raw), string(sshSecret(file))} {
						if secret = strings.ToLower(secret); len(secret) > 40 && strings.Contains(s, secret[20:30]) {
							t.Errorf("%s: %s of a %T prints %s", name, verb, holder, s)
						}
					}
				}
			}
		}
	}
}

// sshSecret is what a PEM file has inside.
func sshSecret(file []byte) []byte {
	if block, _ := pem.Decode(file); block != nil {
		return fmt.Append(nil, block.Bytes[len(block.Bytes)-100:])
	}
	return nil
}
