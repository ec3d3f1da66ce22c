package agekey

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"filippo.io/age/armor"
	"filippo.io/age/plugin"

	"bulla/format"
	"bulla/keyslot"
	"bulla/slot"
)

func newX25519(t testing.TB) *age.X25519Identity {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestX25519(t *testing.T) {
	k := newX25519(t)
	i := parseIdentity(t, "", []byte("# mine\n"+k.String()+"\n"), nil)
	s := slotOf(t, parseRecipient(t, k.Recipient().String(), nil))
	opens(t, i, s)
	refuses(t, parseIdentity(t, "", []byte(newX25519(t).String()), nil), s, slot.ErrIncorrectIdentity)
	refuses(t, i, &format.Slot{Type: format.SlotHPKE, Body: s.Body}, slot.ErrIncorrectIdentity)
	if !i.Accepts(format.SlotAge) || i.Accepts(format.SlotHPKE) || i.(*Identity).Interactive() {
		t.Error("it says the wrong things about itself")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := i.Unwrap(ctx, s, testPreamble()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// No byte of a slot can be changed without notice.
func TestChangedSlot(t *testing.T) {
	k := newX25519(t)
	i := fixedIdentity(k)
	s := slotOf(t, parseRecipient(t, k.Recipient().String(), nil))
	for n := range s.Body {
		bad := &format.Slot{Type: s.Type, Body: bytes.Clone(s.Body)}
		bad.Body[n] ^= 1
		cek, err := i.Unwrap(t.Context(), bad, testPreamble())
		if !errors.Is(err, format.ErrMalformed) && !errors.Is(err, slot.ErrIncorrectIdentity) && !errors.Is(err, format.ErrForged) {
			// A changed share of the wrong length is the identity's own error.
			if err == nil || !strings.Contains(err.Error(), "X25519") {
				t.Errorf("byte %d: %q, %v", n, cek, err)
			}
		}
	}
	for n := range s.Body {
		cut := &format.Slot{Type: s.Type, Body: s.Body[:n]}
		if cek, err := i.Unwrap(t.Context(), cut, testPreamble()); err == nil {
			t.Errorf("%d of %d bytes: %q", n, len(s.Body), cek)
		}
	}
}

func TestSlotClauses(t *testing.T) {
	k := newX25519(t)
	i := fixedIdentity(k)
	scrypt, err := age.NewScryptRecipient("x")
	if err != nil {
		t.Fatal(err)
	}
	scrypt.SetWorkFactor(1)
	good := sealed(t, testCEK(), k.Recipient())
	opens(t, i, good)
	opens(t, i, sealed(t, testCEK(), newX25519(t).Recipient(), k.Recipient()))
	for _, tt := range []struct {
		name string
		slot *format.Slot
		want format.Clause
	}{
		{"empty", &format.Slot{Type: format.SlotAge}, format.AGE1},
		{"not age", &format.Slot{Type: format.SlotAge, Body: make([]byte, 200)}, format.AGE1},
		{"too long", &format.Slot{Type: format.SlotAge, Body: append(bytes.Clone(good.Body), make([]byte, format.MaxAgeBody)...)}, format.AGE1},
		{"scrypt", sealed(t, testCEK(), scrypt), format.AGE2},
		{"nothing inside", sealed(t, nil, k.Recipient()), format.AGE3},
		{"too little", sealed(t, testCEK()[:31], k.Recipient()), format.AGE3},
		{"too much", sealed(t, append(testCEK(), 0), k.Recipient()), format.AGE3},
		{"far too much", sealed(t, make([]byte, 15000), k.Recipient()), format.AGE3},
	} {
		var pe *format.ParseError
		if _, err := i.Unwrap(t.Context(), tt.slot, testPreamble()); !errors.As(err, &pe) || pe.Clause != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	trailing := &format.Slot{Type: format.SlotAge, Body: append(bytes.Clone(good.Body), 0)}
	if _, err := i.Unwrap(t.Context(), trailing, testPreamble()); err == nil {
		t.Error("a byte behind the age file was taken")
	}
}

func TestParseIdentityRefused(t *testing.T) {
	secret := newX25519(t).String()
	pluginSecret := plugin.EncodeIdentity(pluginName, []byte("a secret of the plugin's"))
	for _, tt := range []struct {
		name, s string
		unknown bool
	}{
		{"empty", "", true},
		{"recipient", newX25519(t).Recipient().String(), true},
		{"post-quantum", "AGE-SECRET-KEY-PQ-1QQQ", true},
		{"lower case", strings.ToLower(secret), true},
		{"cut", secret[:60], false},
		{"mistyped", secret[:30] + "1" + secret[31:], false},
		{"mixed case", secret[:40] + strings.ToLower(secret[40:]), false},
		{"plugin cut", pluginSecret[:40], false},
		{"plugin without a name", "AGE-PLUGIN-1QQQ", false},
	} {
		_, err := ParseIdentity(tt.s, nil)
		if err == nil || errors.Is(err, keyslot.ErrUnknownKey) != tt.unknown {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, s := range []string{secret, pluginSecret} {
			if strings.Contains(err.Error(), s[21:30]) || strings.Contains(err.Error(), s[45:50]) {
				t.Errorf("%s: a secret is quoted: %v", tt.name, err)
			}
		}
		if i, err := Identities(nil)(tt.s); err == nil || i != nil {
			t.Errorf("%s: the parser returns %v, %v", tt.name, i, err)
		}
	}
}

// encrypted is an identity file under a passphrase.
func encrypted(t testing.TB, plaintext, passphrase string, armored bool) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(1)
	file := sealed(t, []byte(plaintext), r).Body
	if !armored {
		return file
	}
	var b bytes.Buffer
	w := armor.NewWriter(&b)
	if _, err := w.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestEncryptFile has age open what is written, and opens it itself.
func TestEncryptFile(t *testing.T) {
	key := newX25519(t)
	lines := []byte("# a key\n" + key.String() + "\n")
	file, err := EncryptFile(lines, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	with, err := age.NewScryptIdentity("x")
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(file)), with)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, lines) {
		t.Errorf("age reads %q, %v", got, err)
	}
	ui := &script{passphrase: "x"}
	ids, err := Inside(t.Context(), []keyslot.Identity{parseIdentity(t, "k", file, ui), parseIdentity(t, "l", lines, nil)})
	if err != nil || len(ids) != 2 {
		t.Fatalf("inside are %v, %v", ids, err)
	}
	s := slotOf(t, parseRecipient(t, key.Recipient().String(), nil))
	for i, id := range ids {
		if _, err := id.Unwrap(t.Context(), s, new(format.Preamble)); err != nil {
			t.Errorf("identity %d does not open its slot: %v", i, err)
		}
	}
	ids, err = Inside(t.Context(), []keyslot.Identity{parseIdentity(t, "k", file, &script{passphrase: "y"})})
	if ids != nil || !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("with a wrong passphrase: %v, %v", ids, err)
	}
	if _, err := EncryptFile(lines, nil); !errors.Is(err, keyslot.ErrEmptyPassphrase) {
		t.Errorf("an empty passphrase: %v", err)
	}
}

func TestEncryptedFile(t *testing.T) {
	pq, err := keyslot.GenerateIdentity(osMixer(t))
	if err != nil {
		t.Fatal(err)
	}
	classic := newX25519(t)
	plain := "# two keys\n" + pq.String() + "\n" + classic.String() + "\n"
	hpkeSlot := slotOf(t, pq.Recipient())
	ageSlot := slotOf(t, parseRecipient(t, classic.Recipient().String(), nil))
	other := slotOf(t, parseRecipient(t, newX25519(t).Recipient().String(), nil))

	for _, armored := range []bool{false, true} {
		ui := &script{passphrase: "x"}
		i := parseIdentity(t, "k", encrypted(t, plain, "x", armored), ui).(*encryptedFile)
		ui.asked(t) // nothing yet
		if !i.Accepts(format.SlotHPKE) || !i.Accepts(format.SlotAge) || i.Accepts(format.SlotKEK) || !i.Interactive() {
			t.Error("a closed file says the wrong things about itself")
		}
		refuses(t, i, &format.Slot{Type: format.SlotKEK}, slot.ErrIncorrectIdentity)
		ui.asked(t)
		opens(t, i, hpkeSlot)
		opens(t, i, ageSlot)
		refuses(t, i, other, slot.ErrIncorrectIdentity)
		ui.asked(t, `passphrase of identity file "k"`)
		if !i.Accepts(format.SlotHPKE) || !i.Accepts(format.SlotAge) || i.Accepts(format.SlotKEK) || i.Interactive() {
			t.Error("an open file says the wrong things about itself")
		}
	}

	// Once it is open, only what is inside counts.
	i := parseIdentity(t, "k", encrypted(t, classic.String(), "x", false), &script{passphrase: "x"})
	opens(t, i, ageSlot)
	if i.Accepts(format.SlotHPKE) {
		t.Error("a file without a post-quantum identity accepts type 1")
	}
	i = parseIdentity(t, "k", encrypted(t, plugin.EncodeIdentity(pluginName, nil), "x", false), &script{passphrase: "x"})
	var missing *PluginMissingError
	t.Setenv("PATH", t.TempDir())
	if _, err := i.Unwrap(t.Context(), ageSlot, testPreamble()); !errors.As(err, &missing) {
		t.Errorf("the plugin inside: %v", err)
	}
	if !i.(*encryptedFile).Interactive() {
		t.Error("an open file with a plugin's identity is not interactive")
	}
}

func TestEncryptedFileFails(t *testing.T) {
	k := newX25519(t)
	s := slotOf(t, parseRecipient(t, k.Recipient().String(), nil))
	errTTY := errors.New("no terminal")
	good := encrypted(t, k.String(), "x", false)
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1] ^= 1
	for _, tt := range []struct {
		name string
		file []byte
		ui   UI
		want error // nil: any
		asks int
	}{
		{"wrong passphrase", good, &script{passphrase: "y"}, ErrWrongPassphrase, 1},
		{"empty passphrase", good, &script{}, keyslot.ErrEmptyPassphrase, 1},
		{"no answer", good, &script{err: errTTY}, errTTY, 1},
		{"nobody to ask", good, nil, ErrNoUI, 0},
		{"no keys inside", encrypted(t, "# nothing\n", "x", false), &script{passphrase: "x"}, keyslot.ErrNoKeys, 1},
		{"nonsense inside", encrypted(t, "nonsense\n", "x", false), &script{passphrase: "x"}, keyslot.ErrUnknownKey, 1},
		{"not for a passphrase", sealed(t, []byte(k.String()), k.Recipient()).Body, &script{}, nil, 0},
		{"damaged", damaged, &script{passphrase: "x"}, nil, 1},
		{"cut", good[:30], &script{}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := parseIdentity(t, "k", tt.file, tt.ui)
			for range 2 {
				_, err := i.Unwrap(t.Context(), s, testPreamble())
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) || errors.Is(err, slot.ErrIncorrectIdentity) {
					t.Errorf("%v, want %v", err, tt.want)
				}
			}
			if ui, ok := tt.ui.(*script); ok && len(ui.calls) != tt.asks {
				t.Errorf("the UI was asked %q", ui.calls)
			}
			if i.(*encryptedFile).Interactive() {
				t.Error("it would ask again")
			}
		})
	}
}

// age's own program makes an encrypted identity file.
func TestEncryptedFileOfAge(t *testing.T) {
	ageTool, keygen := tool(t, "age"), tool(t, "age-keygen")
	batch := tool(t, "age-plugin-batchpass")
	t.Setenv("PATH", strings.TrimSuffix(batch, "age-plugin-batchpass"))
	t.Setenv("AGE_PASSPHRASE", "correct horse")
	t.Setenv("AGE_PASSPHRASE_WORK_FACTOR", "10")
	key := run(t, nil, keygen, "-pq")
	file := run(t, key, ageTool, "-e", "-a", "-j", "batchpass")
	public, err := keyslot.ParseRecipients(bytes.NewReader(run(t, key, keygen, "-y")))
	if err != nil {
		t.Fatal(err)
	}
	opens(t, parseIdentity(t, "k", file, &script{passphrase: "correct horse"}), slotOf(t, public[0]))
}

func TestParseIdentityFileRefused(t *testing.T) {
	big := strings.NewReader(strings.Repeat("#", keyslot.MaxKeyFile+1))
	if _, err := ParseIdentityFile("", big, nil, nil); err == nil || errors.Is(err, keyslot.ErrNoKeys) {
		t.Errorf("a file that is too large: %v", err)
	}
	broken := errors.New("broken")
	if _, err := ParseIdentityFile("", iotest.ErrReader(broken), nil, nil); !errors.Is(err, broken) {
		t.Errorf("a failing reader: %v", err)
	}
	for _, tt := range []struct {
		name, file string
		want       error // nil: any
	}{
		{"empty", "", keyslot.ErrNoKeys},
		{"another PEM", "-----BEGIN TSS2 PRIVATE KEY-----\nMA==\n-----END TSS2 PRIVATE KEY-----\n", keyslot.ErrUnknownKey},
		{"a PEM without an end", "-----BEGIN OPENSSH PRIVATE KEY-----\nMA==\n", keyslot.ErrUnknownKey},
		{"an empty ssh key", "-----BEGIN OPENSSH PRIVATE KEY-----\nMA==\n-----END OPENSSH PRIVATE KEY-----\n", nil},
		{"an empty RSA key", "-----BEGIN RSA PRIVATE KEY-----\nMA==\n-----END RSA PRIVATE KEY-----\n", nil},
		{"broken armor", armor.Header + "\nnonsense\n", nil},
	} {
		ids, err := ParseIdentityFile("", strings.NewReader(tt.file), nil, nil)
		if err == nil || ids != nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, ids, err, tt.want)
		}
	}
}

func FuzzParseIdentityFile(f *testing.F) {
	k := newX25519(f)
	f.Add([]byte("# mine\n" + k.String() + "\n"))
	f.Add([]byte(plugin.EncodeIdentity(pluginName, nil)))
	f.Add(encrypted(f, k.String(), "x", false))
	f.Add(encrypted(f, k.String(), "x", true))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nMA==\n-----END OPENSSH PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		ids, err := ParseIdentityFile("", bytes.NewReader(file), nil, nil)
		if (err == nil) != (len(ids) > 0) {
			t.Errorf("%d identities, %v", len(ids), err)
		}
		for _, i := range ids {
			if i.Accepts(format.SlotPassphrase) || i.Accepts(format.SlotKEK) {
				t.Error("an identity of another type came out")
			}
		}
	})
}

func BenchmarkWrapX25519(b *testing.B) {
	r := parseRecipient(b, newX25519(b).Recipient().String(), nil)
	m, p, cek := osMixer(b), testPreamble(), testCEK()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Wrap(b.Context(), m, p, cek); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrapX25519(b *testing.B) {
	k := newX25519(b)
	i, p := fixedIdentity(k), testPreamble()
	s := slotOf(b, parseRecipient(b, k.Recipient().String(), nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Unwrap(b.Context(), s, p); err != nil {
			b.Fatal(err)
		}
	}
}
