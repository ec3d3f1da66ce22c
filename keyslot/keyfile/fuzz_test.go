package keyfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"bulla/format"
	"bulla/keyslot"
)

// fuzzOptions ask nobody, and open no files.
var fuzzOptions = &Options{Now: time.Unix(1800000000, 0), Open: func(string) (io.ReadCloser, error) { return nil, os.ErrNotExist }}

// A file of keys of any kind gives keys or an error, never both or neither, and of what holds
// secrets nothing is in the error.
func FuzzKeyFile(f *testing.F) {
	id, err := keyslot.GenerateIdentity(nil)
	if err != nil {
		f.Fatal(err)
	}
	secret := id.String()
	for _, name := range []string{"plain.keeper", "passphrase.keeper", "2027.calendar"} {
		b, err := os.ReadFile("../../testdata/epoch/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"# mine\n" + secret + "\n", secret[:70], id.Recipient().Canonical() + "\n", id.Recipient().Canonical() + "\n" + secret,
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBsuUy7qx/eelB0G7C1mWPTgkLBu5XgC2oZGe1XZhg6r\n", "age1yubikey1q\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nMA==\n-----END OPENSSH PRIVATE KEY-----\n", "-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n-----END TSS2 PRIVATE KEY-----\n",
		"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n", strings.Repeat("0f", 32) + "\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		ids, err := ParseIdentities("", bytes.NewReader(bytes.Clone(file)), fuzzOptions)
		if (err == nil) != (len(ids) > 0) {
			t.Fatalf("%d identities, %v", len(ids), err)
		}
		for _, i := range ids {
			if !i.Accepts(format.SlotHPKE) && !i.Accepts(format.SlotAge) && !i.Accepts(format.SlotKEK) {
				t.Fatalf("%v opens no slots", i)
			}
		}
		if err != nil && bytes.Contains(file, []byte(secret[20:60])) && strings.Contains(err.Error(), secret[20:60]) {
			t.Fatalf("a secret is quoted: %v", err)
		}
		to, err := ParseRecipients(bytes.NewReader(file), fuzzOptions)
		if (err == nil) != (len(to) > 0) {
			t.Fatalf("%d recipients, %v", len(to), err)
		}
		for _, r := range to {
			text := r.Canonical()
			if strings.ContainsAny(text, "\r\n") {
				t.Fatalf("%q is more than a line", text)
			}
			again, err := ParseRecipient(text, fuzzOptions)
			if err != nil || again.Canonical() != text || again.Type() != r.Type() {
				t.Fatalf("%q is another as text: %v", text, err)
			}
		}
		if len(to) > 0 && len(ids) > 0 && !errors.Is(err, keyslot.ErrSecretKey) && bytes.Contains(file, []byte("AGE-SECRET-KEY-")) {
			t.Fatal("one encrypts to a file of secret keys")
		}
	})
}
