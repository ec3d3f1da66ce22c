package tpmdev

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/windowstpm"
	"github.com/google/go-tpm/tpmutil/tbs"
)

// service is the TPM Base Services, which manage resources as Linux's
// /dev/tpmrm0 does.
type service struct{ tpm transport.TPMCloser }

const serviceName = "TBS"

func openSystem() (string, conn, error) {
	tpm, err := windowstpm.Open()
	if err != nil {
		return serviceName, nil, err
	}
	return serviceName, service{tpm}, nil
}

// openDevice fails: Windows has no device files for TPMs.
func openDevice(path string) (conn, error) {
	return nil, fmt.Errorf("%w: Windows has no TPM devices, only %s", errAddress, serviceName)
}

// exchange sends the command. After a dozen TPM_RC_RETRY, go-tpm's transport
// returns neither a response nor an error.
func (s service) exchange(cmd []byte) ([]byte, error) {
	rsp, err := s.tpm.Send(cmd)
	if err == nil && len(rsp) == 0 {
		return nil, tpm2.TPMRCRetry
	}
	return rsp, err
}

func (s service) Close() error { return s.tpm.Close() }

func (s service) managed() bool { return true }

// systemKind knows the causes that only this system has.
func systemKind(err error) error {
	for _, k := range []struct{ cause, kind error }{
		{tbs.ErrTPMNotFound, ErrAbsent},
		{windowstpm.ErrNotTPM20, ErrAbsent},
		{tbs.ErrServiceDisabled, ErrAbsent},
		{tbs.ErrServiceNotRunning, ErrAbsent},
		{tbs.ErrAccessDenied, ErrPermission},
		{tbs.ErrTooManyTBSContexts, ErrBusy},
		{tbs.ErrTooManyResources, ErrBusy},
		{tbs.ErrServiceStartPending, ErrBusy},
		{tbs.ErrCommandCanceled, ErrBusy},
	} {
		if errors.Is(err, k.cause) {
			return k.kind
		}
	}
	if _, ok := errors.AsType[*syscall.DLLError](err); ok {
		return ErrAbsent // a Windows without TBS
	}
	return nil
}
