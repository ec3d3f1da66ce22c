package tpmdev

import (
	"errors"
	"syscall"
)

// systemKind knows the causes that only this system has. ETIME is what the
// kernel's driver returns when a TPM does not answer it.
func systemKind(err error) error {
	if errors.Is(err, syscall.ETIME) {
		return ErrHang
	}
	return nil
}
