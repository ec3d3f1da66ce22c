package tpmkey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// PCRs are what a TPM remembers of how the machine was started. A key can be
// bound to the values that some of them have, in the SHA-256 bank.
const (
	pcrCount    = 24 // TCG PC Client Platform TPM Profile, section 4.6
	pcrMaskSize = pcrCount / 8
)

// pcrPolicy is TPM2_PolicyPCR (Part 3, 23.7): some PCRs, and the SHA-256 of their
// values in ascending order.
type pcrPolicy struct {
	mask   [pcrMaskSize]byte // bit i%8 of byte i/8: PCR i
	values [sha256.Size]byte
}

// checkPCRs sorts numbers of PCRs and drops repeated ones.
func checkPCRs(numbers []int) ([]int, error) {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	for _, n := range numbers {
		if n < 0 || n >= pcrCount {
			return nil, fmt.Errorf("there is no PCR %d, only 0 to %d", n, pcrCount-1)
		}
	}
	return numbers, nil
}

func maskOf(numbers []int) (mask [pcrMaskSize]byte) {
	for _, n := range numbers {
		mask[n/8] |= 1 << (n % 8)
	}
	return mask
}

// numbers lists the PCRs in ascending order.
func (p *pcrPolicy) numbers() (numbers []int) {
	for n := range pcrCount {
		if p.mask[n/8]>>(n%8)&1 != 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func selection(mask []byte) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: mask}}}
}

// command is the policy command for a session.
func (p *pcrPolicy) command(session tpm2.TPMHandle) tpm2.PolicyPCR {
	return tpm2.PolicyPCR{PolicySession: session, PcrDigest: tpm2.TPM2BDigest{Buffer: p.values[:]}, Pcrs: selection(p.mask[:])}
}

// body is the command's parameters on the wire, as a key file has them.
//
//	 0   2  size of the digest, 32
//	 2  32  digest of the values
//	34   4  number of selections, 1
//	38   2  SHA-256, 000b
//	40   1  size of the mask, 3
//	41   3  mask
func (p *pcrPolicy) body() []byte {
	c := p.command(0)
	return append(tpm2.Marshal(c.PcrDigest), tpm2.Marshal(c.Pcrs)...)
}

const (
	pcrBodyDigest = 2
	pcrBodyMask   = pcrBodyDigest + sha256.Size + 4 + 2 + 1
	pcrBodySize   = pcrBodyMask + pcrMaskSize
)

// parsePCRPolicy reads what body writes. That the rest is as body writes it is for
// parseDER to see.
func parsePCRPolicy(b []byte) (*pcrPolicy, error) {
	if len(b) != pcrBodySize {
		return nil, malformed("a PCR policy of %d bytes, not %d", len(b), pcrBodySize)
	}
	p := &pcrPolicy{values: [sha256.Size]byte(b[pcrBodyDigest:]), mask: [pcrMaskSize]byte(b[pcrBodyMask:])}
	if p.mask == [pcrMaskSize]byte{} {
		return nil, malformed("a PCR policy without PCRs")
	}
	return p, nil
}

// policyDigest is the policy digest that an object carries (Part 1, 19.7): of
// one command and, if it takes a PIN, PolicyAuthValue.
func policyDigest(command tpm2.PolicyCommand, pin bool) []byte {
	c, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	if err == nil {
		err = command.Update(c)
	}
	if err == nil && pin {
		err = tpm2.PolicyAuthValue{}.Update(c)
	}
	if err != nil { // of what cannot be marshalled
		panic("internal error: " + err.Error())
	}
	return c.Hash().Digest
}

var errNoBank = errors.New("the TPM keeps no SHA-256 values of these PCRs")

// readPCRs makes the policy of the values that PCRs have now. The session, which
// proves that they are the TPM's, encrypts nothing: there is nothing to hide.
func (d *device) readPCRs(ctx context.Context, numbers []int) (*pcrPolicy, error) {
	p := &pcrPolicy{mask: maskOf(numbers)}
	hash := sha256.New()
	for _, n := range numbers {
		mask := maskOf([]int{n})
		rsp, err := tpm2.PCRRead{PCRSelectionIn: selection(mask[:])}.Execute(d.With(ctx), d.session(tpm2.Audit()))
		if err != nil {
			return nil, d.Err(err)
		}
		if len(rsp.PCRValues.Digests) != 1 || len(rsp.PCRValues.Digests[0].Buffer) != sha256.Size {
			return nil, fmt.Errorf("%w: PCR %d", errNoBank, n)
		}
		hash.Write(rsp.PCRValues.Digests[0].Buffer)
	}
	hash.Sum(p.values[:0])
	return p, nil
}
