// Package epoch is forward secrecy for files at rest: keys that end on a date. It is
// spec/epoch.md.
//
// A [Calendar] is a public file with one key for every day, week, month or quarter: an
// epoch. Whoever encrypts takes the key of today ([Calendar.At]). A [Keeper] is the
// secret file that opens what was encrypted:
//
//	c(t)     64 random bytes, the state at epoch t
//	c(t+1) = Expand(c(t), "bulla/v2 epoch next" || BE64(t), 64)
//	seed(t)= Expand(c(t), "bulla/v2 epoch key"  || BE64(t), 32)    of an ordinary post-quantum identity
//
// From c(t) follow the keys of epoch t and of all later ones, and of none before. So
// [Keeper.Advance], which puts c(t+1) in the place of c(t), ends epoch t: what was
// encrypted in it, and to nobody else, is lost, wherever copies of it lie.
//
// Dates are days in UTC, and epochs are numbered from the one that holds 1970-01-01. No
// function of this package looks at a clock: the caller says what day it is.
//
// What this does not do: an old copy of the keeper still opens the old epochs, unless it is
// sealed to a TPM; so does another recipient of a file, and a content key that somebody
// kept. Who steals c(t) reads all epochs from t on.
package epoch
