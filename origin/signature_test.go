package origin

import (
	"bytes"
	"context"
	"crypto"
	//lint:ignore SA1019 what is refused is made with it
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"bulla/format"
	"bulla/internal/vectors"
	"bulla/stream"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// keys are one of each kind that people have.
func keys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"ed25519": ed, "ecdsa": ec, "rsa": r}
}

func signer(t testing.TB, k crypto.Signer) ssh.Signer {
	t.Helper()
	s, err := ssh.NewSignerFromSigner(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// allowed is a list of allowed signers with one key in it.
func allowed(t testing.TB, options string, key ssh.PublicKey) *Allowed {
	t.Helper()
	a, err := ParseAllowed(fmt.Appendf(nil, "# the team\n\nalice@example.com,bob %s %s", options, ssh.MarshalAuthorizedKey(key)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func signedFile(t testing.TB, c []byte, key ssh.Signer) []byte {
	t.Helper()
	s, roots := made(t, c, 1, 1<<20)
	var b bytes.Buffer
	if _, err := Sign(&b, []*Part{{*s, roots}}, s.Time, s.Name, key); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
}

// OpenSSH takes what we sign, with every kind of key, and we take what it signs.
func TestOpenSSH(t *testing.T) {
	needs(t, "ssh-keygen")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	c := container(1, 100_000)
	s, roots := made(t, c, 1, 1<<20)
	if err := os.WriteFile(path("statement"), s.Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, k := range keys(t) {
		key := signer(t, k)
		line := fmt.Appendf(nil, "alice@example.com namespaces=\"bulla\" %s", ssh.MarshalAuthorizedKey(key.PublicKey()))
		if err := errors.Join(os.WriteFile(path("allowed"), line, 0o600), os.WriteFile(path("sig"), signedFile(t, c, key), 0o600)); err != nil {
			t.Fatal(err)
		}
		verify := exec.Command("ssh-keygen", "-Y", "verify", "-n", Namespace, "-f", path("allowed"), "-I", "alice@example.com", "-s", path("sig"))
		verify.Stdin = bytes.NewReader(s.Text())
		if out, err := verify.CombinedOutput(); err != nil {
			t.Errorf("%s: ssh-keygen refuses: %v %s", name, err, out)
		}

		// The other way.
		block, err := ssh.MarshalPrivateKey(k, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path("key"), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(path("statement.sig"))
		if out, err := exec.Command("ssh-keygen", "-Y", "sign", "-n", Namespace, "-f", path("key"), path("statement")).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		armor, err := os.ReadFile(path("statement.sig"))
		if err != nil {
			t.Fatal(err)
		}
		file := slices.Concat(armor, s.Text(), []byte("\n"), bytesOf(roots))
		a, err := ParseAllowed(line)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Open(bytes.NewReader(file), a, now); err != nil || got.Principal != "alice@example.com" || got.Root != s.Root {
			t.Errorf("%s: what ssh-keygen signed: %+v, %v", name, got, err)
		}
	}
}

// A key in an agent signs without leaving it, and one of a security key, which adds its
// flags and its counter to what it signs.
func TestAgent(t *testing.T) {
	ours, theirs := net.Pipe()
	ring := agent.NewKeyring()
	go agent.ServeAgent(ring, theirs)
	defer ours.Close()
	for _, k := range keys(t) {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	signers, err := agent.NewClient(ours).Signers()
	if err != nil {
		t.Fatal(err)
	}
	signers = append(signers, newSecurityKey(t))
	c := container(1, 1000)
	for _, key := range signers {
		if s, err := Open(bytes.NewReader(signedFile(t, c, key)), allowed(t, "", key.PublicKey()), now); err != nil || s.Principal != "alice@example.com,bob" {
			t.Errorf("%s: %v", key.PublicKey().Type(), err)
		}
	}
}

// A securityKey signs as a FIDO authenticator does (OpenSSH's PROTOCOL.u2f).
type securityKey struct {
	public  ssh.PublicKey
	private ed25519.PrivateKey
	flags   byte
}

func newSecurityKey(t *testing.T) *securityKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	blob := ssh.Marshal(struct{ Type, Key, Application string }{ssh.KeyAlgoSKED25519, string(public), "ssh:"})
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		t.Fatal(err)
	}
	return &securityKey{key, private, 1} // a person was there
}

func (k *securityKey) PublicKey() ssh.PublicKey { return k.public }

func (k *securityKey) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	app, message := sha256.Sum256([]byte("ssh:")), sha256.Sum256(data)
	trailer := binary.BigEndian.AppendUint32([]byte{k.flags}, 7) // counter
	sig := ed25519.Sign(k.private, slices.Concat(app[:], trailer, message[:]))
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: sig, Rest: trailer}, nil
}

// Who may sign what, and when.
func TestAllowed(t *testing.T) {
	key := signer(t, keys(t)["ed25519"])
	file := signedFile(t, container(1, 10), key)
	for options, why := range map[string]string{
		"":                               "",
		`namespaces="bulla"`:             "",
		`namespaces="git,bulla"`:         "",
		`namespaces="bul*"`:              "",
		`namespaces="git"`:               "namespaces",
		`namespaces="*,!bulla"`:          "namespaces",
		`namespaces="bull"`:              "namespaces",
		`namespaces=""`:                  "namespaces",
		`namespaces="git, bulla"`:        "namespaces",
		`namespaces="[b]ulla"`:           "namespaces",
		`namespaces="b\ulla"`:            "namespaces",
		`valid-after="20260501Z"`:        "",
		`valid-after="202605011200Z"`:    "",
		`valid-after="20260501120001Z"`:  "not valid yet",
		`valid-before="20260502Z"`:       "",
		`valid-before="20260501120000Z"`: "no longer valid",
		`namespaces="bulla",valid-after="20250101Z",valid-before="20260101Z"`: "no longer valid",
	} {
		_, err := Open(bytes.NewReader(file), allowed(t, options, key.PublicKey()), now)
		if e, ok := errors.AsType[*Error](err); (why != "") != ok || ok && (e.Clause != ORIGIN5 || !strings.Contains(e.Reason, why)) {
			t.Errorf("%s: %v", options, err)
		}
	}
	other := signer(t, keys(t)["ed25519"])
	if _, err := Open(bytes.NewReader(file), allowed(t, "", other.PublicKey()), now); !errors.Is(err, format.ErrForged) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Open(bytes.NewReader(file), new(Allowed), now); !errors.Is(err, format.ErrForged) {
		t.Errorf("nobody is allowed: %v", err)
	}
	public := string(ssh.MarshalAuthorizedKey(key.PublicKey()))
	for _, bad := range []string{"alice", "alice not-a-key", "alice cert-authority " + public, `alice verify-required ` + public, `alice valid-after="yesterday" ` + public, `alice valid-after="" ` + public} {
		if _, err := ParseAllowed([]byte(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, options := range []string{`namespaces=bulla`, `namespaces="git",namespaces="bulla"`, `valid-before="20200101",VALID-BEFORE="20990101"`, `valid-before=20990101`} {
		if _, err := ParseAllowed([]byte("alice " + options + " " + public)); err == nil {
			t.Errorf("%s: ssh-keygen refuses it", options)
		}
	}
	two, err := ParseAllowed([]byte(`"a person" valid-before="20200101Z" ` + public + "later@example.com " + public))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Open(bytes.NewReader(file), two, now); err != nil || s.Principal != "later@example.com" {
		t.Errorf("the key's second line: %v", err)
	}
}

// What ssh-keygen takes of a file of allowed signers we take, and nothing that it does not take.
func TestAllowedAsOpenSSH(t *testing.T) {
	needs(t, "ssh-keygen")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	key := signer(t, keys(t)["ed25519"])
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	file := signedFile(t, container(1, 10), key)
	s, _, _, err := read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("sig"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string // of the file; KEY stands for the key
		ok   bool
		more bool // that ssh-keygen takes, and we do not: nothing is allowed that it does not allow
	}{
		{text: "alice KEY", ok: true},
		{text: "alice KEY and a comment", ok: true},
		{text: "  \talice\tKEY", ok: true},
		{text: "# us\r\n\r\nalice KEY\r\n", ok: true},
		{text: "alice namespaces=\"bulla\" KEY\r\n", ok: true},
		{text: "bob,ali* KEY", ok: true},
		{text: "*,!bob KEY", ok: true},
		{text: "\"alice\" KEY", ok: true},
		{text: "\"bob,alice\"\tKEY", ok: true},
		{text: "\"alice KEY"},
		{text: "\"\" KEY"},
		{text: "!bob KEY"},
		{text: "KEY"},
		{text: "alice NAMESPACES=\"bulla\" KEY", ok: true},
		{text: "alice namespaces=\"b?lla,x\" KEY", ok: true},
		{text: "alice namespaces=\"a\\\"b,bulla\" KEY", ok: true},
		{text: "alice namespaces=\"*,!bulla\" KEY"},
		{text: "alice namespaces=\"!git\" KEY"},
		{text: "alice namespaces=\"Bulla\" KEY"},
		{text: "alice namespaces=\"bulla KEY"},
		{text: "alice namespaces=bulla KEY"},
		{text: "alice valid-after=\"20200101\" KEY", ok: true},
		{text: "alice valid-after=\"20200101z\" KEY", ok: true},
		{text: "alice valid-after=\"20200101UTC\" KEY", ok: true},
		{text: "alice valid-after=\"202605011159Z\" KEY", ok: true},
		{text: "alice valid-after=\"202605011201Z\" KEY"},
		{text: "alice valid-after=\"20260501120000Z\" KEY", ok: true},
		{text: "alice valid-after=\"20260503120001\" KEY"},
		{text: "alice valid-before=\"20260501120001Z\",valid-after=\"20260429\" KEY", ok: true},
		{text: "alice valid-before=\"202604291159\" KEY"},
		{text: "alice valid-before=\"20260501120000Z\" KEY", more: true}, // before that, the manual says
		{text: "alice valid-before=\"00010101Z\" KEY"},
		{text: "alice valid-after=\"19700101Z\" KEY"},
		{text: "alice valid-after=\"2020010100\" KEY"},
		{text: "alice valid-after=\"202001012400Z\" KEY"},
		{text: "alice valid-after=\"20200101 \" KEY"},
		{text: "alice valid-after=\"20200101ZZ\" KEY"},
		{text: "alice valid-after=\"20200101ZUTC\" KEY"},
		{text: "alice valid-after=\"Z\" KEY"},
		{text: "alice valid-after=\"20200230\" KEY", more: true},
		{text: "alice cert-authority KEY"},
		{text: "alice no-touch-required KEY"},
		{text: "alice namespaces=\"git\" KEY\nalice KEY", ok: true},
		{text: "bob cert-authority KEY\nalice KEY", more: true}, // which would need certificates
	} {
		text := strings.ReplaceAll(c.text, "KEY", public)
		if err := os.WriteFile(path("allowed"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		verify := exec.Command("ssh-keygen", "-Y", "verify", "-O", "verify-time=20260501120000Z", "-n", Namespace, "-f", path("allowed"), "-I", "alice", "-s", path("sig"))
		verify.Stdin = bytes.NewReader(s.Text())
		out, theirs := verify.CombinedOutput()
		a, ours := ParseAllowed([]byte(text))
		if ours == nil {
			_, ours = Open(bytes.NewReader(file), a, now)
		}
		if (ours == nil) != c.ok || (theirs == nil) != (c.ok || c.more) {
			t.Errorf("%s: %v; ssh-keygen: %v, %s", c.text, ours, theirs, out)
		}
	}
}

// A signerFunc signs in a way of its own.
type signerFunc struct {
	key  ssh.PublicKey
	sign func(data []byte) (*ssh.Signature, error)
}

func (k signerFunc) PublicKey() ssh.PublicKey                              { return k.key }
func (k signerFunc) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) { return k.sign(data) }
func (k signerFunc) SignWithAlgorithm(_ io.Reader, data []byte, _ string) (*ssh.Signature, error) {
	return k.sign(data)
}

// Signatures that OpenSSH does not take, and others in its forms.
func TestForms(t *testing.T) {
	needs(t, "ssh-keygen")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	all := keys(t)
	ed, rsaKey := signer(t, all["ed25519"]), signer(t, all["rsa"]).(ssh.AlgorithmSigner)
	overSHA1 := func(data []byte) (*ssh.Signature, error) {
		return rsaKey.SignWithAlgorithm(rand.Reader, data, ssh.KeyAlgoRSA)
	}
	cert := &ssh.Certificate{Key: rsaKey.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, ed); err != nil {
		t.Fatal(err)
	}
	var old dsa.PrivateKey
	if err := errors.Join(dsa.GenerateParameters(&old.Parameters, rand.Reader, dsa.L1024N160), dsa.GenerateKey(&old, rand.Reader)); err != nil {
		t.Fatal(err)
	}
	dss, err := ssh.NewSignerFromKey(&old)
	if err != nil {
		t.Fatal(err)
	}
	absent := newSecurityKey(t)
	absent.flags = 0
	trailing := func(data []byte) (*ssh.Signature, error) {
		sig, err := ed.Sign(rand.Reader, data)
		sig.Rest = []byte{0}
		return sig, err
	}
	c := container(1, 10)
	s, roots := made(t, c, 1, 1<<20)
	tail := slices.Concat(s.Text(), []byte("\n"), bytesOf(roots))
	good := signedFile(t, c, ed)
	keygen := func(namespace, hash string) []byte {
		t.Helper()
		block, err := ssh.MarshalPrivateKey(all["ed25519"], "")
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(path("statement.sig"))
		if err := errors.Join(os.WriteFile(path("key"), pem.EncodeToMemory(block), 0o600), os.WriteFile(path("statement"), s.Text(), 0o600)); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("ssh-keygen", "-Y", "sign", "-n", namespace, "-O", "hashalg="+hash, "-f", path("key"), path("statement")).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		armor, err := os.ReadFile(path("statement.sig"))
		if err != nil {
			t.Fatal(err)
		}
		return append(armor, tail...)
	}
	lines := func(old, by string) []byte { return bytes.Replace(good, []byte(old), []byte(by), 1) }
	for name, c := range map[string]struct {
		file   []byte
		key    ssh.PublicKey
		clause format.Clause // that it breaks
		theirs string        // with which they refuse it; "" if they need not
	}{
		"SHA-256":                {keygen(Namespace, "sha256"), ed.PublicKey(), "", ""},
		"another namespace":      {keygen("file", "sha512"), ed.PublicKey(), ORIGIN4, "namespace"},
		"RSA with SHA-1":         {signedFile(t, c, signerFunc{rsaKey.PublicKey(), overSHA1}), rsaKey.PublicKey(), ORIGIN1, "unsupported"},
		"a certificate's SHA-1":  {signedFile(t, c, signerFunc{cert, overSHA1}), cert, ORIGIN1, "unsupported"},
		"DSA":                    {signedFile(t, c, dss), dss.PublicKey(), ORIGIN1, ""},
		"a byte after it":        {signedFile(t, c, signerFunc{ed.PublicKey(), trailing}), ed.PublicKey(), ORIGIN1, "unexpected bytes"},
		"nobody at the key":      {signedFile(t, c, absent), absent.PublicKey(), ORIGIN4, ""},
		"somebody at the key":    {signedFile(t, c, newSecurityKey(t)), nil, "", ""},
		"a line before":          {append([]byte("x\n"), good...), ed.PublicKey(), ORIGIN1, "missing header"},
		"a header":               {lines("-----\n", "-----\nA: b\n\n"), ed.PublicKey(), ORIGIN1, "format"},
		"two beginnings":         {append([]byte(armorBegin+"!\n"), good...), ed.PublicKey(), ORIGIN1, "format"},
		"no line for its end":    {lines("\n-----END", "-----END"), ed.PublicKey(), ORIGIN1, "footer"},
		"another kind of armour": {lines("BEGIN SSH", "BEGIN PGP"), ed.PublicKey(), ORIGIN1, "missing header"},
	} {
		if c.key == nil {
			_, sig, _, err := read(bytes.NewReader(c.file))
			if err != nil {
				t.Fatal(err)
			}
			c.key = sig.PublicKey
		}
		_, err := Open(bytes.NewReader(c.file), allowed(t, "", c.key), now)
		if c.clause == "" && err != nil || c.clause != "" && !isClause(err, c.clause) {
			t.Errorf("%s: %v", name, err)
		}
		if c.clause != "" && c.theirs == "" {
			continue
		}
		line := append([]byte("alice "), ssh.MarshalAuthorizedKey(c.key)...)
		if err := errors.Join(os.WriteFile(path("allowed"), line, 0o600), os.WriteFile(path("sig"), c.file, 0o600)); err != nil {
			t.Fatal(err)
		}
		verify := exec.Command("ssh-keygen", "-Y", "verify", "-n", Namespace, "-f", path("allowed"), "-I", "alice", "-s", path("sig"))
		verify.Stdin = bytes.NewReader(s.Text())
		if out, err := verify.CombinedOutput(); (err == nil) != (c.theirs == "") || !strings.Contains(string(out), c.theirs) {
			t.Errorf("%s: ssh-keygen: %v, %s", name, err, out)
		}
	}
}

// Every bit of a signature file counts, and every byte of its length.
func TestOpenRefuses(t *testing.T) {
	key := signer(t, keys(t)["ed25519"])
	a := allowed(t, "", key.PublicKey())
	c := container(1, segment+10)
	file := signedFile(t, c, key)
	if _, err := Open(bytes.NewReader(file), a, now); err != nil {
		t.Fatal(err)
	}
	want, _ := made(t, c, 1, 1<<20)
	for i := range len(file) {
		for _, bit := range []byte{1, 0x20, 0x80} {
			bad := slices.Clone(file)
			bad[i] ^= bit
			s, err := Open(bytes.NewReader(bad), a, now)
			if err == nil && s.Statement == *want && bytes.Contains(file[:i+1], []byte("BEGIN SSH")) && !bytes.Contains(file[:i], []byte("END SSH")) {
				continue // the armour's line ends say nothing
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("bit %#x of byte %d: %v", bit, i, err)
			}
		}
		if _, err := Open(bytes.NewReader(file[:i]), a, now); !errors.Is(err, format.ErrMalformed) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if _, err := Open(bytes.NewReader(append(file, 0)), a, now); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a byte more: %v", err)
	}
	if _, err := Open(io.MultiReader(strings.NewReader("x"), bytes.NewReader(file)), a, now); !errors.Is(err, format.ErrMalformed) {
		t.Errorf("a byte before: %v", err)
	}
	s, _ := made(t, c, 1, 1<<20)
	s.Payload = MaxSegments * sealedSegmentSize
	s.Chunks = s.Payload / format.SealedChunkSize
	if err := s.check(); err == nil {
		t.Error("a payload of whole chunks alone")
	}
}

// A signature is of one container: parts of two signed ones never pass for one.
func TestSplices(t *testing.T) {
	key := signer(t, keys(t)["ed25519"])
	a := allowed(t, "", key.PublicKey())
	x, y := container(1, 2*segment+10), container(1, 2*segment+10)
	y[40] ^= 1                  // another salt: another container, of the same payload
	y[4096+sealedSegmentSize]++ // but for one byte
	signed, err := Open(bytes.NewReader(signedFile(t, x, key)), a, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.CheckHead(x[:4096]); err != nil {
		t.Error(err)
	}
	if err := signed.CheckHead(y[:4096]); !errors.Is(err, format.ErrForged) {
		t.Errorf("the head of another container: %v", err)
	}
	if err := signed.CheckHead(x[:95]); err == nil {
		t.Error("a part of a head")
	}
	spliced := append(slices.Clone(x[:5_000_000]), y[5_000_000:]...)
	r := signed.Reader(bytes.NewReader(spliced), 2)
	defer r.Close()
	if got, err := io.ReadAll(r); !errors.Is(err, format.ErrForged) || len(got) != 4096+sealedSegmentSize {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// The roots of one under the signature of the other.
	fx, fy := signedFile(t, x, key), signedFile(t, y, key)
	at := bytes.Index(fx, []byte("\n\n")) + 2
	ay := bytes.Index(fy, []byte("\n\n")) + 2
	if _, err := Open(bytes.NewReader(append(slices.Clone(fx[:at]), fy[ay:]...)), a, now); !errors.Is(err, format.ErrForged) {
		t.Errorf("the roots of another: %v", err)
	}
}

// A file that fails to be read is not a bad signature.
func TestOpenSourceFails(t *testing.T) {
	key := signer(t, keys(t)["ed25519"])
	file := signedFile(t, container(1, 10), key)
	broken := errors.New("broken")
	for _, n := range []int{0, 100, len(file) - 10} {
		r := io.MultiReader(bytes.NewReader(file[:n]), readerFunc(func([]byte) (int, error) { return 0, broken }))
		if _, err := Open(r, allowed(t, "", key.PublicKey()), now); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func FuzzOpen(f *testing.F) {
	key := signer(f, keys(f)["ed25519"])
	a := allowed(f, "", key.PublicKey())
	c := container(1, 1000)
	file := signedFile(f, c, key)
	want, _ := made(f, c, 1, 1<<20)
	f.Add(file)
	f.Add(bytes.ReplaceAll(file, []byte("chunks: 1"), []byte("chunks: 2")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Open(bytes.NewReader(b), a, now); err == nil && s.Statement != *want {
			t.Errorf("a forgery: %+v", s)
		}
	})
}

func FuzzParseAllowed(f *testing.F) {
	key := signer(f, keys(f)["ed25519"])
	f.Add(append([]byte(`alice namespaces="bulla",valid-after="20260501" `), ssh.MarshalAuthorizedKey(key.PublicKey())...))
	f.Add([]byte(`"a b" x`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAllowed(b)
		if (a == nil) != (err != nil) || err != nil && !strings.HasPrefix(err.Error(), "origin: allowed signers, line ") {
			t.Fatalf("%v, %v", a, err)
		}
		if err != nil {
			return
		}
		if n := bytes.Count(b, []byte("\n")) + 1; len(a.entries) > n {
			t.Fatalf("%d signers in %d lines", len(a.entries), n)
		}
		for _, e := range a.entries { // who signs as one of them is that one, or nobody
			if s, err := a.find(e.key, now); err == nil && !slices.ContainsFunc(a.entries, func(e entry) bool { return e.principals == s.Principal }) {
				t.Fatalf("%+v", s)
			}
		}
		// A line more that is none spoils all of it.
		if _, err := ParseAllowed(append(bytes.Clone(b), "\nx cert-authority y"...)); err == nil {
			t.Fatal("a line that is no signer is passed over")
		}
	})
}

func bytesOf(hashes []Hash) (b []byte) {
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// Of two signed containers of one size, nothing spliced together passes for either, to a
// byte: whichever chunks, cuts and heads are taken from the one and the other.
func TestSplicesAtRandom(t *testing.T) {
	splices := 10_000
	if testing.Short() {
		splices = 500
	}
	key := signer(t, keys(t)["ed25519"])
	a := allowed(t, "", key.PublicKey())
	x, y := container(1, 3*format.ChunkSize+10), container(1, 3*format.ChunkSize+10)
	y[70] ^= 1 // another commitment, of the same salt
	mathrand.New(mathrand.NewSource(2)).Read(y[4096 : len(y)-4096])
	signed, err := Open(bytes.NewReader(signedFile(t, x, key)), a, now)
	if err != nil {
		t.Fatal(err)
	}
	rng := mathrand.New(mathrand.NewSource(3))
	piece := make([]byte, len(x))
	for i := range splices {
		spliced := append(piece[:0], x...)
		switch chunk := func() int { return 4096 + rng.Intn(3)*format.SealedChunkSize }; i % 4 {
		case 0: // a chunk of the other, in any place
			copy(spliced[chunk():][:format.SealedChunkSize], y[chunk():])
		case 1: // a chunk of its own in another place
			copy(spliced[chunk():][:format.SealedChunkSize], x[chunk():])
		case 2: // the one up to a place, then the other
			at := rng.Intn(len(x))
			copy(spliced[at:], y[at:])
		default: // some bytes
			at := rng.Intn(len(x) - 1)
			n := 1 + rng.Intn(min(100_000, len(x)-at))
			copy(spliced[at:][:n], y[at:])
		}
		err := signed.CheckHead(spliced)
		if err == nil {
			r := signed.Reader(bytes.NewReader(spliced), 1)
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		same := bytes.Equal(spliced[:96], x[:96]) && bytes.Equal(spliced[4096:len(x)-4096], x[4096:len(x)-4096])
		if (err == nil) != same || err != nil && !errors.Is(err, format.ErrForged) {
			t.Fatalf("splice %d: %v", i, err)
		}
	}
}

// Whoever has the content key seals a chunk anew, so that it opens: a signature tells. And
// two containers of one payload, under two keys and one salt, have two statements.
func TestSealedAnew(t *testing.T) {
	all, err := vectors.Load("../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	opens := func(b []byte, v *vectors.Vector) error {
		ids, err := v.Identities()
		if err != nil {
			return err
		}
		var all []stream.Identity
		all = append(all, ids...)
		r, err := stream.NewReader(context.Background(), bytes.NewReader(b), all, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		return err
	}
	var v *vectors.Vector
	var whole, cek []byte
	for _, v = range all { // one of several chunks that opens
		if v.Stream.Outcome != vectors.Success || v.Huge() || v.Value("cek") == "" {
			continue
		}
		c, err := v.Container()
		if err == nil && c.Size() > 2*format.HeadSizeOf(c.Bytes())+format.SealedChunkSize && opens(c.Bytes(), v) == nil {
			whole = c.Bytes()
			break
		}
	}
	if cek, err = hex.DecodeString(v.Value("cek")); whole == nil || err != nil {
		t.Fatal("no vector", err)
	}
	key := signer(t, keys(t)["ed25519"])
	signed, err := Open(bytes.NewReader(signedFile(t, whole, key)), allowed(t, "", key.PublicKey()), now)
	if err != nil {
		t.Fatal(err)
	}
	head := int(signed.HeadSize())
	anew := slices.Clone(whole)
	sealed := vectors.NewSchedule(cek, anew[:64]).Seal(nil, 0, false, make([]byte, format.ChunkSize))
	copy(anew[head:], sealed)
	if err := opens(anew, v); err != nil {
		t.Fatalf("it does not open: %v", err)
	}
	ra, err := signed.ReaderAt(bytes.NewReader(anew), int64(len(anew)), 1)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := ra.ReadAt(make([]byte, 10), int64(head)); n != 0 || !isClause(err, ORIGIN8) {
		t.Errorf("%d bytes, %v", n, err)
	}
	other := slices.Clone(whole[:head])
	other[64] ^= 1 // its commitment
	if err := signed.CheckHead(other); !isClause(err, ORIGIN7) {
		t.Errorf("under another key: %v", err)
	}
}
