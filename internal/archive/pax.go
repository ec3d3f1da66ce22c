package archive

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// extended is what the headers before a member's own say of it.
type extended struct {
	name, link            string
	user, group, uid, gid string
	time                  time.Time
	size                  int64 // of what lies in the archive
	hasSize               bool
	bad                   error // what of it cannot be read; nil if all can

	sparse      sparseFormat
	realName    string // of a sparse file: name is for programs that do not know what that is
	realSize    int64
	hasReal     bool
	wantsPieces bool
	pieces      []Piece // At is where in the data, and not set yet
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

// maxPieces is how many a sparse file may have: 24 MiB of memory.
const maxPieces = 1 << 20

// text is the data of a GNU header: a name, up to the first NUL.
func (t *tar) text(data, size int64) (string, error) {
	if size < 0 || size > MaxName+1 {
		return "", tooLong(size)
	}
	b := make([]byte, size)
	if n, err := t.src.ReadAt(b, data); n < len(b) {
		return "", damage(whole(err))
	}
	text, _, _ := strings.Cut(string(b), "\x00")
	return text, nil
}

// named says of which member an error is.
func named(err error, m *Member) error {
	if e, ok := errors.AsType[*UnsupportedError](err); ok {
		e.Name = m.Name
	}
	return err
}

func tooLong(n int64) error {
	return &UnsupportedError{Why: "called by a name of " + strconv.FormatInt(n, 10) + " bytes"}
}

// whole makes an end that came too early of an end.
func whole(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pax reads an extended header: records of the form "LENGTH KEY=VALUE\n", LENGTH
// being that of the record (POSIX.1-2001). It may be of any size: what is not wanted
// of it, as the attributes of a file, is passed over and not kept. As with GNU tar a
// name ends at a NUL.
func (t *tar) pax(data, size int64, x *extended) error {
	if size < 0 {
		return damaged("an extended header has no valid size")
	}
	r := bufio.NewReader(io.NewSectionReader(t.src, data, size))
	for left := size; left > 0; {
		digits, err := r.ReadSlice(' ')
		if err != nil {
			return paxError(err)
		}
		length, err := strconv.ParseInt(string(bytes.TrimSuffix(digits, []byte(" "))), 10, 64)
		rest := length - int64(len(digits))
		if err != nil || rest <= 0 || length > left {
			return paxError(nil)
		}
		left -= length
		key, err := r.ReadSlice('=')
		if rest -= int64(len(key)); err != nil || rest < 1 {
			return paxError(err)
		}
		if err := x.record(string(key[:len(key)-1]), io.LimitReader(r, rest-1), rest-1); err != nil {
			return err
		}
		if c, err := r.ReadByte(); err != nil || c != '\n' {
			return paxError(err)
		}
	}
	return nil
}

func paxError(err error) error {
	if errors.As(err, new(*sourceError)) {
		return err
	}
	return damaged("an extended header is not valid")
}

// record takes one record of an extended header. An empty value leaves what the
// member's own header says.
func (x *extended) record(key string, value io.Reader, length int64) error {
	switch key {
	case "GNU.sparse.map":
		if length > 0 {
			x.sparse = max(x.sparse, sparsePax)
		}
		if x.wantsPieces {
			return x.readMap(bufio.NewReader(value), ',')
		}
	case "path", "linkpath", "uname", "gname", "uid", "gid", "mtime", "size", "GNU.sparse.name",
		"GNU.sparse.major", "GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.offset", "GNU.sparse.numbytes":
		if length > MaxName {
			x.bad = tooLong(length)
			break
		}
		b, err := io.ReadAll(value)
		if err != nil {
			return damage(err)
		}
		if text, _, _ := strings.Cut(string(b), "\x00"); text != "" && !x.set(key, text) {
			return damaged("an extended header has %q as its %s", text, key)
		}
		return nil
	}
	if n, err := io.Copy(io.Discard, value); err != nil || n < length {
		return damage(whole(err))
	}
	return nil
}

// set reports whether a value is valid.
func (x *extended) set(key, text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	switch key {
	case "path":
		x.name = text
		return true
	case "GNU.sparse.name":
		x.realName = text
		return true
	case "linkpath":
		x.link = text
		return true
	case "uname":
		x.user = text
		return true
	case "gname":
		x.group = text
		return true
	case "uid":
		x.uid = text
	case "gid":
		x.gid = text
	case "mtime":
		x.time, err = paxTime(text)
		return err == nil
	case "size":
		if err != nil || n < 0 {
			return false
		}
		x.size, x.hasSize = n, true
	case "GNU.sparse.major":
		if x.sparse = sparsePax; n > 0 {
			x.sparse = sparseData
		}
		return err == nil && (n == 0 || n == 1)
	case "GNU.sparse.size", "GNU.sparse.realsize":
		x.realSize, x.hasReal = n, true
		return err == nil && n >= 0
	case "GNU.sparse.offset":
		x.sparse = max(x.sparse, sparsePax)
		if x.wantsPieces {
			x.pieces = append(x.pieces, Piece{Offset: n})
		}
	case "GNU.sparse.numbytes":
		if k := len(x.pieces); k > 0 {
			x.pieces[k-1].Length = n
		}
	}
	return err == nil && len(x.pieces) <= maxPieces
}

// paxTime is a number of seconds, with a fraction or not.
func paxTime(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	nano, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if strings.HasPrefix(whole, "-") {
		nano = -nano
	}
	return time.Unix(seconds, int64(nano)), err
}

// readMap reads pieces as offsets and lengths in decimal, each with a mark behind it
// but the last, to the end.
func (x *extended) readMap(r *bufio.Reader, mark byte) error {
	for {
		offset, _, err := readNumber(r, mark)
		if err == io.EOF {
			return nil
		}
		length, _, err2 := readNumber(r, mark)
		if err != nil || err2 != nil || len(x.pieces) == maxPieces {
			return mapError(errors.Join(err, err2), len(x.pieces))
		}
		x.pieces = append(x.pieces, Piece{Offset: offset, Length: length})
	}
}

func mapError(err error, pieces int) error {
	switch {
	case errors.As(err, new(*sourceError)):
		return err
	case pieces >= maxPieces:
		return &UnsupportedError{Why: "in more than " + strconv.Itoa(maxPieces) + " pieces"}
	}
	return damaged("the map of a sparse file is not valid")
}

// readNumber reads a number and the mark behind it, if it is not the last, and says
// how many bytes that are.
func readNumber(r *bufio.Reader, mark byte) (int64, int64, error) {
	const digits = 20
	var text []byte
	for len(text) < digits {
		c, err := r.ReadByte()
		if err == io.EOF && len(text) > 0 || err == nil && c == mark {
			n, err := strconv.ParseUint(string(text), 10, 63)
			return int64(n), int64(len(text)) + 1, err
		} else if err != nil {
			return 0, 0, err
		}
		text = append(text, c)
	}
	return 0, 0, strconv.ErrRange
}

// sparsePieces is where the data of a sparse file lies.
func (t *tar) sparsePieces(m *Member) ([]Piece, error) {
	x := &extended{wantsPieces: true}
	data := m.tar.data
	var err error
	switch m.tar.sparse {
	case sparseOld:
		err = t.oldPieces(m, x)
	case sparsePax:
		_, _, err = t.read(m.place, x)
	case sparseData:
		data, err = t.dataPieces(m, x)
	}
	if err != nil {
		return nil, named(err, m)
	}
	pieces, end, at := make([]Piece, 0, len(x.pieces)), int64(0), data
	for _, p := range x.pieces {
		if p.Offset < end || p.Length < 0 || p.Length > m.Size-p.Offset || p.Length > m.tar.data+m.tar.length-at {
			return nil, damaged("the map of %q is not valid", m.Name)
		}
		end, p.At = p.Offset+p.Length, at
		if at += p.Length; p.Length > 0 {
			pieces = append(pieces, p)
		}
	}
	return pieces, nil
}

// oldPieces reads the pieces in the header and in blocks that follow it. One without
// an offset is the end of those in a block.
func (t *tar) oldPieces(m *Member, x *extended) error {
	place := m.tar.header
	b, err := t.block(place)
	for at, n, more := atPieces, piecesInHeader, atMore; err == nil; at, n, more = 0, piecesInBlock, piecesInBlock*pieceBytes {
		for ; n > 0 && b[at] != 0; n-- {
			if len(x.pieces) == maxPieces {
				return mapError(nil, maxPieces)
			}
			x.pieces = append(x.pieces, Piece{Offset: b.number(at, 12), Length: b.number(at+12, 12)})
			at += pieceBytes
		}
		if b[more] == 0 {
			return nil
		}
		place += tarBlock
		b, err = t.block(place)
	}
	return damage(err)
}

// dataPieces reads the pieces before the data, and says where that begins: how many,
// and then offsets and lengths, a line each, filled up to whole blocks.
func (t *tar) dataPieces(m *Member, x *extended) (data int64, err error) {
	r := bufio.NewReader(io.NewSectionReader(t.src, m.tar.data, m.tar.length))
	count, length, err := readNumber(r, '\n')
	for i := int64(0); err == nil && i < count; i++ {
		var p Piece
		var n, k int64
		if p.Offset, n, err = readNumber(r, '\n'); err == nil {
			p.Length, k, err = readNumber(r, '\n')
		}
		if length += n + k; err == nil && len(x.pieces) == maxPieces {
			return 0, mapError(nil, maxPieces)
		}
		x.pieces = append(x.pieces, p)
	}
	if err != nil {
		return 0, mapError(err, 0)
	}
	return t.after(m.tar.data, length), nil
}
