package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The end of a zip says where its directory is (APPNOTE 6.3.10, 4.3.14 to 4.3.16):
//
//	directory record …  46 bytes, name, extra, comment
//	zip64 end record    56 bytes, where a number does not fit below
//	zip64 locator       20
//	end record          22, comment
//
// Package zip reads all of a directory into memory, which may take more of it than
// a small archive has a right to. It is therefore given a few records at a time:
// the archive with these behind it, and an end that speaks of these.
const (
	zipRecord, zipEnd64, zipLocator, zipEnd = 46, 56, 20, 22

	signRecord, signEnd64, signLocator, signEnd = 0x02014b50, 0x06064b50, 0x07064b50, 0x06054b50

	// atOnce is how many bytes of records are read at once, at most 256 KiB more.
	atOnce = 64 << 10

	encrypted = 0x1 // of a member's flags
)

// A zipArchive is a kind of archive. The place of a member is where its record is.
type zipArchive struct {
	src        *io.SectionReader
	base       int64 // where the zip begins, behind a program that unpacks it
	start, end int64 // of the directory
	count      uint64
}

// newZip recognizes a zip by its end, and one that is damaged by its beginning.
func newZip(src *io.SectionReader) (kind, error) {
	z := &zipArchive{src: src}
	err := z.findDirectory()
	if errors.Is(err, zip.ErrFormat) {
		start := make([]byte, 2)
		if _, err := src.ReadAt(start, 0); err != nil && err != io.EOF {
			return nil, err
		} else if string(start) != "PK" {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return z, nil
}

func (z *zipArchive) source() *io.SectionReader { return z.src }

// findDirectory finds the directory: by the end record, which is the last thing but
// for a comment, and the zip64 end record if there is one.
func (z *zipArchive) findDirectory() error {
	tail := make([]byte, min(z.src.Size(), zipEnd+math.MaxUint16))
	if n, err := z.src.ReadAt(tail, z.src.Size()-int64(len(tail))); n < len(tail) {
		return early(err)
	}
	at := len(tail) - zipEnd
	for ; at >= 0; at-- {
		if le.Uint32(tail[at:]) == signEnd && at+zipEnd+int(le.Uint16(tail[at+20:])) <= len(tail) {
			break
		}
	}
	if at < 0 {
		return zip.ErrFormat
	}
	end := tail[at:]
	size, offset := uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	z.count, z.end = uint64(le.Uint16(end[10:])), z.src.Size()-int64(len(end))
	if z.count == math.MaxUint16 || size == math.MaxUint32 || offset == math.MaxUint32 {
		locator, end64 := make([]byte, zipLocator), make([]byte, zipEnd64)
		if n, err := z.src.ReadAt(locator, z.end-zipLocator); n < zipLocator && err != io.EOF {
			return err
		}
		if le.Uint32(locator) == signLocator {
			place := int64(le.Uint64(locator[8:]))
			if n, err := z.src.ReadAt(end64, place); n < zipEnd64 && err != io.EOF {
				return err
			} else if le.Uint32(end64) != signEnd64 {
				return zip.ErrFormat
			}
			z.count, size, offset, z.end = le.Uint64(end64[32:]), le.Uint64(end64[40:]), le.Uint64(end64[48:]), place
		}
	}
	if size > uint64(z.end) || offset > math.MaxInt64 {
		return zip.ErrFormat
	}
	z.start = z.end - int64(size)
	if z.base = z.start - int64(offset); z.base > 0 && z.isRecord(int64(offset)) {
		z.start, z.base = int64(offset), 0 // it is behind something, but counts from the beginning
	}
	return nil
}

var le = binary.LittleEndian

func (z *zipArchive) isRecord(at int64) bool {
	var sign [4]byte
	_, err := z.src.ReadAt(sign[:], at)
	return err == nil && le.Uint32(sign[:]) == signRecord
}

func (z *zipArchive) members(yield func(*Member, error) bool) {
	r := bufio.NewReaderSize(io.NewSectionReader(z.src, z.start, z.end-z.start), atOnce)
	place, count := z.start, 0
	for last := error(nil); last == nil; {
		var records []byte
		var places []int64
		for last == nil && len(records) < atOnce {
			n := len(records)
			if records, last = readRecord(r, records); last == nil {
				places = append(places, place)
				place += int64(len(records) - n)
			}
		}
		all, err := z.parse(records, places)
		for i, place := range places {
			var m *Member
			bad := err
			if err == nil {
				m = all[i]
			} else { // one of them is bad
				m, bad = z.at(place)
			}
			if !yield(m, bad) || bad != nil && !isOwn(bad) {
				return
			}
		}
		count += len(places)
		if last != nil && (last != io.EOF || uint16(count) != uint16(z.count)) { // old zips count no further
			yield(nil, damage(early(last)))
		}
	}
}

// readRecord appends a record of the directory to buf; io.EOF is its end, which is
// also where something else stands.
func readRecord(r *bufio.Reader, buf []byte) ([]byte, error) {
	head, err := r.Peek(zipRecord)
	switch {
	case len(head) >= 4 && le.Uint32(head) != signRecord:
		return buf, io.EOF
	case err == io.EOF && len(head) > 0:
		return buf, io.ErrUnexpectedEOF
	case err != nil:
		return buf, err
	}
	n := len(buf)
	buf = append(buf, make([]byte, zipRecord+int(le.Uint16(head[28:]))+int(le.Uint16(head[30:]))+int(le.Uint16(head[32:])))...)
	if _, err := io.ReadFull(r, buf[n:]); err != nil {
		return buf[:n], early(err)
	}
	return buf, nil
}

func (z *zipArchive) at(place int64) (*Member, error) {
	record, err := readRecord(bufio.NewReaderSize(io.NewSectionReader(z.src, place, z.end-place), zipRecord), nil)
	if err != nil {
		return nil, damage(early(err))
	}
	all, err := z.parse(record, []int64{place})
	if err != nil {
		return nil, damaged("the record at byte %d of the directory: %w", place, err)
	}
	return all[0], nil
}

// parse has package zip read some records.
func (z *zipArchive) parse(records []byte, places []int64) ([]*Member, error) {
	if len(places) == 0 {
		return nil, nil
	}
	// The zeros before the records are for package zip to look for the end in.
	v := &extendedZip{z: z, size: z.src.Size() - z.base, tail: make([]byte, 1<<10, 1<<10+len(records)+zipEnd64+zipLocator+zipEnd)}
	start := v.size + int64(len(v.tail))
	v.tail = append(v.tail, records...)
	end64 := v.size + int64(len(v.tail))
	b := le.AppendUint32(v.tail, signEnd64)
	b = le.AppendUint64(b, zipEnd64-12)
	b = append(b, make([]byte, 12)...)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(places))), uint64(len(places)))
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(records))), uint64(start))
	b = le.AppendUint32(le.AppendUint32(b, signLocator), 0)
	b = le.AppendUint32(le.AppendUint64(b, uint64(end64)), 1)
	b = append(le.AppendUint32(b, signEnd), make([]byte, zipEnd-4)...)
	le.PutUint32(b[len(b)-6:], math.MaxUint32) // the offset: see the zip64 end
	v.tail = b
	r, err := zip.NewReader(v, v.size+int64(len(v.tail)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are looked at where they are used
		return nil, err
	}
	if len(r.File) != len(places) {
		return nil, zip.ErrFormat
	}
	all := make([]*Member, len(places))
	for i, f := range r.File {
		all[i] = z.member(f, places[i])
	}
	return all, nil
}

// An extendedZip is a zip with something behind it.
type extendedZip struct {
	z    *zipArchive
	size int64 // of the zip
	tail []byte
}

func (v *extendedZip) ReadAt(p []byte, off int64) (int, error) {
	if off < v.size {
		return v.z.src.ReadAt(p, off+v.z.base)
	}
	return bytes.NewReader(v.tail).ReadAt(p, off-v.size)
}

func (z *zipArchive) member(f *zip.File, place int64) *Member {
	m := &Member{Name: f.Name, Size: int64(min(f.UncompressedSize64, math.MaxInt64)), Mode: f.Mode(), ModTime: f.Modified, Kind: kindOf(f.Mode()), Checked: true, place: place, zip: f}
	if f.UncompressedSize64 > math.MaxInt64 || f.CompressedSize64 > uint64(z.src.Size()) {
		m.broke = damaged("%q is larger than anything can be", m.Name)
	}
	if m.Kind == Dir {
		m.Size = 0
	}
	return m
}

// open decompresses a member. Its checksum is checked at the end.
func (z *zipArchive) open(m *Member) (io.Reader, []Piece, error) {
	f := m.zip
	if f.Flags&encrypted != 0 {
		return nil, nil, &UnsupportedError{m.Name, "encrypted inside the zip"}
	}
	r, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return nil, nil, &UnsupportedError{m.Name, fmt.Sprintf("compressed with method %d of zip", f.Method)}
	case err != nil:
		return nil, nil, err
	case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64:
		return r, nil, nil
	case m.Size == 0:
		return r, []Piece{}, nil
	}
	at, err := f.DataOffset()
	return r, []Piece{{0, at + z.base, m.Size}}, err
}
