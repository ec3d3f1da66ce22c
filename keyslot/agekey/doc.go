// Package agekey is slot type 3: the kinds of key that age brings. It adapts
// age's classical keys, ssh keys and every age plugin (YubiKey, TPM, Secure
// Enclave, FIDO2 …) to the interfaces of package slot, and is the only package
// that imports filippo.io/age.
//
// The body of a slot of type 3 is a complete binary age file for one recipient,
// whose plaintext is the container's content-encryption key (CEK). So age -d on
// an extracted body gives the CEK to anyone who holds the key, without bulla. Two things follow that types 1, 2 and 4 do better:
//
//   - The CEK is wrapped by age's file key of 128 bits, drawn like everything
//     else in the slot from the system's generator: no hardware entropy reaches
//     it, and a user who requires some must be refused such a recipient.
//   - Nothing binds the slot to the container but the CEK's commitment. A slot
//     moved into another container opens, and the CEK is then found not to fit.
//
// A post-quantum recipient of age, "age1pq1…", is never handled here: it is slot
// type 1, in package keyslot.
//
// [ParseRecipient] reads recipients, [ParseIdentityFile] identity files of every
// form: age's lines, ssh private keys, and either kind protected by a passphrase.
// Plugins and passphrases need somebody to ask: a [UI].
//
// age takes no contexts. Whatever may wait, for a plugin or for a person, runs in
// a goroutine of its own, which a cancelled call leaves behind: it ends when the
// prompt or the plugin does, at the latest with the process.
package agekey
