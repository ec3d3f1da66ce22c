package entropy

import (
	"bytes"
	"context"
	"crypto/fips140"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
)

// tpmTimeout bounds finding the TPM and connecting to it, and every draw with
// all it takes: sending again, reading the rest, a new session.
const tpmTimeout = 2 * time.Second

// tpmSource is TPM2_GetRandom over a session that is salted to the storage root
// key and encrypts what comes back. Between the processor and a discrete TPM is
// a bus that can be read and written with cheap tools: a plain TPM2_GetRandom
// crosses it in clear, and an unsalted session's key can be computed by whoever
// watches. The storage root key's Name is pinned, so that nobody can put a key
// of his own in its place after the first time.
//
// The session's salt is crypto/rand's. Where that is predictable, who reads the
// bus reads the TPM's bytes too; nobody else does.
type tpmSource struct {
	open    func(context.Context) (*tpmdev.TPM, error)
	timeout time.Duration // of finding the TPM, and of each draw

	// keep says that the connection stays open between draws. Without a
	// resource manager it does not: the session would stay in the TPM when
	// the program ends, and there is room for three.
	keep bool

	name    []byte // the storage root key's, since the first connection
	info    tpmdev.Info
	device  string
	retries uint64

	// While connected:
	tpm     *tpmdev.TPM
	session *tpmdev.Session
}

// errOtherTPM means that the TPM is not the one it was.
var errOtherTPM = errors.New("the TPM's storage root key is not the one it was")

const otherTPMHint = "the TPM was cleared or replaced, or something stands between it and the program"

func probeTPM() (Source, error) {
	if fips140.Enforced() { // then crypto/cipher panics at the session's CFB mode
		return nil, &off{state: Excluded, reason: "its sessions use AES-CFB, which GODEBUG=fips140=only forbids"}
	}
	s := &tpmSource{open: tpmdev.Open, timeout: tpmTimeout}
	if err := s.probe(); err != nil {
		return nil, err
	}
	return s, nil
}

// probe connects for the first time and learns which TPM this is.
func (s *tpmSource) probe() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return tpmOff(err)
	}
	s.info, s.device, s.keep = s.tpm.Info(), s.tpm.Device(), s.tpm.Managed()
	if !s.keep {
		s.disconnect(ctx)
	}
	return nil
}

func (s *tpmSource) Name() string { return "tpm" }

// Fill asks the TPM, over the session there is or a new one.
func (s *tpmSource) Fill(p []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	err := s.draw(ctx, p)
	if stale(err) {
		// The TPM no longer knows the session: the machine has slept, or the
		// emulator was restarted. Once more with a new one.
		s.retries++
		s.disconnect(ctx)
		err = s.draw(ctx, p)
	}
	if err != nil || !s.keep {
		s.disconnect(ctx)
	}
	return tpmOff(err)
}

func (s *tpmSource) draw(ctx context.Context, p []byte) error {
	if s.session == nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	return s.session.Random(ctx, p)
}

// stale says whether err is a TPM's word about a session or handle, not a
// failure of its own kind.
func stale(err error) bool {
	e, ok := errors.AsType[*tpmdev.Error](err)
	if !ok || e.Kind != nil {
		return false
	}
	_, ok = errors.AsType[tpm2.TPMRC](err)
	return ok
}

// connect opens the TPM, makes sure that it is the one it was and starts the
// session.
func (s *tpmSource) connect(ctx context.Context) error {
	tpm, err := s.open(ctx)
	if err != nil {
		return err
	}
	s.tpm = tpm
	srk, err := tpm.SRK(ctx)
	if err == nil {
		err = s.begin(ctx, srk)
		srk.Flush(ctx) // the session needs it no longer
	}
	if err != nil {
		s.disconnect(ctx)
	}
	return err
}

// begin starts the session, if the key is the one that it was.
func (s *tpmSource) begin(ctx context.Context, srk *tpmdev.SRK) (err error) {
	if s.name == nil {
		s.name = srk.Name
	}
	if !bytes.Equal(s.name, srk.Name) {
		return &off{state: Failed, reason: errOtherTPM.Error() + " when this process started", hint: otherTPMHint}
	}
	s.session, err = srk.Session(ctx, tpmdev.Out)
	return err
}

// disconnect ends the session and the connection, if there are any.
func (s *tpmSource) disconnect(ctx context.Context) {
	if s.session != nil {
		s.session.Flush(ctx) // a TPM that does not do it has ended it already
	}
	if s.tpm != nil {
		s.retries += s.tpm.Retries()
		s.tpm.Close()
	}
	s.session, s.tpm = nil, nil
}

// pin makes sure that the TPM is the one whose name the file holds. A file that
// is not there is written: trust on first use.
func (s *tpmSource) pin(path string) error {
	pinned, err := readPin(path)
	switch {
	case err == nil && !bytes.Equal(pinned, s.name):
		return &off{state: Failed, reason: fmt.Sprintf("%v when %s was written", errOtherTPM, path),
			hint: otherTPMHint + "; if you know why, remove the file"}
	case errors.Is(err, fs.ErrNotExist):
		err = writePin(path, s.name)
	}
	if err != nil {
		return &off{state: Failed, reason: fmt.Sprintf("cannot pin the storage root key: %v", err), hint: "make the file readable and writable for this user"}
	}
	return nil
}

// tpmOff says what an error of the TPM's means for the source.
func tpmOff(err error) error {
	e, ok := errors.AsType[*tpmdev.Error](err)
	if !ok {
		return err
	}
	o := &off{state: Failed, reason: e.Error(), hint: e.Hint()}
	switch e.Kind {
	case tpmdev.ErrAbsent:
		o.state = Absent
	case tpmdev.ErrPermission:
		o.state = Excluded
	}
	return o
}

// TPMStatus says which TPM it is and how it is spoken to.
type TPMStatus struct {
	Device       string `json:"device"` // a path, or "TBS"
	Manufacturer string `json:"manufacturer"`
	Vendor       string `json:"vendor"`
	Firmware     string `json:"firmware"`
	Session      string `json:"session"`  // the kind of session
	SRKName      string `json:"srk_name"` // hexadecimal: 000b and a SHA-256 hash
}

// describe adds what there is to say of the TPM.
func (s *tpmSource) describe(st *Status) {
	st.Detail = fmt.Sprintf("TPM2_GetRandom at %s, encrypted session", s.device)
	st.Retries = s.retries
	if s.tpm != nil {
		st.Retries += s.tpm.Retries()
	}
	st.TPM = &TPMStatus{
		Device:       s.device,
		Manufacturer: s.info.Manufacturer,
		Vendor:       s.info.Vendor,
		Firmware:     s.info.Firmware,
		Session:      tpmdev.SessionKind,
		SRKName:      hex.EncodeToString(s.name),
	}
}
