package epoch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"bulla/entropy"
	"bulla/keyslot"
	"bulla/keyslot/tpmkey"
)

// A keeper file is three pages of 4,096 bytes. The first never changes; of the other two
// one holds the state, and the other is zero but while the state changes (spec/epoch.md,
// section 3).
const (
	pageSize = 4096
	FileSize = 3 * pageSize // of a keeper, in bytes

	magic  = "bulla keeper\r\n\x1a\n"
	layout = 1
)

// A header is what page 0 begins with; the rest is zero.
type header struct {
	Magic      [len(magic)]byte
	Layout     byte
	Every      Every
	Protection Protection
	_          byte
	Counter    tpmkey.Counter // of protection TPM; else zero
}

// Fields are what a state's page begins with. The box follows, then the SHA-256 of page 0
// and of all before it, then zeros. Without a passphrase all of that is in one sector of 512
// bytes, which a disk writes whole or not at all.
type fields struct {
	Generation uint64 // from 1
	Epoch, End uint32 // the first that opens, and the number after the last
	Run        uint32 // the day of the last recorded run: a Date
	Counter    uint64 // of protection TPM: the value at which it opens; else zero
	Box        uint16 // its length
}

const (
	fieldsSize = 30
	maxBox     = pageSize - fieldsSize - sha256.Size
)

// A state is what a page holds.
type state struct {
	fields
	box []byte // c(t), protected
}

// A Protection is how a keeper's state is protected.
type Protection byte

const (
	Plain      Protection = iota // by the file's mode alone
	Passphrase                   // as an age file under it
	TPM                          // sealed under a counter: see tpmkey.Counter
)

func (p Protection) String() string { return [...]string{"none", "passphrase", "TPM"}[p] }

// A Keeper is what opens the epochs of a calendar. Parse, or make, one for each run that
// uses it. It is not safe for concurrent use.
type Keeper struct {
	h header

	pages [2]*state // nil: it holds none that is valid
	used  [2]bool   // it is not all zero
	at    int       // the page of the state that counts

	chain  *chain // once it is unlocked
	secret []byte // the passphrase or the PIN, once it is known
}

// IsKeeper reports whether a file that begins with b is meant to be a keeper.
func IsKeeper(b []byte) bool { return bytes.HasPrefix(b, []byte(magic)) }

// encode is v at the beginning of n bytes, with tail after it.
func encode(n int, v any, tail []byte) []byte {
	b, err := binary.Append(make([]byte, 0, n), binary.BigEndian, v)
	if err != nil { // of what has no fixed size
		panic("internal error: " + err.Error())
	}
	return append(b, tail...)[:n]
}

// page is s as a page.
func (k *Keeper) page(s *state) []byte {
	s.Box = uint16(len(s.box))
	sum := sha256.Sum256(append(encode(pageSize, k.h, nil), encode(fieldsSize+len(s.box), s.fields, s.box)...))
	return encode(pageSize, s.fields, append(bytes.Clone(s.box), sum[:]...))
}

// parsePage reads a page; nil if it holds no valid state (EPOCH-11).
func (k *Keeper) parsePage(b []byte) *state {
	s := &state{}
	binary.Decode(b, binary.BigEndian, &s.fields)
	if s.Box > maxBox || s.span(k.h.Every).check(0) != nil || int32(s.Run) < 0 {
		return nil
	}
	s.box = bytes.Clone(b[fieldsSize:][:s.Box])
	if !bytes.Equal(b, k.page(s)) {
		return nil
	}
	return s
}

func (s *state) span(e Every) Span { return Span{e, int(s.Epoch), int(s.End)} }

// Parse reads a keeper file, of which it keeps nothing. Its error wraps [ErrMalformed].
func Parse(file []byte) (*Keeper, error) {
	k := &Keeper{}
	if len(file) == FileSize {
		binary.Decode(file, binary.BigEndian, &k.h)
	}
	if !IsKeeper(file) || k.h.Layout != layout || !k.h.Every.known() || k.h.Protection > TPM || !bytes.Equal(file[:pageSize], encode(pageSize, k.h, nil)) { // EPOCH-10
		return nil, fmt.Errorf("%w keeper: it is none, or damaged, or of a newer version", ErrMalformed)
	}
	for i := range k.pages {
		page := file[pageOffset(i):][:pageSize]
		k.pages[i] = k.parsePage(page)
		k.used[i] = !bytes.Equal(page, make([]byte, pageSize))
	}
	if k.at = k.newest(func(*state) bool { return true }); k.at < 0 {
		return nil, fmt.Errorf("%w keeper: both of its states are damaged", ErrMalformed)
	}
	return k, nil
}

// newest is the page with the highest generation among those that fit, -1 if none does
// (EPOCH-12).
func (k *Keeper) newest(fits func(*state) bool) int {
	best := -1
	for i, s := range k.pages {
		if s != nil && fits(s) && (best < 0 || s.Generation > k.pages[best].Generation) {
			best = i
		}
	}
	return best
}

// New makes a keeper for the epochs of s, with today as the day of the last run. o says
// what it is put under; sealed to a TPM without a PIN function, whoever can use the TPM can
// open it. Close it.
//
// Errors are those of m, of the secrets, of package tpmkey, and about spans of no epochs
// or too many.
func New(ctx context.Context, m *entropy.Mixer, s Span, today Date, p Protection, o *Secrets) (*Keeper, error) {
	if err := s.check(1); err != nil {
		return nil, err
	}
	k := &Keeper{h: header{[len(magic)]byte([]byte(magic)), layout, s.Every, p, 0, tpmkey.Counter{}}, chain: &chain{t: s.From}}
	first := &state{fields: fields{Generation: 1, Epoch: uint32(s.From), End: uint32(s.To), Run: uint32(max(0, today))}}
	k.pages[0], k.used[0] = first, true
	err := m.Fill("epoch chain", k.chain.c[:]) // EPOCH-3
	switch {
	case err != nil:
	case p == Passphrase:
		k.secret, err = o.Passphrase(ctx)
	case p == TPM:
		if o.PIN != nil {
			k.secret, err = o.PIN(ctx, nil)
		}
		if err == nil {
			k.h.Counter, first.Counter, err = tpmkey.NewCounter(ctx, m, o.TPM)
		}
	}
	if err == nil {
		first.box, err = k.seal(ctx, k.chain, first.Counter)
	}
	if err != nil {
		k.Discard(ctx)
		return nil, err
	}
	return k, nil
}

// Discard destroys a keeper that was made and could not be kept: it frees the TPM's
// counter, also when ctx is done, and forgets all secrets.
func (k *Keeper) Discard(ctx context.Context) {
	k.Close()
	if k.h.Counter.Index != 0 {
		k.h.Counter.Remove(context.WithoutCancel(ctx))
	}
}

// Encode returns the file of a new keeper.
func (k *Keeper) Encode() []byte {
	return append(encode(pageSize, k.h, nil), append(k.page(k.state()), make([]byte, pageSize)...)...)
}

// Close forgets all secrets. It may be called again.
func (k *Keeper) Close() {
	if k.chain != nil {
		clear(k.chain.c[:])
	}
	clear(k.secret)
	k.chain, k.secret = nil, nil
}

func (k *Keeper) state() *state { return k.pages[k.at] }

// Reach is the epochs that the keeper opens. (Of one that is sealed to a TPM and is not
// yet unlocked, those that its newest state opens.)
func (k *Keeper) Reach() Span { return k.state().span(k.h.Every) }

// LastRun is the day of the last recorded run.
func (k *Keeper) LastRun() Date { return Date(k.state().Run) }

// Protection says how the keeper is protected.
func (k *Keeper) Protection() Protection { return k.h.Protection }

// Calendar is the keys of all epochs that the keeper opens. It must be unlocked, and have
// epochs left.
func (k *Keeper) Calendar() (*Calendar, error) {
	if k.chain == nil {
		return nil, errLocked
	}
	cal := &Calendar{Span: k.Reach()}
	at := *k.chain
	defer func() { clear(at.c[:]) }()
	for ; at.t < cal.To; at = at.to(at.t + 1) {
		id, err := at.identity()
		if err != nil {
			return nil, err
		}
		cal.keys = append(cal.keys, id.Recipient().(*keyslot.HPKERecipient))
	}
	return cal, cal.check(1)
}

var errLocked = errors.New("internal error: the keeper is locked")

// Format implements [fmt.Formatter]: no verb prints a secret.
func (k Keeper) Format(f fmt.State, _ rune) { fmt.Fprint(f, "keeper of ", k.Reach()) }
