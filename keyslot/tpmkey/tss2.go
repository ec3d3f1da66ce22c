package tpmkey

import (
	"bytes"
	"encoding/asn1"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// The DER inside a "TSS2 PRIVATE KEY" (draft-bottomley-tpm2-keys, sections 3
// and 4), as far as sealed data has need of it:
//
//	TPMKey ::= SEQUENCE {
//	    type       OBJECT IDENTIFIER                            2.23.133.10.1.5, sealed data
//	    emptyAuth  [0] EXPLICIT BOOLEAN OPTIONAL                TRUE: opens without a PIN
//	    policy     [1] EXPLICIT SEQUENCE OF TPMPolicy OPTIONAL  there is one if it is bound to PCRs
//	    parent     INTEGER                                      40000001, the owner hierarchy: template H-2
//	    pubkey     OCTET STRING                                 TPM2B_PUBLIC
//	    privkey    OCTET STRING                                 TPM2B_PRIVATE
//	}
//	TPMPolicy ::= SEQUENCE {
//	    commandCode    [0] EXPLICIT INTEGER
//	    commandPolicy  [1] EXPLICIT OCTET STRING                the command's parameters
//	}
type derKey struct {
	Type      asn1.ObjectIdentifier
	EmptyAuth bool        `asn1:"optional,explicit,tag:0"`
	Policy    []derPolicy `asn1:"optional,explicit,omitempty,tag:1"`
	Parent    int64
	Public    []byte
	Private   []byte
}

type derPolicy struct {
	Code int64  `asn1:"explicit,tag:0"`
	Body []byte `asn1:"explicit,tag:1"`
}

var oidSealedData = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 5}

const (
	sizeField  = 2 // of a TPM2B
	uniqueSize = 32

	// maxPrivate bounds the TPM2B_PRIVATE, in bytes. Sealed by the TPMs there
	// are, a seed takes about 160.
	maxPrivate = 1024
)

// sealed is an object sealed under a TPM's storage root key: what it takes to
// open it, and the two halves that TPM2_Create gave.
type sealed struct {
	pin     bool       // takes a PIN
	pcrs    *pcrPolicy // nil if it is bound to no PCRs
	counted *counted   // nil if it is bound to no counter; no key file has it
	unique  [uniqueSize]byte
	private []byte // the content of the TPM2B_PRIVATE
}

// public is the object's public area. All of it but unique follows from what it
// takes to open the object; so nothing that comes from a file needs parsing.
func (s *sealed) public() tpm2.TPMTPublic {
	p := tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgKeyedHash,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:     true,
			FixedParent:  true,
			UserWithAuth: !s.hasPolicy(), // otherwise the PIN alone would do
			NoDA:         !s.pin,         // without a PIN there is nothing to guess
		},
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{Buffer: s.unique[:]}),
	}
	switch {
	case s.pcrs != nil:
		p.AuthPolicy.Buffer = policyDigest(s.pcrs.command(0), s.pin)
	case s.counted != nil:
		p.AuthPolicy.Buffer = policyDigest(s.counted.command(0, nil), s.pin)
	}
	return p
}

// hasPolicy reports whether s opens in a policy session alone.
func (s *sealed) hasPolicy() bool { return s.pcrs != nil || s.counted != nil }

// der encodes s.
func (s *sealed) der() ([]byte, error) {
	k := derKey{
		Type:      oidSealedData,
		EmptyAuth: !s.pin,
		Parent:    int64(tpm2.TPMRHOwner),
		Public:    tpm2.Marshal(tpm2.New2B(s.public())),
		Private:   tpm2.Marshal(tpm2.TPM2BPrivate{Buffer: s.private}),
	}
	if s.pcrs != nil {
		k.Policy = append(k.Policy, derPolicy{int64(tpm2.TPMCCPolicyPCR), s.pcrs.body()})
		if s.pin {
			k.Policy = append(k.Policy, derPolicy{int64(tpm2.TPMCCPolicyAuthValue), nil})
		}
	}
	return asn1.Marshal(k)
}

// parseDER decodes what der encodes, and nothing else.
func parseDER(b []byte) (*sealed, error) {
	var k derKey
	_, err := asn1.Unmarshal(b, &k)
	switch {
	case err != nil:
		return nil, malformed("not the DER of a TPM key: %v", err)
	case !k.Type.Equal(oidSealedData):
		return nil, malformed("its type is %v, not %v (sealed data)", k.Type, oidSealedData)
	case k.Parent != int64(tpm2.TPMRHOwner):
		return nil, malformed("its parent is %#x, not the owner hierarchy's storage root key", k.Parent)
	case len(k.Private) <= sizeField || len(k.Private) > sizeField+maxPrivate:
		return nil, malformed("its private half is no TPM2B_PRIVATE of 1 to %d bytes", maxPrivate)
	}
	s := &sealed{pin: !k.EmptyAuth, private: k.Private[sizeField:]}
	if len(k.Policy) > 0 {
		if s.pcrs, err = parsePCRPolicy(k.Policy[0].Body); err != nil {
			return nil, err
		}
	}
	if n := len(k.Public); n >= uniqueSize {
		s.unique = [uniqueSize]byte(k.Public[n-uniqueSize:])
	}
	// Whatever else it says must be what follows from that.
	if again, err := s.der(); err != nil || !bytes.Equal(again, b) {
		return nil, malformed("it is not a seed that was sealed with a PIN, PCRs or both, and nothing else")
	}
	return s, nil
}

// malformed is an error that wraps [ErrMalformed].
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}
