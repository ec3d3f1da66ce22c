// Package origin says who made a container. Encryption does not: whoever has a
// container's key can seal any chunk of it anew. A signature is made with an SSH key,
// and stands in a file of its own, NAME.bulla.sig (spec/origin.md):
//
//	-----BEGIN SSH SIGNATURE-----     SSHSIG, namespace "bulla", over the statement
//	…
//	-----END SSH SIGNATURE-----
//	bulla statement 1                 the statement: which container, how long, which hash
//	head: 8962756c…                   bytes 0..95
//	chunks: 2049
//	payload: 134266896
//	root: 5f1c…                       of a hash tree over the payload's chunks
//	time: 2026-11-28T12:00:00Z
//	                                  an empty line, then the roots of the segments,
//	32 bytes a segment                of 128 chunks each, in binary
//
// OpenSSH makes and checks the same signature:
//
//	ssh-keygen -Y verify -n bulla -f ALLOWED_SIGNERS -I WHO -s NAME.bulla.sig < STATEMENT
//
// The slots are not signed, so that a container whose recipients change keeps its
// signature. The tree is over whole chunks and never over their tags alone: whoever has
// the key can make another chunk with the same tag.
//
//   - A [Maker] hashes a container as it is sealed, and [NewPart] one that there is; both
//     make the statement.
//   - [Sign] signs it; [Open] checks a signature file with the signers that are allowed.
//   - [Signed.Reader] and [Signed.ReaderAt] stand between a container and what decrypts it.
//     They release no byte of a segment before it has proved to be the one that was
//     signed: in pipes and ranges too, in one pass.
//
// Nothing here has a key of the container.
package origin
