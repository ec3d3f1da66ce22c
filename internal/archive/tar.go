package archive

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
)

// A tar's header is a block of 512 bytes (POSIX.1-1988, ustar):
//
//	  0  100  name        124   12  size         257  6  magic      345  155  prefix of the name
//	100    8  mode        136   12  time         263  2  version    386   96  old GNU: pieces of a sparse file
//	108    8  owner       148    8  checksum     265 32  owner      482    1  old GNU: more of them follow
//	116    8  group       156    1  type         297 32  group      483   12  old GNU: its size
//	                      157  100  link
//
// Numbers are in octal digits, or big-endian with the highest bit set. The data
// follows, filled up to whole blocks. What does not fit is in members before it, of
// the types x (pax, [tarArchive.pax]), L and K (GNU). Two blocks of zeros are the end.
//
// Package archive/tar decodes all of this as well, but reads no extended header over
// 1 MiB and no header with a number that is none, ends at the first bad member, and does
// not say where data and holes lie: it would spare the decoding of a block alone.
const (
	tarBlock = 512

	atType, atMagic, atPrefix                 = 156, 257, 345
	atPieces, atMore, atRealSize              = 386, 482, 483
	pieceBytes, piecesInHeader, piecesInBlock = 24, 4, 21 // a block has of more behind the last
)

// The types of members that package archive/tar has no names for.
const (
	typePaxSolaris = 'X'
	typeDumpDir    = 'D' // GNU: a directory, with a list of names as its data
	typeVolume     = 'V' // GNU: the label of the tape, no member
)

// maxEmptyTar is how long a tar without members may be: the largest record that
// programs fill up with zeros.
const maxEmptyTar = 1 << 20

// A tarArchive is a kind of archive. The place of a member is where its first header is.
type tarArchive struct{ src *io.SectionReader }

// tarData is what a tar has to know of a member.
type tarData struct {
	header       int64 // the last of its headers
	data, length int64 // what lies in the archive
	sparse       sparseFormat
}

// newTar recognizes a tar: by a header, or as an empty one by zeros and nothing
// else. The zeros that a disk image begins with are none.
func newTar(src *io.SectionReader) (kind, error) {
	t := &tarArchive{src}
	b, err := t.block(0)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, ErrDamaged):
		return nil, nil
	case err != nil:
		return nil, err
	case b.valid():
		return t, nil
	case !b.zero() || src.Size() > maxEmptyTar:
		return nil, nil
	}
	all, err := io.ReadAll(io.NewSectionReader(src, 0, src.Size()))
	if err != nil || !tarHeader(all).zero() {
		return nil, err
	}
	return t, nil
}

func (t *tarArchive) source() *io.SectionReader { return t.src }

// block reads a block of headers; io.EOF is the end of the archive.
func (t *tarArchive) block(at int64) (tarHeader, error) {
	b := make(tarHeader, tarBlock)
	n, err := t.src.ReadAt(b, at)
	switch {
	case n == tarBlock:
		return b, nil
	case err == io.EOF && n == 0 && at <= t.src.Size():
		return nil, io.EOF
	case err == io.EOF:
		return nil, damaged("it ends unexpectedly, at byte %d", min(at+int64(n), t.src.Size()))
	}
	return nil, damage(err)
}

// after is where the header after some data is, beyond if not in the archive.
func (t *tarArchive) after(data, length int64) int64 {
	padding := -length & (tarBlock - 1)
	if length > t.src.Size()-data || padding > beyond-data-length {
		return beyond
	}
	return data + length + padding
}

const beyond = math.MaxInt64

func (t *tarArchive) members(yield func(*Member, error) bool) {
	for at := int64(0); at >= 0; {
		m, next, err := t.read(at, &extended{})
		if err == io.EOF || (m != nil || err != nil) && !yield(m, err) || err != nil && !isOwn(err) {
			return
		}
		at = next
	}
}

// resync finds the next header behind a place that is damaged; -1 if there is none.
func (t *tarArchive) resync(at int64) int64 {
	if at >= t.src.Size() {
		return -1
	}
	at += tarBlock
	for buf := make([]byte, 4*tarBlock); ; {
		n, err := t.src.ReadAt(buf, at)
		at += int64(n)
		for b := tarHeader(buf[:n]); len(b) >= tarBlock; b = b[tarBlock:] {
			if b[:tarBlock].valid() {
				return at - int64(len(b))
			}
		}
		switch {
		case err == io.EOF:
			return -1
		case err != nil:
			return at &^ (tarBlock - 1) // to read there says what it is
		case len(buf) < 128*tarBlock: // the header may be near, or far
			buf = make([]byte, 2*len(buf))
		}
	}
}

func (t *tarArchive) at(place int64) (*Member, error) {
	m, _, err := t.read(place, &extended{})
	if err == nil && m == nil || err == io.EOF {
		err = damaged("there is no member at byte %d any more", place)
	}
	return m, err
}

// read reads the member whose first header is at a place, with what extended headers
// say of it in x, and says where the next is, -1 if there is none. It returns no
// member for what is none, and io.EOF at the end of the archive. After ErrDamaged next
// is the next header that can be found.
func (t *tarArchive) read(place int64, x *extended) (m *Member, next int64, err error) {
	for at := place; ; at = next {
		b, err := t.header(at)
		if err == io.EOF && at > place {
			err = damaged("it ends unexpectedly, at byte %d", at)
		}
		if err != nil {
			if next = -1; isOwn(err) {
				next = t.resync(at)
			}
			return nil, next, err
		}
		data, size := at+tarBlock, b.number(124, 12)
		next = t.after(data, max(0, size))
		switch b[atType] {
		case tar.TypeXHeader, typePaxSolaris:
			err = t.pax(data, size, x)
		case tar.TypeGNULongName:
			err = t.text(data, size, x, "path")
		case tar.TypeGNULongLink:
			err = t.text(data, size, x, "linkpath")
		case tar.TypeXGlobalHeader, typeVolume:
			if at == place {
				return nil, next, nil // it is about others
			}
		default:
			m, next, err = t.member(b, data, size, x)
			if m != nil {
				m.place = place
			}
			return m, next, err
		}
		if err != nil && !isOwn(err) {
			return nil, -1, err
		}
		x.fail(err) // of the member, which has to be passed over first
	}
}

// header reads a block that is a header; io.EOF is the end of the archive.
func (t *tarArchive) header(at int64) (tarHeader, error) {
	b, err := t.block(at)
	switch {
	case err != nil:
		return nil, err
	case b.valid():
		return b, nil
	case !b.zero():
		return nil, damaged("there is no header at byte %d", at)
	}
	switch b, err := t.block(at + tarBlock); {
	case err != nil:
		return nil, err
	case b.zero():
		return nil, io.EOF
	}
	return nil, damaged("a block of zeros at byte %d", at)
}

// member is the one that a header and those before it are about.
func (t *tarArchive) member(b tarHeader, data, size int64, x *extended) (*Member, int64, error) {
	m := &Member{Name: cmp.Or(x.text["path"], b.name()), Link: cmp.Or(x.text["linkpath"], b.text(157, 100)),
		ModTime: x.time(time.Unix(b.number(136, 12), 0)), Owner: b.owner(x)}
	b.describe(m)
	header := data - tarBlock
	size = x.number("size", size)
	switch b[atType] {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		size = 0 // they have none, whatever the header says
	}
	sparse := notSparse
	if m.Kind == File {
		m.Size, sparse = size, x.sparse()
	}
	switch {
	case b[atType] == tar.TypeGNUSparse:
		m.Size, sparse = b.number(atRealSize, 12), sparseOld
		var err error
		if data, err = t.oldMap(header, nil); err != nil {
			return nil, -1, err
		}
	case sparse != notSparse:
		m.Name = cmp.Or(x.text["GNU.sparse.name"], m.Name)
		m.Size = x.number("GNU.sparse.size", x.number("GNU.sparse.realsize", size))
	}
	m.tar = tarData{header, data, size, sparse}
	switch {
	case size < 0 || m.Size < 0:
		return nil, t.resync(data - tarBlock), damaged("%q has no valid size", m.Name)
	case x.bad != nil:
		return nil, t.after(data, size), named(x.bad, m)
	}
	return m, t.after(data, size), nil
}

func (t *tarArchive) open(m *Member) (io.Reader, []Piece, error) {
	switch {
	case m.tar.sparse != notSparse:
		pieces, err := t.sparsePieces(m)
		return nil, pieces, named(err, m)
	case m.Size == 0:
		return nil, []Piece{}, nil
	}
	return nil, []Piece{{0, m.tar.data, m.Size}}, nil
}

// named says of which member an error is.
func named(err error, m *Member) error {
	if e, ok := errors.AsType[*UnsupportedError](err); ok {
		e.Name = m.Name
	}
	return err
}

// A tarHeader is a block.
type tarHeader []byte

func (b tarHeader) zero() bool { return bytes.Count(b, []byte{0}) == len(b) }

// text is a field up to the first NUL.
func (b tarHeader) text(at, length int) string { return untilNUL(b[at : at+length]) }

func untilNUL(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// number is a field with a number; -1 if it is none that can be. An empty one is 0.
func (b tarHeader) number(at, length int) int64 {
	field := b[at : at+length]
	if field[0]&0x80 != 0 { // binary, the highest bit apart in two's complement
		n := int64(int8(field[0]<<1)) >> 1
		for _, c := range field[1:] {
			if n>>55 != 0 && n>>55 != -1 {
				return -1
			}
			n = n<<8 | int64(c)
		}
		return n
	}
	text := untilNUL(bytes.Trim(field, " \x00"))
	n, err := strconv.ParseUint(cmp.Or(text, "0"), 8, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// valid reports whether the block has the checksum that it states: the sum of its
// bytes, that of the checksum counted as spaces. Some programs take them as signed.
func (b tarHeader) valid() bool {
	var sum, high int64 // high is how many bytes are negative, taken as signed
	for _, part := range [][]byte{b[:148], b[156:tarBlock]} {
		for _, c := range part {
			sum += int64(c)
			high += int64(c >> 7)
		}
	}
	sum += 8 * ' '
	stated := b.number(148, 8)
	return (stated == sum || stated == sum-256*high) && !b.zero()
}

// name is the name, behind the first part of one that is longer than its field. GNU
// tar has other things there.
func (b tarHeader) name() string {
	name, prefix := b.text(0, 100), ""
	if string(b[atMagic:atMagic+6]) == "ustar\x00" {
		prefix = b.text(atPrefix, 155)
		if string(b[508:512]) == "tar\x00" { // Schilling's star
			prefix = b.text(atPrefix, 131)
		}
	}
	if prefix == "" {
		return name
	}
	return prefix + "/" + name
}

// owner is the names of the owner and the group, or else their numbers.
func (b tarHeader) owner(x *extended) string {
	var user, group string
	if string(b[atMagic:atMagic+5]) == "ustar" {
		user, group = b.text(265, 32), b.text(297, 32)
	}
	return cmp.Or(x.text["uname"], user, x.text["uid"], strconv.FormatInt(b.number(108, 8), 10)) + "/" +
		cmp.Or(x.text["gname"], group, x.text["gid"], strconv.FormatInt(b.number(116, 8), 10))
}

// describe sets what the type and the mode of a header say.
func (b tarHeader) describe(m *Member) {
	h := tar.Header{Typeflag: b[atType], Mode: max(0, b.number(100, 8)) & 0o7777}
	m.Mode = h.FileInfo().Mode()
	switch b[atType] {
	case tar.TypeLink:
		m.Kind, m.Mode = HardLink, m.Mode|fs.ModeIrregular
		return
	case 0, tar.TypeReg, tar.TypeCont:
		if strings.HasSuffix(m.Name, "/") { // the oldest tars have no other sign
			m.Mode |= fs.ModeDir
		}
	case typeDumpDir:
		m.Mode |= fs.ModeDir
	case tar.TypeGNUSparse, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
	default:
		m.Mode |= fs.ModeIrregular
	}
	m.Kind = kindOf(m.Mode)
}
