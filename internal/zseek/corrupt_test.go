package zseek

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"testing"

	"bulla/format"
)

// Every way in which a stream may fail to be in the profile, or be damaged,
// with the clause that all ways of reading it must name.
func corruptions() map[string]struct {
	stream []byte
	clause format.Clause
	kind   error
	whole  int           // frames that are released before
	at     format.Clause // what goes by the table names this, if not clause
} {
	type c = struct {
		stream []byte
		clause format.Clause
		kind   error
		whole  int
		at     format.Clause
	}
	f0, f1, f2 := full(0), full(1), full(2)
	last := short(1000, 9)
	// with puts frame x, of n bytes by the table, between sound ones.
	with := func(x []byte, n uint32) []byte {
		return join(f0, x, f2, fakeTable(tableEntry{uint32(len(f0)), FrameContent}, tableEntry{uint32(len(x)), n}, tableEntry{uint32(len(f2)), FrameContent}))
	}
	// table puts a table after three sound frames.
	table := func(change func(e []tableEntry) []tableEntry) []byte {
		return join(f0, f1, last, fakeTable(change(entries(1000, f0, f1, last))...))
	}
	// patch changes the bytes of a sound stream, from the end if at is negative.
	patch := func(at int, b ...byte) []byte {
		s := join(f0, f1, last, fakeTable(entries(1000, f0, f1, last)...))
		if at < 0 {
			at += len(s)
		}
		copy(s[at:], b)
		return s
	}
	sound := patch(0)
	tableAt := len(f0) + len(f1) + len(last)
	big := fakeFrame{content: FrameContent, descriptor: 0}
	tooMany := make([]byte, 0, MaxFrameSize+1000)
	for len(tooMany) < MaxFrameSize {
		tooMany = appendBlock(tooMany, false, blockRaw, 0)
	}

	return map[string]c{
		// ZSTD-1
		"short frame, not the last":      {with(short(FrameContent-1, 1), FrameContent-1), format.ZSTD1, format.ErrMalformed, 2, ""},
		"short first frame":              {join(short(5, 1), f1, fakeTable(tableEntry{uint32(len(short(5, 1))), 5}, tableEntry{uint32(len(f1)), FrameContent})), format.ZSTD1, format.ErrMalformed, 1, ""},
		"short frame, full in the table": {with(short(FrameContent-1, 1), FrameContent), format.ZSTD1, format.ErrMalformed, 2, ""},
		"long frame":                     {with(fakeFrame{content: FrameContent + 1}.bytes(), FrameContent+1), format.ZSTD1, format.ErrMalformed, 1, ""},
		"frame of 4 GiB":                 {with(fakeFrame{content: maxBlock, stated: 1 << 32}.bytes(), FrameContent), format.ZSTD1, format.ErrMalformed, 1, ""},
		"frame of 2^64-1":                {with(fakeFrame{content: maxBlock, stated: 1<<64 - 1}.bytes(), FrameContent), format.ZSTD1, format.ErrMalformed, 1, ""},
		"empty frame":                    {with(fakeFrame{sizeField: 1}.bytes(), 0), format.ZSTD1, format.ErrMalformed, 1, ""},
		"empty last frame": {join(f0, fakeFrame{}.bytes(), fakeTable(entries(0, f0, fakeFrame{}.bytes())...)),
			format.ZSTD1, format.ErrMalformed, 1, ""},

		// ZSTD-2
		"no content size":     {with(fakeFrame{content: FrameContent, sizeField: -1, window: 11 << 3}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},
		"window of 2.25 MiB":  {with(fakeFrame{content: FrameContent, window: 11<<3 | 1}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},
		"window of 3.75 TiB":  {with(fakeFrame{content: FrameContent, window: 0xFF}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},
		"dictionary, 1 byte":  {with(fakeFrame{content: FrameContent, dictionary: []byte{1}}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},
		"dictionary, 2 bytes": {with(fakeFrame{content: FrameContent, dictionary: []byte{0, 1}}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},
		"dictionary, 4 bytes": {with(fakeFrame{content: FrameContent, dictionary: []byte{0, 0, 0, 1}}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},
		"frame beyond bound":  {with(fakeFrame{stated: FrameContent, junk: tooMany}.bytes(), FrameContent), format.ZSTD2, format.ErrUnsupported, 1, ""},

		// ZSTD-3: see TestFrameLimit.

		// ZSTD-4
		"nothing":                {nil, format.ZSTD4, format.ErrTruncated, 0, ""},
		"no table":               {join(f0, f1, last), format.ZSTD4, nil, 3, ""},
		"cut in the table":       {sound[:len(sound)-1], format.ZSTD4, nil, 3, ""},
		"cut behind its magic":   {sound[:tableAt+4], format.ZSTD4, nil, 3, ""},
		"cut in its magic":       {sound[:tableAt+3], format.ZSTD4, nil, 3, ""},
		"cut in a frame":         {sound[:len(f0)+20], format.ZSTD4, nil, 1, ""},
		"cut in a header":        {sound[:len(f0)+5], format.ZSTD4, nil, 1, ""},
		"more after the table":   {join(sound, []byte{0}), format.ZSTD4, format.ErrMalformed, 3, ""},
		"two tables":             {join(sound, fakeTable()), format.ZSTD4, format.ErrMalformed, 3, format.ZSTD5},
		"descriptor: checksums":  {patch(-5, 0x80), format.ZSTD4, format.ErrMalformed, 3, ""},
		"descriptor: reserved":   {patch(-5, 0x04), format.ZSTD4, format.ErrMalformed, 3, ""},
		"descriptor: unused":     {patch(-5, 0x01), format.ZSTD4, format.ErrMalformed, 3, ""},
		"footer magic":           {patch(-1, 0), format.ZSTD4, format.ErrMalformed, 3, ""},
		"footer count":           {patch(-footerSize, 2), format.ZSTD4, format.ErrMalformed, 3, ""},
		"table length":           {patch(tableAt+4, 1), format.ZSTD4, format.ErrMalformed, 3, ""},
		"table length too great": {patch(tableAt+4, 0xFF, 0xFF, 0xFF, 0xFF), format.ZSTD4, nil, 3, ""},
		"another skippable":      {patch(tableAt, 0x5D), format.ZSTD4, format.ErrMalformed, 3, ""},
		"a skippable between": {join(f0, []byte{0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0}, f1, fakeTable(entries(FrameContent, f0, f1)...)),
			format.ZSTD4, format.ErrMalformed, 1, format.ZSTD5},
		"junk for a table": {join(f0, last, []byte("this is not a seek table")), format.ZSTD4, format.ErrMalformed, 2, ""},

		// ZSTD-5
		"missing entry":   {table(func(e []tableEntry) []tableEntry { return e[:2] }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"extra entry":     {table(func(e []tableEntry) []tableEntry { return append(e, e[2]) }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"empty entry":     {table(func(e []tableEntry) []tableEntry { return append(e, tableEntry{}) }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"no entries":      {table(func(e []tableEntry) []tableEntry { return nil }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"wrong size":      {table(func(e []tableEntry) []tableEntry { e[1].size++; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"wrong content":   {table(func(e []tableEntry) []tableEntry { e[1].content--; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"wrong last":      {table(func(e []tableEntry) []tableEntry { e[2].content--; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"empty last":      {table(func(e []tableEntry) []tableEntry { e[2].content = 0; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"long last":       {table(func(e []tableEntry) []tableEntry { e[2].content = FrameContent + 1; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"sizes shifted":   {table(func(e []tableEntry) []tableEntry { e[0].size++; e[1].size--; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"tiny size":       {table(func(e []tableEntry) []tableEntry { e[0].size = 1; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"great size":      {table(func(e []tableEntry) []tableEntry { e[0].size = 1 << 20; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},
		"greatest size":   {table(func(e []tableEntry) []tableEntry { e[0].size = 1<<32 - 1; return e }), format.ZSTD5, format.ErrMalformed, 3, format.ZSTD2},
		"content of 2^32": {table(func(e []tableEntry) []tableEntry { e[0].content = 1<<32 - 1; return e }), format.ZSTD5, format.ErrMalformed, 3, ""},

		// ZSTD-6
		"garbage between":       {join(f0, []byte("garbage"), f1, fakeTable(entries(FrameContent, f0, f1)...)), format.ZSTD6, format.ErrDamaged, 1, format.ZSTD5},
		"frame magic":           {patch(len(f0), 0x29), format.ZSTD6, format.ErrDamaged, 1, ""},
		"reserved bit":          {with(fakeFrame{content: FrameContent, descriptor: descriptorReserved}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"reserved block":        {with(fakeFrame{stated: FrameContent, junk: append(appendBlock(nil, true, blockReserved, 5), 1, 2, 3, 4, 5)}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"block over 128 KiB":    {with(fakeFrame{stated: FrameContent, junk: append(appendBlock(nil, true, blockRLE, maxBlock+1), 1)}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"less than stated":      {with(fakeFrame{content: FrameContent - 1, stated: FrameContent}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"more than stated":      {with(fakeFrame{content: FrameContent, raw: []byte{1}, stated: FrameContent}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"last, less":            {join(f0, fakeFrame{content: 9, stated: 10}.bytes(), fakeTable(entries(10, f0, fakeFrame{content: 9, stated: 10}.bytes())...)), format.ZSTD6, format.ErrDamaged, 1, ""},
		"bomb of RLE blocks":    {with(fakeFrame{content: 100 * FrameContent, stated: FrameContent}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"compressed junk":       {with(fakeFrame{stated: FrameContent, junk: append(appendBlock(nil, true, blockCompressed, 9), "junkjunk!"...)}.bytes(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"wrong checksum":        {with(append(fakeFrame{content: FrameContent, descriptor: descriptorChecksum}.bytes(), 1, 2, 3, 4), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
		"bomb, then raw growth": {with(big.thenRaw(), FrameContent), format.ZSTD6, format.ErrDamaged, 1, ""},
	}
}

// thenRaw is f with a compressed block's worth of raw content too much.
func (f fakeFrame) thenRaw() []byte {
	f.raw, f.stated = make([]byte, 3*maxBlock), uint64(f.content)
	return f.bytes()
}

func TestCorruptions(t *testing.T) {
	noLeak(t)
	var want bytes.Buffer
	for i := range 3 {
		want.Write(bytes.Repeat([]byte{byte(i)}, FrameContent))
	}
	all := corruptions()
	names := slices.Sorted(maps.Keys(all))
	for i := 0; i < len(names); i += sampled(5) {
		name, c := names[i], all[names[i]]
		t.Run(name, func(t *testing.T) {
			for _, w := range ways() {
				got, err := w.read(c.stream)
				clause := c.clause
				if w.at && c.at != "" {
					clause = c.at
				}
				kind := c.kind
				if w.at && clause != c.clause {
					kind = nil
				}
				if err == nil {
					t.Fatalf("%s: accepted", w.name)
				}
				wantClause(t, err, clause, kind)
				if t.Failed() {
					t.Fatalf("%s", w.name)
				}
				// Exactly the frames before the fault are released, in order.
				if whole := (len(got) + FrameContent - 1) / FrameContent; !w.at && whole != c.whole {
					t.Errorf("%s: %d frames released, want %d", w.name, whole, c.whole)
				}
				if n := len(got) / FrameContent * FrameContent; !bytes.Equal(got[:n], want.Bytes()[:n]) {
					if c.stream[offDescriptor+1] != 5 { // but for the short first frame
						t.Errorf("%s: wrong content released", w.name)
					}
				}
			}
		})
	}
}

// A stream of n bytes of zeros with one footer, as large as one likes.
type hugeTable struct {
	size int64
	foot []byte
}

func (h hugeTable) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if n := h.size - int64(len(h.foot)) - off; n < int64(len(p)) {
		copy(p[max(0, n):], h.foot)
	}
	return len(p), nil
}

func TestFrameLimit(t *testing.T) {
	foot := le.AppendUint32(nil, MaxFrames+1)
	foot = le.AppendUint32(append(foot, 0), footerMagic)
	_, err := ReadTable(hugeTable{1 << 50, foot}, 1<<50)
	wantClause(t, err, format.ZSTD3, format.ErrUnsupported)

	// As many as are allowed do not fit here, and nothing is allocated for them.
	foot = le.AppendUint32(nil, MaxFrames)
	foot = le.AppendUint32(append(foot, 0), footerMagic)
	_, err = ReadTable(hugeTable{1 << 20, foot}, 1<<20)
	wantClause(t, err, format.ZSTD4, format.ErrMalformed)
	if n := testing.AllocsPerRun(1, func() { ReadTable(hugeTable{1 << 50, foot}, 1<<50) }); n > 20 {
		t.Errorf("%v allocations for a table that is not there", n)
	}

	f := newFetcher(bytes.NewReader(join(full(0), full(1))))
	f.table.frames = MaxFrames - 1
	var j job
	if !f.fetch(&j) {
		t.Fatalf("frame %d: %v", MaxFrames, j.err)
	}
	if f.fetch(&j) {
		t.Fatal("one frame too many is accepted")
	}
	wantClause(t, j.err, format.ZSTD3, format.ErrUnsupported)

	sum := newDigester()
	err = sum.readTable(bytes.NewReader(join(le.AppendUint32(nil, footerSize),
		le.AppendUint32(nil, MaxFrames+1), []byte{0}, le.AppendUint32(nil, footerMagic))), 0)
	wantClause(t, err, format.ZSTD3, format.ErrUnsupported)
}

// Cut at every byte, a stream gives whole frames and then an error.
func TestTruncatedEverywhere(t *testing.T) {
	noLeak(t)
	sound := fakeStream(2, 1000)
	var whole bytes.Buffer
	if _, err := NewReader(bytes.NewReader(sound), 1).WriteTo(&whole); err != nil {
		t.Fatal(err)
	}
	frames := []int{0, FrameContent, 2 * FrameContent, whole.Len()}
	counts := workerCounts()
	for n := 0; n < len(sound); n += sampled(13) {
		r := NewReader(bytes.NewReader(sound[:n]), counts[n%len(counts)])
		var got bytes.Buffer
		_, err := r.WriteTo(&got)
		wantClause(t, err, format.ZSTD4, format.ErrTruncated)
		if !slices.Contains(frames, got.Len()) || !bytes.HasPrefix(whole.Bytes(), got.Bytes()) {
			t.Fatalf("cut at %d: %d bytes released", n, got.Len())
		}
		if _, again := r.Read(make([]byte, 1)); again != err {
			t.Fatalf("cut at %d: %v, then %v", n, err, again)
		}
		r.Close()
		if _, err := NewReaderAt(bytes.NewReader(sound[:n]), int64(n), 1); err == nil {
			t.Fatalf("cut at %d: accepted by the table", n)
		}
	}
}

// Changed in any bit, a frame with a checksum and the table give an error or,
// where decoders do not care, the same content.
func TestEveryBitFlipped(t *testing.T) {
	content := text(8, 150)
	sound := compress(t, content, 3, 1)
	for i := 0; i < 8*len(sound); i += sampled(29) {
		bad := bytes.Clone(sound)
		bad[i/8] ^= 1 << (i % 8)
		for _, w := range ways() {
			if w.name == "ReadAt" {
				continue
			}
			if !raceEnabled && w.name != "Read/1" && w.name != "ReaderAt.WriteTo/1" {
				continue
			}
			got, err := w.read(bad)
			var pe *format.ParseError
			if err != nil && !errors.As(err, &pe) {
				t.Fatalf("bit %d: %s: %v", i, w.name, err)
			}
			if err == nil && !bytes.Equal(got, content) {
				t.Fatalf("bit %d: %s: other content", i, w.name)
			}
		}
	}
}

// What the zstd command writes is not in the profile, unless by chance, and is
// refused by its clause.
func TestForeignStreams(t *testing.T) {
	zstd := zstdCommand(t)
	content := text(9, 3*FrameContent)
	run := func(stdin []byte, args ...string) []byte {
		cmd := exec.Command(zstd, args...)
		cmd.Stdin = bytes.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	read := func(s []byte) error {
		_, err := io.Copy(io.Discard, NewReader(bytes.NewReader(s), 2))
		return err
	}
	wantClause(t, read(run(content, "-q", "-c")), format.ZSTD2, nil)
	wantClause(t, read(run(content, "-q", "-c", "--stream-size=6291456")), format.ZSTD1, nil)
	wantClause(t, read(run(content, "-q", "-c", "--stream-size=6291456", "--long=27")), format.ZSTD1, nil)
	one := run(content[:FrameContent], "-q", "-c", "--stream-size=2097152", "-5")
	wantClause(t, read(join(one, one)), format.ZSTD4, nil)
	if err := read(join(one, one, fakeTable(entries(FrameContent, one, one)...))); err != nil {
		t.Errorf("frames of the zstd command that are in the profile: %v", err)
	}
}
