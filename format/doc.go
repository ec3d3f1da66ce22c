// Package format is the bulla container as bytes: sizes, offsets, the head and
// its slots, and what a stranger without any key can check about a file.
//
// A container is a head, a payload and a tail:
//
//	0              head      H = 4096 * pages bytes
//	H              payload   chunk 0, chunk 1, … each 65,536 + 16 bytes;
//	                         the last one always shorter: 0..65,535 + 16
//	size - H       tail      a second copy of the head
//
// The head says how the payload is sealed and holds the slots, each of which
// wraps the content-encryption key (CEK) for one recipient. The payload's
// chunks stand at offsets that are plain arithmetic ([Layout]): there is no
// index. The tail is what survives a damaged beginning, and what makes changing
// the recipients in place crash-safe.
//
// [Check] and [Report.Describe] say what a file is, to anyone; [Ends] does the same
// for a stream. The rest is the toolbox for a second implementation: the parsers
// and encoders of a head ([ReadHead], [ParseHead], [ParseDetachedHead], [Head.Append],
// [MACInput]), of
// slots and their bodies ([HPKEBody], [PassphraseBody], [KEKBody]), of the copies
// ([ReadCopies], [Copies.Conflict]) and the arithmetic of sizes ([Layout], [Room],
// [PagesFor]). Packages stream, keyslot and the verifier are built of these and
// nothing else.
//
// Nothing here holds a key, draws a random byte or starts a goroutine. Parsing
// is strict: there is one encoding for every content, so that [ParseHead]
// followed by [Head.Append] gives the same bytes for every input that parses.
// Each check names the clause of the specification (spec/bulla.md) it enforces,
// and every [ParseError] and [Finding] carries it.
package format
