package agekey

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"
	"filippo.io/age/tag"
	"golang.org/x/crypto/ssh"

	"bulla/format"
	"bulla/keyslot"
)

// natives makes one recipient of each kind that needs no program, in text.
func natives(t testing.TB) map[string]string {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	scalar := make([]byte, 32)
	scalar[31] = 7
	k, err := ecdh.P256().NewPrivateKey(scalar)
	if err != nil {
		t.Fatal(err)
	}
	point := k.PublicKey().Bytes()
	compressed := append([]byte{2 + point[64]&1}, point[1:33]...)
	classic, err := tag.NewClassicRecipient(compressed)
	if err != nil {
		t.Fatal(err)
	}
	dk, err := mlkem.NewDecapsulationKey768(make([]byte, mlkem.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := tag.NewHybridRecipient(append(dk.EncapsulationKey().Bytes(), point...))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"x25519":  i.Recipient().String(),
		"tag":     classic.String(),
		"tagpq":   hybrid.String(),
		"ed25519": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBsuUy7qx/eelB0G7C1mWPTgkLBu5XgC2oZGe1XZhg6r someone@somewhere",
		"plugin":  plugin.EncodeRecipient(pluginName, []byte("quiet")),
	}
}

// BodySize is what a slot takes, Class what it shows, and the slot is one that
// package format passes.
func TestRecipientSays(t *testing.T) {
	all := natives(t)
	for _, bits := range []int{2048, 2056, 3072, 4096, 8192} {
		all[fmt.Sprint("rsa", bits)] = rsaKey(t, bits)
	}
	withPlugin(t)
	for _, tt := range []struct {
		name  string
		size  int
		class format.Class
	}{
		{"x25519", 232, format.Classical},
		{"tag", 284, format.Classical},
		{"tagpq", 1743, format.PostQuantum},
		{"ed25519", 244, format.Classical},
		{"rsa2048", 500, format.Classical},
		{"rsa2056", 501, format.Classical},
		{"rsa3072", 673, format.Classical},
		{"rsa4096", 846, format.Classical},
		{"rsa8192", 1540, format.Classical},
		{"plugin", PluginBodySize, format.Neutral}, // its labels say it
	} {
		r := parseRecipient(t, all[tt.name], nil)
		s := slotOf(t, r)
		if r.BodySize() != tt.size || tt.name != "plugin" && len(s.Body) != tt.size || len(s.Body) > tt.size {
			t.Errorf("%s: BodySize says %d, the slot has %d bytes, want %d", tt.name, r.BodySize(), len(s.Body), tt.size)
		}
		if r.Class() != tt.class || tt.name != "plugin" && s.Class() != tt.class {
			t.Errorf("%s: the recipient is %v, its slot %v, want %v", tt.name, r.Class(), s.Class(), tt.class)
		}
		head := format.Head{Preamble: *testPreamble(), Generation: 1, Slots: []format.Slot{*s}}
		if _, err := head.Append(nil); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	for kind, s := range natives(t) {
		want := strings.TrimSuffix(s, " someone@somewhere")
		if got := parseRecipient(t, s, nil).Canonical(); got != want {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
		if kind == "ed25519" {
			for _, line := range []string{
				strings.ReplaceAll(s, " ", "   "),
				strings.ReplaceAll(s, " ", "\t"),
				`from="10.0.0.0/8",no-pty,command="echo a b" ` + s,
				s + " and more of a comment",
			} {
				if got := parseRecipient(t, line, nil).Canonical(); got != want {
					t.Errorf("%q: %q", line, got)
				}
			}
		}
	}
}

func TestParseRecipientRefused(t *testing.T) {
	all := natives(t)
	for _, tt := range []struct {
		name, s string
		want    error
	}{
		{"empty", "", keyslot.ErrUnknownKey},
		{"post-quantum", "age1pq1qqqq", keyslot.ErrUnknownKey},
		{"upper case", strings.ToUpper(all["x25519"]), keyslot.ErrUnknownKey},
		{"x25519 cut", all["x25519"][:50], errRecipient},
		{"x25519 mistyped", all["x25519"][:20] + "b" + all["x25519"][21:], errRecipient},
		{"tag cut", all["tag"][:50], errRecipient},
		{"tagpq cut", all["tagpq"][:50], errRecipient},
		{"plugin cut", all["plugin"][:20], errRecipient},
		{"plugin with a path", "age1../x1qqqqqq", errRecipient},
		{"ssh without a key", "ssh-ed25519", errSSHRecipient},
		{"ssh cut", all["ed25519"][:60], errSSHRecipient},
		{"another ssh type", "ssh-dss AAAA", errSSHKind},
		{"ecdsa", "ecdsa-sha2-nistp256 AAAA", errSSHKind},
		{"security key", "sk-ssh-ed25519@openssh.com AAAA", errSSHKind},
		{"certificate", "ssh-ed25519-cert-v01@openssh.com AAAA", errSSHKind},
		{"options of no key", `command="x" no-pty`, keyslot.ErrUnknownKey},
	} {
		if r, err := ParseRecipient(tt.s, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, r, err, tt.want)
		}
		if r, err := Recipients(nil)(tt.s); err == nil || r != nil {
			t.Errorf("%s: the parser returns %v, %v", tt.name, r, err)
		}
	}
}

// Both parsers together, as a program uses them.
func TestRecipientsFile(t *testing.T) {
	pq, err := keyslot.GenerateIdentity(osMixer(t))
	if err != nil {
		t.Fatal(err)
	}
	file := "# the team\n" + pq.Recipient().Canonical() + "\n"
	for _, s := range natives(t) {
		file += s + "\n"
	}
	got, err := keyslot.ParseRecipients(strings.NewReader(file), Recipients(nil))
	if err != nil || len(got) != 6 {
		t.Fatalf("%d recipients, %v", len(got), err)
	}
	if got[0].Type() != format.SlotHPKE || got[1].Type() != format.SlotAge {
		t.Errorf("the types are %v, %v, …", got[0].Type(), got[1].Type())
	}
	for _, secret := range []string{
		"AGE-SECRET-KEY-1QQQQ",
		"-----BEGIN OPENSSH PRIVATE KEY-----",
		"-----BEGIN RSA PRIVATE KEY-----",
	} {
		if _, err := keyslot.ParseRecipients(strings.NewReader(secret), Recipients(nil)); !errors.Is(err, keyslot.ErrSecretKey) {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

func TestWrapChecks(t *testing.T) {
	r := parseRecipient(t, natives(t)["x25519"], nil)
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := r.Wrap(t.Context(), osMixer(t), testPreamble(), make([]byte, n)); err == nil {
			t.Errorf("a CEK of %d bytes was wrapped", n)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Wrap(ctx, osMixer(t), testPreamble(), testCEK()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if bytes.Equal(slotOf(t, r).Body, slotOf(t, r).Body) {
		t.Error("two slots are equal")
	}
}

// The longest RSA key that package ssh reads fits a slot.
func TestRSATooLong(t *testing.T) {
	if r := parseRecipient(t, rsaKey(t, 16384), nil); r.BodySize() > format.MaxAgeBody {
		t.Errorf("%d bytes", r.BodySize())
	}
	if _, err := ParseRecipient(rsaKey(t, 16392), nil); !errors.Is(err, errSSHRecipient) {
		t.Error(err)
	}
}

// rsaKey is an ssh public key to encrypt to: any odd number of the right length
// will do.
func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	key, err := ssh.NewPublicKey(&rsa.PublicKey{N: n, E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(key)))
}

// Stock age opens the body of a slot.
func TestAgeOpensSlots(t *testing.T) {
	ageTool := tool(t, "age")
	key := write(t, run(t, nil, tool(t, "age-keygen")))
	public := run(t, read(t, key), tool(t, "age-keygen"), "-y")
	ed := sshKey(t, "-N", "", "-t", "ed25519")
	rsa := sshKey(t, "-N", "", "-t", "rsa", "-b", "2048")
	for _, tt := range []struct{ recipient, file string }{
		{string(public), key},
		{string(read(t, ed+".pub")), ed},
		{string(read(t, rsa+".pub")), rsa},
	} {
		s := slotOf(t, parseRecipient(t, tt.recipient, nil))
		if got := run(t, s.Body, ageTool, "-d", "-i", tt.file); !bytes.Equal(got, testCEK()) {
			t.Errorf("age -d gives %q", got)
		}
		opens(t, parseIdentity(t, tt.file, read(t, tt.file), nil), s)
	}
	// And a slot that stock age made opens here.
	body := run(t, testCEK(), ageTool, "-r", strings.TrimSpace(string(public)))
	opens(t, parseIdentity(t, key, read(t, key), nil), &format.Slot{Type: format.SlotAge, Body: body})
}

func FuzzParseRecipient(f *testing.F) {
	for _, s := range natives(f) {
		f.Add(s)
	}
	f.Add("age1pq1qqq")
	f.Add("ssh-rsa AAAA comment")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRecipient(s, nil)
		if err != nil {
			return
		}
		again, err := ParseRecipient(r.Canonical(), nil)
		if err != nil || again.Canonical() != r.Canonical() || again.BodySize() != r.BodySize() {
			t.Errorf("%q does not parse as what it was: %v", r.Canonical(), err)
		}
		if strings.ContainsAny(r.Canonical(), "\r\n") {
			t.Errorf("%q is more than a line", r.Canonical())
		}
	})
}

func ExampleParseRecipient() {
	r, err := ParseRecipient("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBsuUy7qx/eelB0G7C1mWPTgkLBu5XgC2oZGe1XZhg6r someone@somewhere", nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(r.Type(), r.Class(), r.BodySize())
	fmt.Println(r.Canonical())
	// Output:
	// age classical 244
	// ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBsuUy7qx/eelB0G7C1mWPTgkLBu5XgC2oZGe1XZhg6r
}
