package origin

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bulla/format"
)

// The clauses of spec/origin.md.
const (
	ORIGIN1 format.Clause = "ORIGIN-1" // the file's parts
	ORIGIN2 format.Clause = "ORIGIN-2" // the statement's lines
	ORIGIN3 format.Clause = "ORIGIN-3" // chunks and payload agree
	ORIGIN4 format.Clause = "ORIGIN-4" // the signature
	ORIGIN5 format.Clause = "ORIGIN-5" // reader: an allowed signer
	ORIGIN6 format.Clause = "ORIGIN-6" // the segments' roots give the root
	ORIGIN7 format.Clause = "ORIGIN-7" // the container's head is the statement's
	ORIGIN8 format.Clause = "ORIGIN-8" // the payload is the statement's
	ORIGIN9 format.Clause = "ORIGIN-9" // reader: nothing is released before it is checked

	ORIGIN10 format.Clause = "ORIGIN-10" // reader: a set is signed as a set, part by part
)

// Clauses are those that a container and its signature can break.
var Clauses = []format.Clause{ORIGIN1, ORIGIN2, ORIGIN3, ORIGIN4, ORIGIN5, ORIGIN6, ORIGIN7, ORIGIN8, ORIGIN10}

// HashSize is the size of SHA-256 in bytes.
const HashSize = 32

// A Hash is a node of the tree.
type Hash [HashSize]byte

const (
	firstLine = "bulla statement 1"     // a later layout has another number
	setLine   = "bulla set statement 1" // of a set

	// maxStatement bounds a statement in bytes: the lines before the name have 350.
	maxStatement = 1024
	maxName      = 255 // of a statement, in bytes

	// MaxSegments is how many segments a signed container may have: 32 TiB of
	// plaintext. The roots then take 128 MiB, the most that ssh-keygen reads.
	MaxSegments = 1 << 22
)

// A Statement is what is signed of a container, or of a set.
type Statement struct {
	Head    [format.IdentitySize]byte // bytes 0..95, the commitment included; of a set its root's
	Parts   int                       // containers of a set; 0 if it is no set
	Chunks  int64                     // of a container
	Payload int64                     // of a container: size of all chunks with their tags, in bytes
	Root    Hash                      // over the segments of a container, or the entries of a set
	Time    time.Time                 // when it was made, by the signer's clock; whole seconds
	Name    string                    // what the signer calls it, or ""
}

// Text is the statement as it is signed.
func (s *Statement) Text() []byte {
	first, extent := firstLine, fmt.Sprintf("chunks: %d\npayload: %d", s.Chunks, s.Payload)
	if s.Parts > 0 {
		first, extent = setLine, fmt.Sprintf("parts: %d", s.Parts)
	}
	b := fmt.Appendf(nil, "%s\nhead: %x\n%s\nroot: %x\ntime: %s\n", first, s.Head, extent, s.Root, s.Time.UTC().Format(time.RFC3339))
	if s.Name != "" {
		b = fmt.Appendf(b, "name: %s\n", s.Name)
	}
	return b
}

// HeadSize is the size in bytes of the container's head and tail.
func (s *Statement) HeadSize() int64 { return format.HeadSizeOf(s.Head[:]) }

// Size is the size of the container in bytes.
func (s *Statement) Size() int64 { return 2*s.HeadSize() + s.Payload }

// Segments is how many segments the payload has.
func (s *Statement) Segments() int64 {
	return (s.Chunks + format.SegmentChunks - 1) / format.SegmentChunks
}

// ParseStatement parses the text of a statement, which must be what Text would make of
// the result: there is one text for every statement. It fails with an *Error of
// ORIGIN-2 or ORIGIN-3.
func ParseStatement(text []byte) (*Statement, error) {
	lines := strings.SplitAfter(string(text), "\n")
	if len(text) > maxStatement || lines[len(lines)-1] != "" {
		return nil, malformed(ORIGIN2, "the statement does not end in time")
	}
	lines = lines[:len(lines)-1]
	s := new(Statement)
	type field struct {
		key   string
		parse func(string) error
	}
	fields := []field{
		{"head", func(v string) error { return parseHex(s.Head[:], v) }},
		{"chunks", func(v string) (err error) { s.Chunks, err = strconv.ParseInt(v, 10, 64); return err }},
		{"payload", func(v string) (err error) { s.Payload, err = strconv.ParseInt(v, 10, 64); return err }},
		{"root", func(v string) error { return parseHex(s.Root[:], v) }},
		{"time", func(v string) (err error) { s.Time, err = time.Parse(time.RFC3339, v); return err }},
		{"name", func(v string) error { s.Name = v; return checkName(v) }},
	}
	switch {
	case len(lines) > 0 && lines[0] == setLine+"\n":
		fields = slices.Replace(fields, 1, 3, field{"parts", func(v string) (err error) { s.Parts, err = strconv.Atoi(v); return err }})
	case len(lines) == 0 || lines[0] != firstLine+"\n":
		return nil, unsupported(ORIGIN2, "the statement does not begin with %q", firstLine)
	}
	for i, line := range lines[1:] {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case i >= len(fields) || ok && key != fields[i].key:
			return nil, unsupported(ORIGIN2, "the statement has a line that this version does not know")
		case !ok || fields[i].parse(value) != nil:
			return nil, malformed(ORIGIN2, "the statement's %s is not valid", fields[i].key)
		}
	}
	if !bytes.Equal(s.Text(), text) {
		return nil, malformed(ORIGIN2, "the statement is not written in the one way there is")
	}
	return s, s.check()
}

// check enforces ORIGIN-3.
func (s *Statement) check() error {
	if !strings.HasPrefix(string(s.Head[:]), format.Magic) {
		return malformed(ORIGIN3, "the head is not that of a container")
	}
	if s.Parts > 0 {
		if s.Parts < minParts || s.Parts > maxParts {
			return malformed(ORIGIN3, "no set has %d parts", s.Parts)
		}
		return nil
	}
	if s.Segments() > MaxSegments {
		return unsupported(ORIGIN3, "the container has more than %d segments", MaxSegments)
	}
	h := s.HeadSize()
	if h == 0 || s.Payload < 0 || s.Payload > MaxSegments*format.SegmentChunks*format.SealedChunkSize {
		return malformed(ORIGIN3, "no container has these sizes")
	}
	if l, err := format.NewLayout(s.Size(), h); err != nil || l.Chunks != s.Chunks {
		return malformed(ORIGIN3, "%d bytes of payload are not %d chunks", s.Payload, s.Chunks)
	}
	return nil
}

func parseHex(dst []byte, s string) error {
	if len(s) != 2*len(dst) {
		return hex.ErrLength
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}

// ErrName is a name that no statement can have.
var ErrName = errors.New("origin: a name is 1 to 255 bytes of printable text")

// checkName refuses a name that is empty, long, or not printable.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ErrName
	}
	return nil
}
