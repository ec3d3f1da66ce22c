package origin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"bulla/format"
	"bulla/set"
)

// A setEntry is what is signed of one container of a set. It is a leaf of the tree whose
// root the set's statement has.
//
//	  0  96  head      bytes 0..95
//	 96   8  chunks
//	104   8  payload
//	112  32  root      over its segments
type setEntry struct {
	Head            [format.IdentitySize]byte
	Chunks, Payload int64
	Root            Hash
}

const (
	entrySize = format.IdentitySize + 8 + 8 + HashSize

	minParts = 3 // a root, a volume, an index (SET-1)
	maxParts = set.MaxVolumes + 2
)

// join returns the statement of a set, the roots of all its segments, and its entries.
func join(parts []*Part) (s Statement, roots []Hash, entries []byte) {
	for _, p := range parts {
		entries, _ = binary.Append(entries, binary.BigEndian, setEntry{p.Head, p.Chunks, p.Payload, p.Root}) // which has a fixed size
		roots = append(roots, p.Roots...)
	}
	return Statement{Head: parts[0].Head, Parts: len(parts), Root: entriesRoot(entries)}, roots, entries
}

func entriesRoot(entries []byte) Hash {
	h, leaves := sha256.New(), make([]Hash, len(entries)/entrySize)
	for i := range leaves {
		leaves[i] = leaf(h, entries[i*entrySize:][:entrySize])
	}
	return root(leaves)
}

// readEntries reads the entries of a set (ORIGIN-1, ORIGIN-3, ORIGIN-6).
func readEntries(r io.Reader, s *Statement, signer *Signer) ([]*Signed, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(s.Parts)*entrySize))
	if err != nil {
		return nil, err
	}
	if len(b) != s.Parts*entrySize {
		return nil, malformed(ORIGIN1, "the file does not have an entry for each of the %d parts", s.Parts)
	}
	if entriesRoot(b) != s.Root {
		return nil, forged(ORIGIN6, "the set's entries are not those that were signed")
	}
	if !bytes.HasPrefix(b, s.Head[:]) {
		return nil, malformed(ORIGIN3, "the first part is not the root")
	}
	all := make([]setEntry, s.Parts)
	if _, err := binary.Decode(b, binary.BigEndian, all); err != nil {
		return nil, err
	}
	parts := make([]*Signed, s.Parts)
	for i, e := range all {
		part := Statement{Head: e.Head, Chunks: e.Chunks, Payload: e.Payload, Root: e.Root, Time: s.Time, Name: s.Name}
		if err := part.check(); err != nil {
			return nil, err
		}
		parts[i] = &Signed{Statement: part, Signer: *signer}
	}
	return parts, nil
}
