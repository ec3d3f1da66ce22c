package keyslot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/bech32"
)

// fakeKey is a kind of key that another package might bring: "fake:…".
type fakeKey struct{ Identity }

func (fakeKey) Type() format.SlotType { return format.SlotAge }
func (fakeKey) Canonical() string     { return "fake" }
func (fakeKey) BodySize() int         { return 0 }
func (fakeKey) Wrap(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, error) {
	return nil, errors.New("fake")
}

var errFake = errors.New("a malformed fake")

func parseFake(s string) (fakeKey, error) {
	switch {
	case s == "fake:good":
		return fakeKey{}, nil
	case strings.HasPrefix(s, "fake:"):
		return fakeKey{}, errFake
	}
	return fakeKey{}, ErrUnknownKey
}

func parseFakeRecipient(s string) (Recipient, error) { return parseFake(s) }
func parseFakeIdentity(s string) (Identity, error)   { return parseFake(s) }

func TestParseRecipients(t *testing.T) {
	r := newIdentity(t).Recipient().Canonical()
	for _, tt := range []struct {
		name, file string
		want       int
	}{
		{"one", r, 1},
		{"line end", r + "\n", 1},
		{"windows", "# team\r\n" + r + "\r\n\r\n" + r + "\r\n", 2},
		{"comments", "#\n# two\n\n  \n" + r + "\n#" + r + "\n\t" + r + " \n", 2},
		{"byte order mark", "\xef\xbb\xbf" + r + "\n", 1},
		{"other kind", "fake:good\n" + r + "\nfake:good", 3},
	} {
		got, err := ParseRecipients(strings.NewReader(tt.file), parseFakeRecipient)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: %d recipients, %v", tt.name, len(got), err)
		}
	}
}

func TestParseRecipientsRefused(t *testing.T) {
	id := newIdentity(t)
	r, secret := id.Recipient().Canonical(), id.String()
	for _, tt := range []struct {
		name, file string
		line       int // 0: the file as a whole
		want       error
	}{
		{"empty", "", 0, ErrNoKeys},
		{"comments only", "# nothing\n\n", 0, ErrNoKeys},
		{"unknown", r + "\nage1nonsense\n", 2, ErrUnknownKey},
		{"secret", "\n" + secret + "\n", 2, ErrSecretKey},
		{"secret in lower case", strings.ToLower(secret), 1, ErrSecretKey},
		{"mangled secret", secret[:40], 1, ErrSecretKey},
		{"classical secret", "AGE-SECRET-KEY-1QQQ", 1, ErrSecretKey},
		{"ssh secret", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n", 1, ErrSecretKey},
		{"plugin identity", "AGE-PLUGIN-YUBIKEY-1QQQ", 1, nil},
		{"malformed", r + "\n" + r[:100], 2, bech32.ErrChecksum},
		{"malformed fake", r + "\n" + "fake:bad", 2, errFake},
		{"two on a line", r + " " + r, 1, nil},
		{"comment behind", r + " # alice", 1, nil},
		{"not text", r + "\n\xff\xfe", 2, nil},
		{"utf-16", "\xff\xfea\x00g\x00e\x00", 0, nil},
		{"big-endian utf-16", "\xfe\xff\x00a\x00g\x00e", 0, nil},
	} {
		_, err := ParseRecipients(strings.NewReader(tt.file), parseFakeRecipient)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			continue
		}
		var le *LineError
		if errors.As(err, &le) != (tt.line > 0) || le != nil && le.Line != tt.line {
			t.Errorf("%s: %v, want it in line %d", tt.name, err, tt.line)
		}
		if quotes(err, secret[19:]) || quotes(err, strings.ToLower(secret[19:])) {
			t.Errorf("%s: a secret is quoted: %v", tt.name, err)
		}
	}
}

func TestParseIdentities(t *testing.T) {
	secret := newIdentity(t).String()
	got, err := ParseIdentities(strings.NewReader("# created\n"+secret+"\nfake:good\r\n"), parseFakeIdentity)
	if err != nil || len(got) != 2 || got[0].(*HPKEIdentity).String() != secret {
		t.Fatalf("%d identities, %v", len(got), err)
	}
	for _, tt := range []struct {
		name, file string
		line       int
		want       error
	}{
		{"empty", "\n", 0, ErrNoKeys},
		{"unknown", secret + "\n" + "AGE-SECRET-KEY-1QQQ", 2, ErrUnknownKey},
		{"cut", secret[:60], 1, bech32.ErrChecksum},
		{"lower case", strings.ToLower(secret), 1, ErrUnknownKey},
		{"recipient", newIdentity(t).Recipient().Canonical(), 1, nil},
		{"ssh recipient", "ssh-ed25519 AAAA", 1, nil},
		{"malformed fake", "fake:", 1, errFake},
		{"comment behind", secret + " # mine", 1, nil},
		{"utf-16", "\xff\xfe#\x00", 0, nil},
	} {
		_, err := ParseIdentities(strings.NewReader(tt.file), parseFakeIdentity)
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			continue
		}
		var le *LineError
		if errors.As(err, &le) != (tt.line > 0) || le != nil && le.Line != tt.line {
			t.Errorf("%s: %v, want it in line %d", tt.name, err, tt.line)
		}
		if quotes(err, secret[19:]) || quotes(err, strings.ToLower(secret[19:])) {
			t.Errorf("%s: a secret is quoted: %v", tt.name, err)
		}
	}
}

// What is returned beside an error is nil, not a nil pointer in an interface.
func TestParseReturnsNil(t *testing.T) {
	for _, s := range []string{"", "age1pq1", "AGE-SECRET-KEY-PQ-1", "x"} {
		if r, err := ParseRecipient(s); err == nil || r != nil {
			t.Errorf("recipient %q: %v, %v", s, r, err)
		}
		if i, err := ParseIdentity(s); err == nil || i != nil {
			t.Errorf("identity %q: %v, %v", s, i, err)
		}
	}
}

func TestKeyFileIsBounded(t *testing.T) {
	line := newIdentity(t).Recipient().Canonical() + "\n"
	full := strings.Repeat(line, 128)
	full += strings.Repeat("#", MaxKeyFile-len(full))
	if got, err := ParseRecipients(strings.NewReader(full)); err != nil || len(got) != 128 {
		t.Errorf("a file of the full size: %d recipients, %v", len(got), err)
	}
	endless := &countingReader{r: iotest.DataErrReader(zeros{})}
	if _, err := ParseIdentities(endless); err == nil || errors.Is(err, ErrNoKeys) {
		t.Errorf("an endless file: %v", err)
	}
	if endless.n != MaxKeyFile+1 {
		t.Errorf("%d bytes of it were read", endless.n)
	}
	if _, err := ParseRecipients(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a failing reader: %v", err)
	}
	failing := io.MultiReader(strings.NewReader(line), iotest.ErrReader(io.ErrClosedPipe))
	if _, err := ParseRecipients(failing); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails later: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func FuzzParseRecipients(f *testing.F) {
	r := newIdentity(f).Recipient().Canonical()
	f.Add([]byte("# team\n" + r + "\n"))
	f.Add([]byte(r[:40] + "\r\nfake:good"))
	f.Add([]byte("AGE-SECRET-KEY-PQ-1QQ"))
	f.Add([]byte("\xef\xbb\xbf#\n\xff\xfe"))
	f.Fuzz(func(t *testing.T, file []byte) {
		kept := bytes.Clone(file)
		got, err := ParseRecipients(bytes.NewReader(file), parseFakeRecipient)
		if (err == nil) != (len(got) > 0) {
			t.Errorf("%d recipients and %v", len(got), err)
		}
		for _, r := range got {
			if !bytes.Contains(kept, []byte(r.Canonical())) {
				t.Errorf("%s is not in the file", r.Canonical())
			}
		}
	})
}

func FuzzParseIdentities(f *testing.F) {
	s := newIdentity(f).String()
	f.Add([]byte("# created\n" + s + "\n"))
	f.Add([]byte(s[:60] + "\r\nfake:good"))
	f.Add([]byte("age1pq1"))
	f.Fuzz(func(t *testing.T, file []byte) {
		kept := bytes.Clone(file)
		got, err := ParseIdentities(bytes.NewReader(file), parseFakeIdentity)
		if (err == nil) != (len(got) > 0) {
			t.Errorf("%d identities and %v", len(got), err)
		}
		for _, i := range got {
			if i, ok := i.(*HPKEIdentity); ok && !bytes.Contains(kept, []byte(i.String())) {
				t.Errorf("%s is not in the file", i.String())
			}
		}
	})
}

// What is more on a line than a key is named, not taken for a mistyped key.
func TestMoreThanAKey(t *testing.T) {
	id := newIdentity(t)
	for _, s := range []string{id.Recipient().Canonical() + " bob", id.Recipient().Canonical() + "\t# bob", "age1something bob"} {
		_, err := ParseRecipient(s)
		if e, ok := errors.AsType[*KeyError](err); !ok || !strings.Contains(e.Hint(), "line of its own") {
			t.Errorf("%q: %v", s[len(s)-5:], err)
		}
	}
	for _, s := range []string{id.String() + " mine", "AGE-PLUGIN-X-1QQ # mine"} {
		_, err := ParseIdentity(s)
		if e, ok := errors.AsType[*KeyError](err); !ok || quotes(err, id.String()) {
			t.Errorf("%v, %v", e, err)
		}
	}
	for _, s := range []string{"-----BEGIN PUBLIC KEY-----", "---- BEGIN SSH2 PUBLIC KEY ----"} {
		_, err := ParseRecipient(s)
		if e, ok := errors.AsType[*KeyError](err); !ok || !strings.Contains(e.Hint(), "ssh-keygen -i") || !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
