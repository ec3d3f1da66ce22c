package vectors

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"bulla/format"
)

// Coding 1 (spec section 9): what is sealed is a Zstandard seekable stream. All
// but one of the frames are put together by hand, of blocks that need no encoder.

// frameContent is what a full frame holds, and blockContent a block at most.
const (
	frameContent = 2 << 20
	blockContent = 128 << 10
)

// A frame is a Zstandard frame and what it decodes to.
type frame struct {
	b       []byte
	content []byte
}

// The frame header (RFC 8878, section 3.1.1.1).
var frameMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

const (
	singleSegment = 0x20 // the content is the window
	size1         = 0x00 // sizes of the content size in bytes; one, or none without singleSegment
	size4         = 0x80
	size8         = 0xc0
	withID        = 0x01 // a dictionary id of one byte
)

// Types of block.
const (
	rawBlock = iota
	rleBlock
	_
	reservedBlock
)

func block(kind, size int, last bool, body ...byte) []byte {
	h := kind<<1 | size<<3
	if last {
		h |= 1
	}
	return append([]byte{byte(h), byte(h >> 8), byte(h >> 16)}, body...)
}

// header is a frame header with a content size in the form that the descriptor
// says; fields stand before it.
func header(descriptor byte, content uint64, fields ...byte) []byte {
	b := append(bytes.Clone(frameMagic), descriptor)
	b = append(b, fields...)
	switch descriptor & 0xc0 {
	case size4:
		return binary.LittleEndian.AppendUint32(b, uint32(content))
	case size8:
		return binary.LittleEndian.AppendUint64(b, content)
	}
	if descriptor&singleSegment != 0 {
		b = append(b, byte(content))
	}
	return b
}

// rle is a frame of n times the same byte.
func rle(value byte, n int) frame {
	return frame{append(header(singleSegment|size4, uint64(n)), rleBlocks(value, n)...), bytes.Repeat([]byte{value}, n)}
}

func rleBlocks(value byte, n int) (b []byte) {
	for ; n > blockContent; n -= blockContent {
		b = append(b, block(rleBlock, blockContent, false, value)...)
	}
	return append(b, block(rleBlock, n, true, value)...)
}

// full is a frame of as much as a frame holds.
func full(value byte) frame { return rle(value, frameContent) }

// plainFrame is a frame of raw blocks.
func plainFrame(content []byte) frame {
	b := header(singleSegment|size4, uint64(len(content)))
	rest := content
	for ; len(rest) > blockContent; rest = rest[blockContent:] {
		b = append(b, block(rawBlock, blockContent, false, rest[:blockContent]...)...)
	}
	return frame{append(b, block(rawBlock, len(rest), true, rest...)...), content}
}

// headed is a frame of one raw block after a header.
func headed(content []byte, header []byte) frame {
	return frame{append(header, block(rawBlock, len(content), true, content...)...), content}
}

// An entry is a frame's in the table.
type entry struct{ size, content uint32 }

// Fields of the table.
const (
	tableMagic  = 0x184D2A5E
	footerMagic = 0x8F92EAB1
)

func entriesOf(frames []frame) (all []entry) {
	for _, f := range frames {
		all = append(all, entry{uint32(len(f.b)), uint32(len(f.content))})
	}
	return all
}

// table is a seek table that claims a number of frames.
func table(entries []entry, claim uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, tableMagic)
	b = le.AppendUint32(b, uint32(8*len(entries)+9))
	for _, e := range entries {
		b = le.AppendUint32(le.AppendUint32(b, e.size), e.content)
	}
	b = append(le.AppendUint32(b, claim), 0)
	return le.AppendUint32(b, footerMagic)
}

func tableOf(entries ...entry) []byte { return table(entries, uint32(len(entries))) }

// compressed is a file of frames with what stands after them.
func compressed(frames []frame, after []byte) file {
	f := file{coding: byte(format.Zstd), content: []byte{}}
	for _, x := range frames {
		f.content = append(f.content, x.b...)
		f.decoded = append(f.decoded, x.content...)
	}
	f.content = append(f.content, after...)
	return f
}

// seekable is a good file.
func seekable(frames ...frame) file { return compressed(frames, tableOf(entriesOf(frames)...)) }

// stockFrame is what stock zstd makes of the numbers 0 to 400, one a line, with a
// checksum (seq 0 400 | zstd -19, v1.5.4, which knew the size).
func stockFrame() frame {
	var content []byte
	for i := range 401 {
		content = fmt.Appendln(content, i)
	}
	return frame{must(hex.DecodeString(stockSeq)), content}
}

const stockSeq = "" +
	"28b52ffd64d6048513006a5dac090ba0c50d64db644f55ef1e0297009700960003eeb05ddbb43ddbb21ddbdde6f6b6c17600" +
	"bbc026b0076c013bc02ed8047b6003b043b8c2149eb08423dc30c30b8370a8aba67a6aa9a36ecd7a35a8035d34d1430b1d74" +
	"69d2a3011de69a699e59e6983b73de0ce620974cf2c822875c99f2642087b8628a279638e2c68c178338f4ead4a74b8fdece" +
	"be0e7ae0c5890f171ebc9c7c1cf0b06bd39e2d3b7637f736d8e19a9ee5b8f30d02e31de7f8c6c17800bc0027c00770013c00" +
	"2fe0047c8003c043d81536853d614bd81176c366d80b1b841d6a576daa3db5a576d46e6dd65e6d503bd02eda447b680beda0" +
	"5ddaa43dda8076985db369f6cc96d931bbb3397bb3c1ec20bb6493ec912db243766553f66403d92176c5a6d8135b6247ecc6" +
	"66ecc506b143777553f7744b7774b79bddeb06dd81bbb8897bb8853bb8cb4dee710113e803ba801ea01774823ed001e821f0" +
	"0a9c029fc025f008bc8133f0050e020fc5ab38159fe2523c8ab7388baf38281e881771223ec48578102f71121f71403c0caf" +
	"e1347c86cbf018dee11cbee16078105ec249f80817e121bcc2297cc281f010bc8253f0092ec123788333f88283e0a1bccaa9" +
	"7ccaa53cca5bcef29583f2405ee4443ee4421ee42527f9c8017918af711a9f71198f031087d02b740a7d4297d023f486ced0" +
	"173a083d54afea547daa4bf5a8deeaacbeeaa07aa05ed489fa5017ea41bdd4497dd401f530bda6d3f4992ed3637aa773faa6" +
	"83e9417a4927e9235da487f44aa7f44907d243f48a4ed127ba448fe88dcee88b0ea287f66aa7f66997f6686f3bdbd70eda03" +
	"7bb113fbb00b7bb0979dec6307ec61bdd6697dd6653dd6bbcef5ad83f5007a81060095e43f4b"

func goodZstd() []scenario {
	noise := Plaintext(7, 0, 100000)
	two := seekable(full('a'), rle('b', 1000))
	two.suite = byte(format.ChaCha20Poly1305)
	return []scenario{
		{name: "zstd_empty", comment: "no content: no frame, and a table of none", file: seekable(), want: "ok"},
		{name: "zstd_1", comment: "one byte", file: seekable(rle('a', 1)), want: "ok"},
		{name: "zstd_short", comment: "one short frame, compressed by stock zstd, with a checksum", file: seekable(stockFrame()), want: "ok"},
		{name: "zstd_full", comment: "one full frame", file: seekable(full('a')), want: "ok"},
		{name: "zstd_full_and_byte", comment: "a full frame and a byte", file: seekable(full('a'), rle('b', 1)), want: "ok"},
		{name: "zstd_three", comment: "two full frames and one that stock zstd compressed", file: seekable(full('a'), full('b'), stockFrame()), want: "ok"},
		{name: "zstd_suite_2", comment: "two frames, ChaCha20-Poly1305", file: two, want: "ok"},
		{name: "zstd_two_chunks", comment: "a frame of 100,000 bytes that does not compress, in two chunks", file: seekable(plainFrame(noise)), want: "ok"},
		{name: "zstd_frame_longest", comment: "a frame of one byte that is as long as there may be: empty blocks fill it", file: seekable(longFrame(maxFrame)), want: "ok"},
		{name: "zstd_window", comment: "a frame that states its window, the largest there may be",
			file: seekable(headed(noise[:300], header(size4, 300, window2MiB))), want: "ok"},
		{name: "zstd_size_8", comment: "a frame that states its content size in eight bytes",
			file: seekable(headed(noise[:300], header(singleSegment|size8, 300))), want: "ok"},
		{name: "zstd_dictionary_0", comment: "a frame that states the dictionary 0, which is none",
			file: seekable(headed(noise[:300], header(singleSegment|size4|withID, 300, 0))), want: "ok"},
	}
}

// maxFrame is how long a frame may be (ZSTD-2).
const maxFrame = 2105344

// longFrame is a frame of n bytes that holds one, and empty blocks for the rest. Where
// these do not come out even, a field of the header is longer.
func longFrame(n int) frame {
	h := header(singleSegment|size4, 1)
	switch (n - len(h) - 4) % 3 {
	case 1:
		h = header(singleSegment|size8, 1)
	case 2:
		h = header(singleSegment|size8|withID, 1, 0)
	}
	b := append(h, block(rleBlock, 1, false, 'a')...)
	for len(b) < n-3 {
		b = append(b, block(rawBlock, 0, false)...)
	}
	return frame{append(b, block(rawBlock, 0, true)...), []byte{'a'}}
}

// window2MiB is the window descriptor of 2 MiB.
const window2MiB = (21 - 10) << 3

func badZstd() (all []scenario) {
	a := rle('a', 1000)
	noise := Plaintext(7, 0, 300)
	small := func(descriptor byte, fields ...byte) []frame {
		return []frame{headed(noise, header(descriptor, 300, fields...))}
	}
	broken := func(f frame, off int, with byte) frame {
		f.b = bytes.Clone(f.b)
		f.b[from(f.b, off)] ^= with
		return f
	}
	claiming := func(content int, blocks []byte) []frame {
		return []frame{{append(header(singleSegment|size4, uint64(content)), blocks...), make([]byte, content)}}
	}
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}

	for _, c := range []struct {
		name, comment string
		frames        []frame
		after         []byte // the table of the frames if nil
		want          string
		random        string
		at            int // in the stream, for one with random access; a negative one counts from the end
	}{
		{"frame_short", "a short frame that is not the last", []frame{a, a}, nil, "ZSTD-1 1000", "ZSTD-1", 0},
		{"frame_long", "a frame of one byte more than there may be", []frame{rle('a', frameContent+1)}, nil, "ZSTD-1", "", 5},
		{"frame_long_second", "a second frame of 4 GiB less a byte, by what it states", []frame{full('a'), {header(singleSegment|size4, 1<<32-1), nil}},
			tableOf(entriesOf([]frame{full('a')})[0], entry{9, 1<<32 - 1}), "ZSTD-1 2097152", "ZSTD-1", len(full('a').b) + 5},
		{"frame_empty", "a frame without content", []frame{headed(nil, header(singleSegment|size8, 0))}, nil, "ZSTD-1", "", 5},
		{"no_size", "a frame that does not state its content size", small(size1, window2MiB), nil, "ZSTD-2", "", 4},
		{"window_over", "a window larger than there may be by an eighth", small(size4, window2MiB+1), nil, "ZSTD-2", "", 5},
		{"window_most", "the largest window that can be stated", small(size4, 0xff), nil, "ZSTD-2", "", 5},
		{"frame_too_long", "a frame of one byte that is a byte longer than there may be: empty blocks fill it", []frame{longFrame(maxFrame + 1)}, nil, "ZSTD-2", "", -25 + 8},
		{"dictionary", "a frame that needs a dictionary", small(singleSegment|size4|withID, 9), nil, "ZSTD-2", "", 5},

		{"too_many_frames", "a table of one frame more than there may be", []frame{a}, table(nil, 1<<27+1), "ZSTD-3 1000", "ZSTD-3", -9},

		{"nothing", "no table, and nothing else", nil, []byte{}, "ZSTD-4", "", 0},
		{"no_table", "a frame and no table", []frame{a}, []byte{}, "ZSTD-4 1000", "ZSTD-4", len(a.b)},
		{"no_table_full", "a full frame and no table", []frame{full('a')}, []byte{}, "ZSTD-4 2097152", "ZSTD-4", -4},
		{"table_cut", "a table without its last byte", []frame{a}, cut(tableOf(entriesOf([]frame{a})...), 1), "ZSTD-4 1000", "ZSTD-4", -4},
		{"table_descriptor", "a table with checksums, by its descriptor", []frame{a}, patch(tableOf(entriesOf([]frame{a})...), -5, 0x80), "ZSTD-4 1000", "ZSTD-4", -5},
		{"table_magic", "a table with another magic at its end", []frame{a}, patch(tableOf(entriesOf([]frame{a})...), -1, 0), "ZSTD-4 1000", "ZSTD-4", -4},
		{"table_after", "a byte after the table", []frame{a}, append(tableOf(entriesOf([]frame{a})...), 0), "ZSTD-4 1000", "ZSTD-4", -4},
		{"table_length", "a table whose header gives another length than its footer", []frame{a}, patch(tableOf(entriesOf([]frame{a})...), 4, 16),
			"ZSTD-4 1000", "ZSTD-4", -25},
		{"skippable", "another skippable frame before the table", []frame{a}, append(slices.Clone(skippable), tableOf(entriesOf([]frame{a})...)...),
			"ZSTD-4 1000", "ZSTD-5", -25},

		{"table_size", "two frames whose sizes in the table are wrong, and their sum right", []frame{full('a'), a},
			tableOf(wrong(entriesOf([]frame{full('a'), a}), 1, 0, -1)...), "ZSTD-5 2098152", "ZSTD-5", 0},
		{"table_sum", "a frame whose size in the table is wrong", []frame{a}, tableOf(wrong(entriesOf([]frame{a}), 1, 0, 0)...), "ZSTD-5 1000", "ZSTD-5", -25 + 8},
		{"table_content", "a last frame whose content size in the table is wrong", []frame{a}, tableOf(wrong(entriesOf([]frame{a}), 0, -1, 0)...),
			"ZSTD-5 1000", "ZSTD-5", 0},
		{"table_content_first", "a first frame whose content size in the table is wrong", []frame{full('a'), a},
			tableOf(wrong(entriesOf([]frame{full('a'), a}), 0, -1, 0)...), "ZSTD-5 2098152", "ZSTD-5", -33 + 8},
		{"table_few", "a table that lacks a frame", []frame{full('a'), a}, tableOf(entriesOf([]frame{full('a')})...), "ZSTD-5 2098152", "ZSTD-5", -25},
		{"table_many", "a table with a frame that is not there", []frame{a}, tableOf(append(entriesOf([]frame{a}), entry{20, 10})...), "ZSTD-5 1000", "ZSTD-5", -33 + 16},

		{"not", "a text, not a Zstandard stream", nil, []byte("This is not a Zstandard stream."), "ZSTD-6", "ZSTD-4", -4},
		{"bomb", "a frame of 2 MiB of zeros that states 1,000 bytes", claiming(1000, rleBlocks(0, frameContent)), nil, "ZSTD-6", "", 9},
		{"less", "a frame that states a byte more than it has", claiming(1001, rleBlocks(0, 1000)), nil, "ZSTD-6", "", 0},
		{"block_long", "a block of one byte more than there may be", claiming(200000, block(rleBlock, blockContent+1, true, 0)), nil, "ZSTD-6", "", 9},
		{"block_reserved", "a block of the reserved type", claiming(1000, block(reservedBlock, 1000, true, 0)), nil, "ZSTD-6", "", 9},
		{"frame_magic", "a frame with another magic", []frame{broken(a, 3, 1)}, nil, "ZSTD-6", "", 0},
		{"frame_reserved_bit", "a frame whose descriptor has the reserved bit", []frame{broken(a, 4, 8)}, nil, "ZSTD-6", "", 4},
		{"frame_checksum", "a frame whose checksum is wrong", []frame{broken(stockFrame(), -1, 1)}, nil, "ZSTD-6", "", 0},
		{"frame_checksum_second", "a second frame whose checksum is wrong", []frame{full('a'), broken(stockFrame(), -1, 1)}, nil,
			"ZSTD-6 2097152", "", len(full('a').b)},
	} {
		if c.after == nil {
			c.after = tableOf(entriesOf(c.frames)...)
		}
		f := compressed(c.frames, c.after)
		if c.at < 0 {
			c.at += len(f.content)
		}
		s := scenario{name: "zstd_" + c.name, comment: c.comment, file: f, want: c.want, random: c.random}
		clause := s.want
		if s.random != "" {
			clause = s.random
		}
		s.verify = at(format.Clause(clause[:6]), H+c.at/C*S+c.at%C)
		if c.name == "bomb" || c.name == "frame_long_second" || c.name == "window_most" {
			s.covers = []format.Clause{format.ZSTD7}
		}
		all = append(all, s)
	}
	return append(all, scenario{
		name: "zstd_chunk", comment: "a bit of the second chunk, which a frame reaches into", file: seekable(plainFrame(Plaintext(7, 0, 100000))),
		change: []change{func(x *box) { x.payload[1].b[5] ^= 1 }}, want: "CHUNK-1", verify: at(format.CHUNK1, H+S),
	})
}

func cut(b []byte, n int) []byte { return b[:len(b)-n] }

func patch(b []byte, off int, with byte) []byte {
	b[from(b, off)] = with
	return b
}

// wrong changes the first entry's sizes, and the second's size.
func wrong(e []entry, size, content, second int32) []entry {
	e[0].size += uint32(size)
	e[0].content += uint32(content)
	if len(e) > 1 {
		e[1].size += uint32(second)
	}
	return e
}
