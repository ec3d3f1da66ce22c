// Package tpmkey keeps post-quantum identities in a TPM: slot type 1, with a secret
// key that no file holds in clear.
//
// [Generate] seals the 32-byte seed of an identity to the machine's TPM 2.0 and
// gives a [Key]: a file without a secret, which only that TPM opens, and by
// default only with a PIN. Encrypting needs no TPM, since the recipient is an
// ordinary public key; opening does:
//
//	Key.Identity → find the TPM → is it the one? → ask the PIN → unseal → unwrap
//
// # The file
//
// The "TSS2 PRIVATE KEY" that other TPM programs read (see tss2.go), with lines
// of comment above it (see pem.go):
//
//	# recipient: age1pq1…      whom to encrypt to
//	# srk: 000b…               the Name of the storage root key it is sealed to
//	# ek: 000b…                the Name of the TPM's endorsement key, if it has one
//	-----BEGIN TSS2 PRIVATE KEY-----
//
// # What protects the seed
//
// The object is sealed under the ECC storage root key of the TCG's template H-2,
// is bound to this TPM (fixedTPM, fixedParent), and opens in one of these ways:
//
//	PIN           userWithAuth; guesses count against the dictionary attack
//	              protection (noDA clear): after some, the TPM locks itself
//	PIN and PCRs  PolicyPCR and PolicyAuthValue; userWithAuth clear, so that the
//	              policy cannot be gone around
//	PCRs          PolicyPCR
//	neither       userWithAuth and an empty authorization: whoever can use the TPM
//
// Seed and PIN cross the bus to a discrete TPM only inside sessions that are
// salted to the storage root key and encrypt their parameters. An interposer
// between the program and the TPM could offer a storage root key of its own, so
// the key's Name is pinned in the file, and compared before the PIN is asked for.
// When a key is made there is nothing to compare with yet: trust on first use.
//
// Once unsealed, the key is in memory as every other identity is, for as long as
// the [Identity] lives, so that it takes one PIN to open many files. The buffers
// with the seed and the PIN are wiped at once; the copies that go-tpm makes of
// them are left to the garbage collector.
//
// A PIN is the TPM's authorization value as it is, so that any TPM program can
// unseal the key; hence at most 32 bytes, and no zero byte.
//
// # What is lost when
//
// Clearing the TPM (TPM2_Clear, "reset the TPM" in the firmware's setup) or
// replacing the machine's board loses the key for good. A change of the PCRs
// loses it until they are as they were. So files should have a second recipient.
//
// # References
//
//	draft-bottomley-tpm2-keys    ASN.1 Specification for TPM 2.0 Key Files
//	TCG TPM 2.0 Library          Part 1: 19 (authorizations, sessions), 21 (encrypted
//	                             parameters); Part 3: the commands
//	TCG EK Credential Profile    template H-2 (storage root key), L-2 (endorsement key)
package tpmkey
