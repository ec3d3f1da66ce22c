package format

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A copy is intact if its magic, its lengths and its checksum hold. These stand in
// the same places in every version, and are checked first: so damage is called
// that, and what is unsupported was written so.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// copySize reads from the start b of a copy how long it is. It enforces HEAD-1,
// HEAD-3 and HEAD-16, and HEAD-4 as far as the fields for these go. What there is
// of a copy that is cut off is checked in the same order.
func copySize(b []byte, detached bool) (int, error) {
	if n := min(len(b), len(Magic)); string(b[:n]) != Magic[:n] {
		return 0, foreignError(b)
	}
	pages := MinPages
	if len(b) >= offPages+2 {
		pages = int(binary.BigEndian.Uint16(b[offPages:]))
		if pages < MinPages || pages > MaxPages {
			return 0, wrongPages(pages)
		}
	}
	if len(b) < offSlots {
		reason := "the input ends inside the head"
		if len(b) == 0 {
			reason = "the input is empty"
		}
		return 0, &ParseError{HEAD4, "preamble", int64(len(b)), ErrTruncated, reason}
	}
	if b[offVersion] == version1 { // it has no such field
		return pages * PageSize, nil
	}
	most := pages
	if detached {
		most = MaxPages
	}
	n := int(binary.BigEndian.Uint16(b[offCopyPages:]))
	if n < pages || n > most {
		return 0, wrongCopyPages(n, pages, most)
	}
	return n * PageSize, nil
}

// CopySize returns how many bytes of b have to be at hand to tell whether an intact
// copy, detached or not, begins it: the copy's length, or as long as that is not
// known, or if there can be none, as many as it takes to know.
func CopySize(b []byte) int {
	n, err := copySize(b, true)
	if err != nil {
		return offSlots
	}
	return n
}

func wrongPages(pages int) error {
	return &ParseError{HEAD3, "pages", offPages, ErrMalformed, fmt.Sprintf("pages is %d, not %d to %d", pages, MinPages, MaxPages)}
}

func wrongCopyPages(n, least, most int) error {
	reason := fmt.Sprintf("copy pages is %d, not %d to %d", n, least, most)
	if least == most {
		reason = fmt.Sprintf("copy pages is %d, not %d as in the head and the tail of its container", n, least)
	}
	return &ParseError{HEAD16, "copy pages", offCopyPages, ErrMalformed, reason}
}

// CheckCopy enforces HEAD-1, HEAD-3 to HEAD-5 and HEAD-16 on the start of b: that an
// intact copy of a head, as it stands in a container, begins there, of whatever
// version. It returns the copy's length.
func CheckCopy(b []byte) (int, error) { return checkCopy(b, false) }

func checkCopy(b []byte, detached bool) (int, error) {
	n, err := copySize(b, detached)
	if err != nil {
		return 0, err
	}
	if len(b) < n {
		return 0, &ParseError{HEAD4, "head", int64(len(b)), ErrTruncated,
			fmt.Sprintf("the input ends after %d of the head's %d bytes", len(b), n)}
	}
	if end := n - checksumSize; crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return 0, &ParseError{HEAD5, "checksum", int64(end), ErrDamaged, "the checksum does not fit the bytes before it"}
	}
	return n, nil
}
