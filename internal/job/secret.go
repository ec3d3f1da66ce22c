package job

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"bulla/keyslot"
)

// A Secret is what whoever plans a job keeps. One of MACKey and Identity is there. In a file it is
//
//	# comments
//	AGE-SECRET-KEY-PQ-1...  or  bulla-mac-key-HEX
//
// so that the one with an identity is also a file of identities.
type Secret struct {
	Job      string                // its ID
	MACKey   []byte                // of the set that is written: for Finish alone
	Identity *keyslot.HPKEIdentity // for those who run parts
}

// Format implements [fmt.Formatter]: no verb prints the key.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "key of bulla job "+s.Job) }

const macKeyPrefix = "bulla-mac-key-"

// MaxSecret is how many bytes a file with a Secret has at most.
const MaxSecret = 4096

// Encode is the file: secret.
func (s *Secret) Encode() []byte {
	if s.Identity != nil {
		return []byte("# the key of bulla job " + s.Job + ", for those who run its parts\n" + s.Identity.String() + "\n")
	}
	return []byte("# the key of bulla job " + s.Job + ", for bulla job finish: it opens nothing\n" + macKeyPrefix + hex.EncodeToString(s.MACKey) + "\n")
}

// ErrNoSecret is returned for a file that has none.
var ErrNoSecret = errors.New("it is not the key of a job")

// ParseSecret reads such a file.
func ParseSecret(text []byte) (*Secret, error) {
	s := new(Secret)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		if s.Identity != nil || s.MACKey != nil || len(text) > MaxSecret {
			return nil, ErrNoSecret
		} else if digits, ok := strings.CutPrefix(line, macKeyPrefix); ok {
			s.MACKey, err = hex.DecodeString(digits)
		} else {
			s.Identity, err = keyslot.ParseHPKEIdentity(line)
		}
		if err != nil { // which might quote it
			return nil, ErrNoSecret
		}
	}
	if s.Identity == nil && len(s.MACKey) != macKeySize {
		return nil, ErrNoSecret
	}
	return s, nil
}

const macKeySize = 32

// public is what a plan says of the secret: the public half, or the SHA-256.
func (s *Secret) public() string {
	if s.Identity != nil {
		return s.Identity.Recipient().Canonical()
	}
	sum := sha256.Sum256(s.MACKey)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// fits refuses a secret that is not the job's.
func (j *Job) fits(s *Secret) error {
	if s == nil || s.public() != j.Key || (s.Identity == nil) != (j.Kind == Encrypt) { // a plan is public: it may name any key
		return j.fails(OtherKey, "", nil)
	}
	return nil
}

// NeedsKey reports whether those who run parts need the job's key.
func (j *Job) NeedsKey() bool { return j.Kind == Verify && j.Key != "" || j.Kind == Decrypt }
