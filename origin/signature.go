package origin

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"bulla/format"
)

// Namespace keeps a signature of a container from counting as one of anything else
// (OpenSSH's PROTOCOL.sshsig).
const Namespace = "bulla"

const (
	armorBegin = "-----BEGIN SSH SIGNATURE-----\n"
	armorEnd   = "\n-----END SSH SIGNATURE-----\n"

	// maxArmor bounds the armoured signature, in bytes: one with an RSA key of 16,384
	// bits has 6 KiB, one with certificates may have more.
	maxArmor = 64 << 10
)

// Sign signs a container, or a set: its root, its volumes in their order, and its index. It
// writes the signature file to w, and returns the statement in it, with the signer's time
// and name for what was signed. RSA keys sign with SHA-512. It fails with an *Error if no
// set can have these parts, with ErrName, with a *KeyError, and with what w fails with.
func Sign(w io.Writer, parts []*Part, when time.Time, name string, key ssh.Signer) (*Statement, error) {
	s, roots, entries := parts[0].Statement, parts[0].Roots, []byte(nil)
	if len(parts) > 1 {
		s, roots, entries = join(parts)
	}
	s.Time, s.Name = when.UTC().Truncate(time.Second), name
	if err := s.check(); err != nil {
		return nil, err
	}
	if len(roots) > MaxSegments {
		return nil, unsupported(ORIGIN3, "the set has more than %d segments", MaxSegments)
	}
	if name != "" {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	return &s, s.sign(w, entries, roots, key)
}

// A KeyError is a key that does not sign: its agent does not let it, say.
type KeyError struct{ Err error }

func (e *KeyError) Error() string { return "origin: the key does not sign: " + e.Err.Error() }
func (e *KeyError) Unwrap() error { return e.Err }

func (s *Statement) sign(w io.Writer, entries []byte, roots []Hash, key ssh.Signer) error {
	sig, err := sshsig.Sign(bytes.NewReader(s.Text()), key, sshsig.HashSHA512, Namespace)
	if err != nil {
		return &KeyError{err}
	}
	b := append(sshsig.Armor(sig), s.Text()...)
	b = append(b, '\n')
	b = append(b, entries...)
	for i := range roots {
		b = append(b, roots[i][:]...)
	}
	_, err = w.Write(b)
	return err
}

// A Signed is what somebody has signed of a container.
type Signed struct {
	Statement
	Signer

	// Set is what was signed of a set, if this is its root: the root, the volumes in their
	// order, the index. It is nil for a container that was signed by itself.
	Set []*Signed

	roots []Hash // of the segments
}

// Open reads a signature file from r and checks it: the signature, whether one of the
// allowed signers has made it, as of the time at (of the check, never the claimed one),
// and the roots of the segments. Nothing of it counts before that. Of a set it returns
// the root.
//
// It fails with an *Error, or one of r. It reads at most MaxSegments*HashSize bytes, the
// entries of a set, and a few more, and allocates what it has read.
func Open(r io.Reader, allowed *Allowed, at time.Time) (*Signed, error) {
	s, sig, first, err := read(r)
	if err != nil {
		return nil, err
	}
	signer, err := allowed.find(sig.PublicKey, at)
	if err != nil {
		return nil, err
	}
	r = io.MultiReader(bytes.NewReader(first), r)
	if s.Parts == 0 {
		signed := &Signed{Statement: *s, Signer: *signer}
		return signed, readRoots(r, signed)
	}
	parts, err := readEntries(r, s, signer)
	if err != nil {
		return nil, err
	}
	parts[0].Set = parts
	return parts[0], readRoots(r, parts...)
}

// Peek reads what a signature file says, and the fingerprint of the key that has signed
// it. Anybody may have: it proves nothing. It fails as Open does.
func Peek(r io.Reader) (s *Statement, fingerprint string, err error) {
	s, sig, _, err := read(r)
	if err != nil {
		return nil, "", err
	}
	return s, ssh.FingerprintSHA256(sig.PublicKey), nil
}

// read reads the armour and the statement, which must fit each other (ORIGIN-1 to
// ORIGIN-4), and returns what it has read beyond them.
func read(r io.Reader) (s *Statement, sig *sshsig.Signature, first []byte, err error) {
	front, err := io.ReadAll(io.LimitReader(r, maxArmor+maxStatement+1)) // and the empty line
	if err != nil {
		return nil, nil, nil, err
	}
	armor, rest, ok := bytes.Cut(front, []byte(armorEnd))
	armor, begins := bytes.CutPrefix(armor, []byte(armorBegin))
	if !ok || !begins || len(front)-len(rest) > maxArmor {
		return nil, nil, nil, malformed(ORIGIN1, "the file does not begin with an SSH signature")
	}
	text, first, ok := bytes.Cut(rest, []byte("\n\n"))
	if !ok {
		return nil, nil, nil, malformed(ORIGIN1, "no statement follows the signature")
	}
	text = rest[:len(text)+1]
	if sig, err = unarmor(armor); err != nil {
		return nil, nil, nil, malformed(ORIGIN1, "the SSH signature cannot be read: %v", err)
	}
	if err := sshsig.Verify(bytes.NewReader(text), sig, sig.PublicKey, sig.HashAlgorithm, Namespace); err != nil {
		return nil, nil, nil, forged(ORIGIN4, "the signature does not fit the statement")
	}
	s, err = ParseStatement(text)
	return s, sig, first, err
}

// unarmor reads what stands between the lines of the armour, with nothing else in it. As OpenSSH
// does, it takes no signature over SHA-1.
func unarmor(armor []byte) (*sshsig.Signature, error) {
	blob, err := base64.StdEncoding.Strict().DecodeString(string(armor)) // which skips line ends
	if err != nil {
		return nil, err
	}
	sig, err := sshsig.ParseSignature(blob)
	if err != nil {
		return nil, err
	}
	switch s := sig.Signature; {
	case s.Format == ssh.KeyAlgoRSA || s.Format == "ssh-dss":
		return nil, fmt.Errorf("%s uses SHA-1", s.Format)
	case len(s.Rest) > 0 && !strings.HasPrefix(s.Format, "sk-"): // a security key's flags and counter
		return nil, fmt.Errorf("%d bytes follow it", len(s.Rest))
	}
	return sig, nil
}

// readRoots reads the roots of the segments, and nothing must follow them (ORIGIN-1,
// ORIGIN-6).
func readRoots(r io.Reader, parts ...*Signed) error {
	n := int64(0)
	for _, s := range parts {
		n += s.Segments()
	}
	if n > MaxSegments {
		return unsupported(ORIGIN3, "the set has more than %d segments", MaxSegments)
	}
	b, err := io.ReadAll(io.LimitReader(r, n*HashSize+1))
	if err != nil {
		return err
	}
	if int64(len(b)) != n*HashSize {
		return malformed(ORIGIN1, "the file does not have one hash for each of the %d segments", n)
	}
	for _, s := range parts {
		s.roots = make([]Hash, s.Segments())
		for i := range s.roots {
			s.roots[i], b = Hash(b), b[HashSize:]
		}
		if root(slices.Clone(s.roots)) != s.Root {
			return forged(ORIGIN6, "the segments' hashes are not those that were signed")
		}
	}
	return nil
}

// CheckHead reports whether a copy of a head, its first format.IdentitySize bytes at
// least, is that of the container that was signed (ORIGIN-7). It fails with an *Error.
func (s *Signed) CheckHead(encoded []byte) error {
	if len(encoded) < format.IdentitySize || !bytes.Equal(encoded[:format.IdentitySize], s.Head[:]) {
		return forged(ORIGIN7, "the signature is of another container")
	}
	return nil
}
