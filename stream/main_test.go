package stream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/seal"
	"bulla/keyslot"
	"bulla/slot"
	"bulla/stream"
)

// slotVault is a slot type that no registry has.
const slotVault format.SlotType = 0x7f00

// A vault is a recipient and an identity in one. It keeps the CEKs that it is
// given, and puts into the slot only where it has one; so tests can look at a
// CEK, and forge what only someone with the key can.
type vault struct {
	mu   sync.Mutex
	ceks [][]byte

	asks bool // it is interactive
	size int  // of the body, if more than it needs
	opened,
	asked int // calls of Unwrap that gave a CEK, all calls
	fail error // what Wrap and Unwrap return
}

func (v *vault) Type() format.SlotType { return slotVault }
func (v *vault) Canonical() string     { return fmt.Sprintf("vault %p", v) }
func (v *vault) BodySize() int         { return max(v.size, 12) }
func (v *vault) Interactive() bool     { return v.asks }

func (v *vault) Wrap(_ context.Context, _ *entropy.Mixer, _ *format.Preamble, cek []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fail != nil {
		return nil, v.fail
	}
	v.ceks = append(v.ceks, slices.Clone(cek))
	body := make([]byte, v.BodySize())
	binary.BigEndian.PutUint32(body, uint32(len(v.ceks)))
	binary.BigEndian.PutUint64(body[4:], v.number())
	return body, nil
}

// number tells vaults apart.
func (v *vault) number() uint64 {
	return binary.BigEndian.Uint64(v.ceks[0]) // no two have the same first CEK
}

func (v *vault) Accepts(t format.SlotType) bool { return t == slotVault }

func (v *vault) Unwrap(_ context.Context, s *format.Slot, _ *format.Preamble) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.fail != nil {
		return nil, v.fail
	}
	if len(v.ceks) == 0 || binary.BigEndian.Uint64(s.Body[4:]) != v.number() {
		return nil, fmt.Errorf("vault: %w", slot.ErrIncorrectIdentity)
	}
	v.opened++
	return slices.Clone(v.ceks[binary.BigEndian.Uint32(s.Body)-1]), nil
}

// keys returns the keys of a container that was made for v.
func (v *vault) keys(t testing.TB, container []byte) *seal.Keys {
	t.Helper()
	h := parseHead(t, container)
	for _, cek := range v.ceks {
		k, err := seal.NewKeys(cek, &h.Preamble)
		if err != nil {
			t.Fatal(err)
		}
		if k.Commits(&h.Commitment) {
			return k
		}
	}
	t.Fatal("the container is not for this vault")
	return nil
}

var (
	_ stream.Recipient = (*vault)(nil)
	_ stream.Identity  = (*vault)(nil)
)

// osMixer draws on crypto/rand and nothing else.
var osMixer = sync.OnceValue(func() *entropy.Mixer {
	m, err := entropy.New(&entropy.Options{Sources: []string{}})
	if err != nil {
		panic(err)
	}
	return m
})

// to and with make lists of one.
func to(r stream.Recipient) []stream.Recipient { return []stream.Recipient{r} }
func with(i stream.Identity) []stream.Identity { return []stream.Identity{i} }

// plaintext is n bytes that no two places share.
func plaintext(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{42}).Read(b)
	return b
}

// newWriter is stream.NewWriter, which must succeed, with cheaper entropy.
func newWriter(t testing.TB, dst io.Writer, r stream.Recipient, o stream.WriterOptions) *stream.Writer {
	t.Helper()
	o.Entropy = osMixer()
	w, err := stream.NewWriter(t.Context(), dst, to(r), &o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// encrypt makes a container.
func encrypt(t testing.TB, plain []byte, r stream.Recipient, o stream.WriterOptions) []byte {
	t.Helper()
	var dst bytes.Buffer
	w := newWriter(t, &dst, r, o)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dst.Bytes()
}

// A result is what came of reading a container.
type result struct {
	plain    []byte
	err      error
	warnings []format.Finding
}

// A way is one of the ways to read the whole of a container.
type way struct {
	name string
	read func(container []byte, id stream.Identity, o stream.ReaderOptions) result
}

// ways are all of them, each with the buffer sizes and sources that its code
// tells apart. The first few are enough where a test has many containers.
var ways = []way{
	{"Reader.Read", streamed(nil, io.ReadAll)},
	{"ReaderAt.WriteTo", readAt(false, writeTo)},
	{"Reader.WriteTo", streamed(nil, func(r io.Reader) ([]byte, error) {
		var dst bytes.Buffer
		_, err := r.(*stream.Reader).WriteTo(&dst)
		return dst.Bytes(), err
	})},
	{"ReaderAt.ReadAt", readAt(false, copySection)},
}

// truncatedWays read what there is of a container whose end is missing.
var truncatedWays = []way{
	{"ReaderAt.WriteTo", readAt(true, writeTo)},
	{"ReaderAt.ReadAt", readAt(true, copySection)},
}

func writeTo(r *stream.ReaderAt, dst *bytes.Buffer) error {
	_, err := r.WriteTo(dst)
	return err
}

func copySection(r *stream.ReaderAt, dst *bytes.Buffer) error {
	_, err := io.Copy(dst, onlyReader{io.NewSectionReader(r, 0, 1<<62)})
	return err
}

// fewWays is one way for each kind of reader.
var fewWays = ways[:2]

// streamed reads with a Reader, from a source that is wrapped by wrap.
func streamed(wrap func(io.Reader) io.Reader, read func(io.Reader) ([]byte, error)) func([]byte, stream.Identity, stream.ReaderOptions) result {
	return func(container []byte, id stream.Identity, o stream.ReaderOptions) (res result) {
		var src io.Reader = bytes.NewReader(container)
		if wrap != nil {
			src = wrap(src)
		}
		r, err := stream.NewReader(context.Background(), src, with(id), &o)
		if err != nil {
			return result{err: err}
		}
		defer r.Close()
		res.plain, res.err = read(r)
		res.warnings = r.Warnings()
		return res
	}
}

func readAt(truncated bool, read func(*stream.ReaderAt, *bytes.Buffer) error) func([]byte, stream.Identity, stream.ReaderOptions) result {
	return func(container []byte, id stream.Identity, o stream.ReaderOptions) (res result) {
		r, err := stream.NewReaderAt(context.Background(), bytes.NewReader(container), int64(len(container)), with(id), &stream.ReaderAtOptions{ReaderOptions: o, AllowTruncated: truncated})
		if err != nil {
			return result{err: err}
		}
		defer r.Close()
		var dst bytes.Buffer
		err = read(r, &dst)
		return result{dst.Bytes(), err, r.Warnings()}
	}
}

// onlyReader and onlyWriter hide every other method.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// wantPlain checks that a container gives plain by every one of the ways.
func wantPlain(t *testing.T, container, plain []byte, id stream.Identity, o stream.ReaderOptions, by []way) {
	t.Helper()
	for _, w := range by {
		got := w.read(container, id, o)
		if got.err != nil || !bytes.Equal(got.plain, plain) || len(got.warnings) != 0 {
			t.Errorf("%s: %d bytes of %d, warnings %v: %v", w.name, len(got.plain), len(plain), got.warnings, got.err)
		}
	}
}

// verify is stream.Verify of a container in memory, for one identity.
func verify(t testing.TB, container []byte, id stream.Identity) (*stream.Report, error) {
	t.Helper()
	return stream.Verify(t.Context(), bytes.NewReader(container), int64(len(container)), with(id), nil)
}

// clauses are those that the findings cite, in their order.
func clauses(findings []format.Finding) (c []format.Clause) {
	for _, f := range findings {
		c = append(c, f.Clause)
	}
	return c
}

// clauseOf is the clause that an error of this package cites.
func clauseOf(err error) format.Clause {
	var (
		parse    *format.ParseError
		chunk    *stream.ChunkError
		cut      *stream.TruncatedError
		trailing *stream.TrailingError
		noKey    *stream.NoKeyError
		limit    *stream.LimitError
	)
	switch {
	case errors.As(err, &noKey):
		return format.SLOT3
	case errors.As(err, &limit):
		return limit.Clause
	case errors.As(err, &chunk):
		return format.CHUNK1
	case errors.As(err, &cut):
		return format.FILE1
	case errors.As(err, &trailing):
		return format.FILE4
	case errors.As(err, &parse):
		return parse.Clause
	}
	return ""
}

// parts is a container taken to pieces.
type parts struct {
	head   []byte
	chunks [][]byte
	tail   []byte
}

func split(t testing.TB, container []byte) parts {
	t.Helper()
	head := parseHead(t, container).HeadSize()
	l, err := format.NewLayout(int64(len(container)), int64(head))
	if err != nil {
		t.Fatal(err)
	}
	p := parts{head: container[:head], tail: container[len(container)-head:]}
	for i := range l.Chunks {
		off, n := l.Chunk(i)
		p.chunks = append(p.chunks, container[off:off+n])
	}
	return p
}

// join puts pieces together; the container shares nothing with them.
func (p parts) join() []byte {
	return slices.Concat(p.head, slices.Concat(p.chunks...), p.tail)
}

func parseHead(t testing.TB, b []byte) *format.Head {
	t.Helper()
	h, err := format.ParseHead(b)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// forgedHead is a copy with a change made by someone without the key: the
// checksum is right, the MAC is not.
func forgedHead(t testing.TB, head []byte, change func(*format.Head)) []byte {
	t.Helper()
	h := parseHead(t, head)
	change(h)
	b, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withChecksum is a copy with any change to its bytes, and a checksum that fits.
func withChecksum(change func([]byte), head []byte) []byte {
	b := slices.Clone(head)
	change(b)
	n := len(b) - 4
	binary.BigEndian.PutUint32(b[n:], crc32.Checksum(b[:n], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// rewrappedHead is a copy with a change made by someone with the key.
func rewrappedHead(t testing.TB, k *seal.Keys, head []byte, change func(*format.Head)) []byte {
	t.Helper()
	return forgedHead(t, forgedHead(t, head, change), func(h *format.Head) {
		b, err := h.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		h.MAC = k.HeadMAC(format.MACInput(b))
	})
}

// flipped is b with one bit changed.
func flipped(b []byte, at, bit int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1 << bit
	return b
}

var errBroken = errors.New("it is broken")

// passphraseIdentity is the identity of someone who knows a passphrase.
func passphraseIdentity(s string) stream.Identity {
	return keyslot.NewPassphraseIdentity(func(context.Context) ([]byte, error) { return []byte(s), nil })
}

// long, set by BULLA_LONG=1, makes the tests try everything and not a sample.
var long = os.Getenv("BULLA_LONG") == "1"

// sparse is how sparse a sample may be: n, or 1 if all is to be tried.
func sparse(n int) int {
	if long {
		return 1
	}
	return n
}
