package tpmdev

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// Info says which TPM this is.
type Info struct {
	Manufacturer string // the TCG's code: "INTC", "AMD", "IFX", "STM", "IBM" (emulators) …
	Vendor       string // what the manufacturer calls it
	Firmware     string // four numbers
}

// Info says which TPM this is, as it said when it was opened.
func (t *TPM) Info() Info { return t.info }

// Lockout is the state of the protection against guessing authorizations
// (Part 1, 19.8).
type Lockout struct {
	Failures    uint32        // wrong authorizations that count at the moment
	MaxFailures uint32        // at this many the TPM is locked out
	Interval    time.Duration // one failure is forgotten each time this has passed
}

// Lockout asks the TPM for its lockout state.
func (t *TPM) Lockout(ctx context.Context) (Lockout, error) {
	p, err := t.properties(ctx, tpm2.TPMPTLockoutCounter, tpm2.TPMPTLockoutInterval)
	if err != nil {
		return Lockout{}, err
	}
	return Lockout{
		Failures:    p[tpm2.TPMPTLockoutCounter],
		MaxFailures: p[tpm2.TPMPTMaxAuthFail],
		Interval:    time.Duration(p[tpm2.TPMPTLockoutInterval]) * time.Second,
	}, nil
}

func (t *TPM) readInfo(ctx context.Context) (Info, error) {
	p, err := t.properties(ctx, tpm2.TPMPTManufacturer, tpm2.TPMPTFirmwareVersion2)
	if err != nil {
		return Info{}, err
	}
	v1, v2 := p[tpm2.TPMPTFirmwareVersion1], p[tpm2.TPMPTFirmwareVersion2]
	return Info{
		Manufacturer: text(p, tpm2.TPMPTManufacturer),
		Vendor: text(p, tpm2.TPMPTVendorString1, tpm2.TPMPTVendorString2,
			tpm2.TPMPTVendorString3, tpm2.TPMPTVendorString4),
		Firmware: fmt.Sprintf("%d.%d.%d.%d", v1>>16, v1&0xffff, v2>>16, v2&0xffff),
	}, nil
}

// properties reads the properties first to last. What the TPM does not know is
// missing from the map.
func (t *TPM) properties(ctx context.Context, first, last tpm2.TPMPT) (map[tpm2.TPMPT]uint32, error) {
	rsp, err := tpm2.GetCapability{
		Capability:    tpm2.TPMCapTPMProperties,
		Property:      uint32(first),
		PropertyCount: uint32(last-first) + 1,
	}.Execute(t.With(ctx))
	if err != nil {
		return nil, t.Err(err)
	}
	list, err := rsp.CapabilityData.Data.TPMProperties()
	if err != nil {
		return nil, t.Err(err)
	}
	p := make(map[tpm2.TPMPT]uint32)
	for _, property := range list.TPMProperty {
		p[property.Property] = property.Value
	}
	return p, nil
}

// text joins properties that hold four ASCII characters each. What is not
// printable is left out: the result ends up on terminals.
func text(p map[tpm2.TPMPT]uint32, properties ...tpm2.TPMPT) string {
	var s strings.Builder
	for _, property := range properties {
		for _, c := range binary.BigEndian.AppendUint32(nil, p[property]) {
			if ' ' <= c && c <= '~' {
				s.WriteByte(c)
			}
		}
	}
	return strings.Join(strings.Fields(s.String()), " ")
}
