package epoch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"bulla/entropy"
	"bulla/keyslot/tpmkey"
)

// A keeper file is three pages. The first never changes; of the other two one holds the
// state, and the other is zero but while the state changes.
//
//	page 0
//	 0  16  magic       "bulla keeper" 0d 0a 1a 0a
//	16   1  layout      1
//	17   1  every       1 day, 2 week, 3 month, 4 quarter
//	18   1  protection  0 none, 1 passphrase, 2 TPM
//	19   1  zero
//	20   4  counter     TPM: the NV index of its counter; else zero
//	24  34  storage root key  TPM: its Name; else zero
//	58      zero
//
//	pages 1 and 2
//	   0   8  generation  from 1
//	   8   4  epoch       the first one that opens: t
//	  12   4  end         the number after the last epoch
//	  16   4  run         the day of the last recorded run
//	  20   8  counter     TPM: the value of the counter at which it opens; else zero
//	  28   2  length      of the box
//	  30      box         c(t), protected; then zero
//	4064  32  SHA-256     of page 0 and of bytes 0 to 4063 of this page
const (
	pageSize = 4096

	// FileSize is the length of a keeper file in bytes.
	FileSize = 3 * pageSize

	magic       = "bulla keeper\r\n\x1a\n"
	layout      = 1
	offEvery    = len(magic) + 1
	offCounter  = offEvery + 3
	offSRK      = offCounter + 4
	stateHeader = 30
	offSum      = pageSize - sha256.Size
	maxBox      = offSum - stateHeader
)

// A Protection is how a keeper's state is protected.
type Protection byte

const (
	Plain      Protection = iota // by the file's mode alone
	Passphrase                   // as an age file under it
	TPM                          // sealed under a counter: see tpmkey.Counter
)

var protectionNames = [...]string{Plain: "none", Passphrase: "passphrase", TPM: "TPM"}

func (p Protection) String() string { return protectionNames[p] }

// A Keeper is what opens the epochs of a calendar. Parse, or make, one for each run that
// uses it. It is not safe for concurrent use.
type Keeper struct {
	every      Every
	protection Protection
	counter    tpmkey.Counter // of TPM

	pages [2]*state // nil: it holds none that is valid
	used  [2]bool   // it is not all zero
	at    int       // the page of the state that counts

	chain  *chain // once it is unlocked
	secret []byte // the passphrase or the PIN, once it is known
}

// A state is what a page holds.
type state struct {
	generation uint64
	epoch, end int
	run        Date
	counter    uint64
	box        []byte
}

// IsKeeper reports whether a file that begins with b is meant to be a keeper.
func IsKeeper(b []byte) bool { return bytes.HasPrefix(b, []byte(magic)) }

// header is page 0.
func (k *Keeper) header() []byte {
	b := make([]byte, pageSize)
	copy(b, magic)
	copy(b[len(magic):], []byte{layout, byte(k.every), byte(k.protection)})
	binary.BigEndian.PutUint32(b[offCounter:], k.counter.Index)
	copy(b[offSRK:], k.counter.SRK[:])
	return b
}

// page is s as a page.
func (k *Keeper) page(s *state) []byte {
	b := make([]byte, 0, pageSize)
	b = binary.BigEndian.AppendUint64(b, s.generation)
	b = binary.BigEndian.AppendUint32(b, uint32(s.epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(s.end))
	b = binary.BigEndian.AppendUint32(b, uint32(s.run))
	b = binary.BigEndian.AppendUint64(b, s.counter)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.box)))
	b = append(b, s.box...)[:offSum]
	sum := k.sum(b)
	return append(b, sum[:]...)
}

func (k *Keeper) sum(page []byte) [sha256.Size]byte {
	return sha256.Sum256(append(k.header(), page[:offSum]...))
}

// parsePage reads a page; nil if it holds no valid state (EPOCH-11).
func (k *Keeper) parsePage(b []byte) *state {
	u32 := func(off int) int { return int(binary.BigEndian.Uint32(b[off:])) }
	s := &state{binary.BigEndian.Uint64(b), u32(8), u32(12), Date(u32(16)), binary.BigEndian.Uint64(b[20:]), nil}
	n := int(binary.BigEndian.Uint16(b[28:]))
	if n > maxBox || s.span(k.every).check(0) != nil || s.run < 0 {
		return nil
	}
	s.box = bytes.Clone(b[stateHeader : stateHeader+n])
	if !bytes.Equal(b, k.page(s)) {
		return nil
	}
	return s
}

func (s *state) span(e Every) Span { return Span{e, s.epoch, s.end} }

// Parse reads a keeper file, of which it keeps nothing. Its error wraps [ErrMalformed].
func Parse(file []byte) (*Keeper, error) {
	switch {
	case !IsKeeper(file):
		return nil, malformed("keeper", "it does not begin as one does")
	case len(file) != FileSize:
		return nil, malformed("keeper", "it has %d bytes, not %d", len(file), FileSize)
	}
	k := &Keeper{every: Every(file[offEvery]), protection: Protection(file[offEvery+1])}
	k.counter.Index = binary.BigEndian.Uint32(file[offCounter:])
	copy(k.counter.SRK[:], file[offSRK:])
	if file[len(magic)] != layout || !k.every.known() || k.protection > TPM || !bytes.Equal(k.header(), file[:pageSize]) { // EPOCH-10
		return nil, malformed("keeper", "its first page is damaged, or of a newer version")
	}
	for i := range k.pages {
		page := file[(1+i)*pageSize:][:pageSize]
		k.pages[i] = k.parsePage(page)
		k.used[i] = !bytes.Equal(page, make([]byte, pageSize))
	}
	if k.pages[0] == nil && k.pages[1] == nil {
		return nil, malformed("keeper", "both of its states are damaged")
	}
	k.at = k.newest(func(*state) bool { return true })
	return k, nil
}

// newest is the page with the highest generation among those that fit, -1 if none does
// (EPOCH-12).
func (k *Keeper) newest(fits func(*state) bool) int {
	best := -1
	for i, s := range k.pages {
		if s != nil && fits(s) && (best < 0 || s.generation > k.pages[best].generation) {
			best = i
		}
	}
	return best
}

// New makes a keeper for the epochs of s. With protection Passphrase or TPM the secrets
// say what it is put under; with TPM and no PIN function, whoever can use the TPM can open
// it. today is recorded as the day of the last run.
//
// Errors are those of m, of the secrets, of package tpmkey, and about spans of no epochs
// or too many. Close it.
func New(ctx context.Context, m *entropy.Mixer, s Span, today Date, p Protection, o *Secrets) (*Keeper, error) {
	if err := s.check(1); err != nil {
		return nil, err
	}
	k := &Keeper{every: s.Every, protection: p, chain: &chain{t: s.From}}
	if err := m.Fill("epoch chain", k.chain.c[:]); err != nil {
		return nil, err
	}
	first := &state{generation: 1, epoch: s.From, end: s.To, run: max(0, today)}
	var err error
	switch p {
	case Passphrase:
		k.secret, err = o.Passphrase(ctx)
	case TPM:
		if o.PIN != nil {
			k.secret, err = o.PIN(ctx, nil)
		}
		if err == nil {
			k.counter, first.counter, err = tpmkey.NewCounter(ctx, m, o.TPM)
		}
	}
	if err == nil {
		first.box, err = k.seal(ctx, k.chain, first.counter)
	}
	if err != nil {
		k.Discard(ctx)
		return nil, err
	}
	k.pages[0], k.used[0] = first, true
	return k, nil
}

// Discard destroys a keeper that was made and could not be kept: it frees the TPM's
// counter, and forgets all secrets.
func (k *Keeper) Discard(ctx context.Context) {
	k.Close()
	if k.counter.Index != 0 {
		k.counter.Remove(ctx)
	}
}

// Encode returns the file of a new keeper.
func (k *Keeper) Encode() []byte {
	b := append(k.header(), k.page(k.state())...)
	return append(b, make([]byte, pageSize)...)
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
func (k *Keeper) Reach() Span { return k.state().span(k.every) }

// LastRun is the day of the last recorded run.
func (k *Keeper) LastRun() Date { return k.state().run }

// Protection says how the keeper is protected.
func (k *Keeper) Protection() Protection { return k.protection }

// Calendar is the keys of all epochs that the keeper opens. It must be unlocked, and have
// epochs left.
func (k *Keeper) Calendar() (*Calendar, error) {
	if k.chain == nil {
		return nil, errLocked
	}
	if err := k.Reach().check(1); err != nil {
		return nil, err
	}
	return k.chain.calendar(k.Reach())
}

var errLocked = errors.New("internal error: the keeper is locked")

func (k *Keeper) String() string { return fmt.Sprintf("keeper of %v", k.Reach()) }
