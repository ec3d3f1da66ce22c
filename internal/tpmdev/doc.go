// Package tpmdev finds a TPM 2.0 and talks to it.
//
// It adds to github.com/google/go-tpm what that library leaves to its caller:
//
//   - A deadline. Neither the kernel's device nor go-tpm has one: a TPM that
//     does not answer blocks for good. Here every command runs under a context;
//     when that ends, the TPM is given up (ErrHang) and so is the goroutine
//     that waits in the kernel, which nothing can interrupt.
//   - The response codes that mean "ask again" (TPM_RC_RETRY and its like)
//     are obeyed until the context ends.
//   - Errors that can be told apart: absent, no permission, busy, hanging, in
//     failure mode, locked out, each with a hint for the person at the machine.
//   - The storage root key from the TCG's template H-2, and sessions salted to
//     it with encrypted parameters. A plain TPM2_GetRandom crosses the bus to a
//     discrete TPM in clear, and an unsalted session's key can be computed by
//     whoever reads the bus.
//
// Where the TPM is:
//
//	$BULLA_TPM    a device, or the Unix socket of an emulator such as swtpm;
//	              nothing else is tried when it is set
//	Linux         /dev/tpmrm0, else /dev/tpm0 (which has no resource manager)
//	FreeBSD       /dev/tpm0
//	Windows       TPM Base Services
//	elsewhere     there is none
//
// References are to the TCG's "Trusted Platform Module Library", family 2.0,
// by part and section. The package knows nothing of containers or keys and
// imports nothing else of this module.
package tpmdev
