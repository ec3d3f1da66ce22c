// Package keyslot wraps a container's content-encryption key (CEK) for each
// recipient, and unwraps it again. It is section 5 of spec/bulla.md.
//
// A [Recipient] is the public half of a key: it makes the body of one slot. An
// [Identity] is the secret half: it takes a slot and returns the CEK, or reports
// that the slot is for another key. Package slot says what a container asks
// of both. Every pair below is one slot type:
//
//	type  name        recipient                identity               opens with
//	1     hpke        [HPKERecipient]          [HPKEIdentity]         a post-quantum identity, age1pq1…
//	2     passphrase  [PassphraseRecipient]    [PassphraseIdentity]   a passphrase
//	3     age         package agekey           package agekey         whatever age knows
//	4     kek         [KEK]                    [KEK]                  a file with a 32-byte key
//
// Package tpmkey keeps the seed of a type 1 identity sealed to a TPM. Package
// keyfile reads and writes files of keys of all these kinds.
//
// The wrapping of every type but 3 is bound to the container by one string,
//
//	info = "bulla/v2 slot" || BE16(type) || preamble
//
// so that a slot moved into another container, or relabelled as another type,
// does not open. Whether a CEK that comes out is the container's own is decided
// by the reader, which checks it against the commitment (KEY-1).
//
// What this package draws itself, it draws from an [entropy.Mixer]: the salts
// of types 2 and 4 and the X25519 ephemeral of type 1, so that hardware entropy
// reaches the wrapping and not only the CEK. The coins of ML-KEM and everything
// in a slot of type 3 come from the operating system, since the code that uses
// them takes no other.
//
// Keys in text are age's: recipients and identities that age-keygen -pq makes
// are read here, and those made here are read by age. [ParseRecipients] and
// [ParseIdentities] read files of them, with the kinds that other packages add.
//
// No error of this package contains a key, a passphrase or a part of one.
package keyslot
