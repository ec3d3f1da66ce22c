package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// extended is what the headers before a member's own say of it.
type extended struct {
	text map[string]string // the values of keys, as pax has them, which are not empty
	bad  error             // what of it cannot be read; nil if all can
	maps bool              // a sparse file's pieces are in it
	read *sparseMap        // what they are added to; nil if they are not wanted
}

// wanted are the keys of pax whose values are kept.
var wanted = strings.Fields(`path linkpath uname gname uid gid mtime size GNU.sparse.name GNU.sparse.major
	GNU.sparse.size GNU.sparse.realsize GNU.sparse.offset GNU.sparse.numbytes`)

// fail makes the member bad, unless it is.
func (x *extended) fail(err error) { x.bad = cmp.Or(x.bad, err) }

func (x *extended) set(key, value string) {
	if x.text == nil {
		x.text = make(map[string]string)
	}
	if value != "" { // or else the member's own header counts
		x.text[key] = value
	}
}

// number is the value of a key, or else another.
func (x *extended) number(key string, otherwise int64) int64 {
	text := x.text[key]
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		x.fail(damaged("an extended header has %q as its %s", text, key))
		return otherwise
	}
	return int64(n)
}

// time is a number of seconds, with a fraction or not, or else another time.
func (x *extended) time(otherwise time.Time) time.Time {
	text := x.text["mtime"]
	if text == "" {
		return otherwise
	}
	digits, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(digits, 10, 64)
	nano, err2 := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err = cmp.Or(err, err2); err != nil {
		x.fail(damaged("an extended header has %q as its mtime", text))
	}
	if strings.HasPrefix(digits, "-") {
		nano = -nano
	}
	return time.Unix(seconds, int64(nano))
}

// text sets a key to the data of a GNU header: a name, up to the first NUL.
func (t *tarArchive) text(data, size int64, x *extended, key string) error {
	if size < 0 || size > MaxName+1 {
		return tooLong(size)
	}
	b := make([]byte, size)
	if n, err := t.src.ReadAt(b, data); n < len(b) {
		return damage(early(err))
	}
	x.set(key, untilNUL(b))
	return nil
}

func tooLong(n int64) error {
	return &UnsupportedError{Why: "called by a name of " + strconv.FormatInt(n, 10) + " bytes"}
}

// early makes an end that came too early of an end.
func early(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pax reads an extended header: records of the form "LENGTH KEY=VALUE\n", LENGTH
// being that of the record (POSIX.1-2001). It may be of any size: what is not wanted
// of it, as the attributes of a file, is passed over and not kept. As with GNU tar a
// name ends at a NUL.
func (t *tarArchive) pax(data, size int64, x *extended) error {
	if size < 0 {
		return damaged("an extended header has no valid size")
	}
	r := bufio.NewReader(io.NewSectionReader(t.src, data, size))
	for size > 0 {
		length, err := x.record(r, size)
		if err != nil {
			return invalid(err, "an extended header")
		}
		size -= length
	}
	return nil
}

var errRecord = errors.New("not a record of pax")

// record takes one record, and says how long it is.
func (x *extended) record(r *bufio.Reader, most int64) (length int64, err error) {
	digits, err := r.ReadSlice(' ')
	if err != nil {
		return 0, err
	}
	length, err = strconv.ParseInt(string(digits[:len(digits)-1]), 10, 64)
	left := length - int64(len(digits))
	if err != nil || left <= 0 || length > most {
		return 0, errRecord
	}
	key, err := r.ReadSlice('=')
	if left -= int64(len(key)) + 1; err != nil || left < 0 {
		return 0, cmp.Or(err, errRecord)
	}
	value := &io.LimitedReader{R: r, N: left}
	if err := x.take(string(key[:len(key)-1]), value); err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, value); err != nil {
		return 0, err
	}
	if c, err := r.ReadByte(); err != nil || c != '\n' {
		return 0, cmp.Or(err, errRecord)
	}
	return length, nil
}

// take keeps the value of a key, if it is wanted.
func (x *extended) take(key string, value *io.LimitedReader) error {
	switch {
	case key == "GNU.sparse.map":
		if x.maps = x.maps || value.N > 0; x.read != nil {
			return x.read.pairs(bufio.NewReader(value), ',', -1)
		}
	case !slices.Contains(wanted, key):
	case value.N > MaxName:
		x.fail(tooLong(value.N))
	default:
		b, err := io.ReadAll(value)
		if err != nil {
			return err
		}
		x.set(key, untilNUL(b))
		x.maps = x.maps || key == "GNU.sparse.offset"
		if key == "GNU.sparse.numbytes" { // after its offset
			return x.read.add(x.number("GNU.sparse.offset", -1), x.number(key, -1))
		}
	}
	return nil
}

// invalid is the error of what does not follow its format, unless err says more.
func invalid(err error, what string) error {
	if isOwn(err) || errors.As(err, new(*sourceError)) {
		return err
	}
	return damaged("%s is not valid", what)
}

// A sparseFormat is a way in which a tar has the pieces of a sparse file, and not
// the holes between.
type sparseFormat uint8

const (
	notSparse  sparseFormat = iota
	sparseOld               // in the header, and in blocks that follow it
	sparsePax               // in the extended header: GNU's formats 0.0 and 0.1
	sparseData              // before the data: 1.0
)

// sparse is the format that an extended header speaks of.
func (x *extended) sparse() sparseFormat {
	switch x.number("GNU.sparse.major", -1) {
	case -1:
		if !x.maps {
			return notSparse
		}
	case 0:
	case 1:
		return sparseData
	default:
		x.fail(&UnsupportedError{Why: "a sparse file of version " + x.text["GNU.sparse.major"]})
	}
	return sparsePax
}

// maxPieces is how many a sparse file may have: 24 MiB of memory.
const maxPieces = 1 << 20

// A sparseMap is the pieces of a sparse file, in their order. They lie behind each
// other. One that is nil takes pieces and keeps none.
type sparseMap struct {
	size, stored int64 // of the file, and of its data
	all          []Piece
	count        int   // those of no length included
	end, at      int64 // of the last, in the file and in the data
}

var errMap = damaged("the map of a sparse file is not valid")

func (s *sparseMap) add(offset, length int64) error {
	if s == nil {
		return nil
	}
	switch s.count++; {
	case s.count > maxPieces:
		return &UnsupportedError{Why: "in more than " + strconv.Itoa(maxPieces) + " pieces"}
	case offset < s.end || length < 0 || length > s.size-offset || length > s.stored-s.at:
		return errMap
	case length > 0:
		s.all = append(s.all, Piece{offset, s.at, length})
	}
	s.end, s.at = offset+length, s.at+length
	return nil
}

// pairs adds so many pieces, or with -1 all there are: offsets and lengths in decimal,
// with a mark behind each but the last.
func (s *sparseMap) pairs(r *bufio.Reader, mark byte, count int64) error {
	for ; count != 0; count-- {
		offset, err := readNumber(r, mark)
		if err == io.EOF && count < 0 {
			return nil
		}
		length, err2 := readNumber(r, mark)
		if err = cmp.Or(err, err2); err != nil {
			return invalid(err, "the map of a sparse file")
		}
		if err := s.add(offset, length); err != nil {
			return err
		}
	}
	return nil
}

// readNumber reads a number and the mark behind it, if it is not the last.
func readNumber(r *bufio.Reader, mark byte) (int64, error) {
	text, err := r.ReadSlice(mark)
	if err != nil && (err != io.EOF || len(text) == 0) {
		return 0, err
	}
	n, err := strconv.ParseUint(string(bytes.TrimSuffix(text, []byte{mark})), 10, 63)
	return int64(n), err
}

// sparsePieces is where the data of a sparse file lies.
func (t *tarArchive) sparsePieces(m *Member) (all []Piece, err error) {
	s, data := &sparseMap{size: m.Size, stored: m.tar.length, all: []Piece{}}, m.tar.data
	switch m.tar.sparse {
	case sparseOld:
		_, err = t.oldMap(m.tar.header, s)
	case sparsePax:
		_, _, err = t.read(m.place, &extended{read: s})
	case sparseData: // how many, and then each number on a line, filled up to whole blocks
		section := io.NewSectionReader(t.src, data, m.tar.length)
		r := bufio.NewReader(section)
		var count int64
		if count, err = readNumber(r, '\n'); err != nil {
			return nil, invalid(err, "the map of a sparse file")
		}
		err = s.pairs(r, '\n', count)
		read, _ := section.Seek(0, io.SeekCurrent)
		data = t.after(data, read-int64(r.Buffered()))
	}
	if err == nil && s.at > m.tar.length-(data-m.tar.data) {
		err = errMap
	}
	for i := range s.all {
		s.all[i].At += data
	}
	return s.all, err
}

// oldMap reads the pieces in the header and in blocks that follow it, and says where
// the data begins. A piece without an offset is the end of those in a block.
func (t *tarArchive) oldMap(header int64, s *sparseMap) (data int64, err error) {
	at, n, more := atPieces, piecesInHeader, atMore
	for data = header; ; at, n, more = 0, piecesInBlock, piecesInBlock*pieceBytes {
		b, err := t.block(data)
		if err != nil {
			return 0, damage(err)
		}
		for data += tarBlock; n > 0 && b[at] != 0; n-- {
			if err := s.add(b.number(at, 12), b.number(at+12, 12)); err != nil {
				return 0, err
			}
			at += pieceBytes
		}
		if b[more] == 0 {
			return data, nil
		}
	}
}
