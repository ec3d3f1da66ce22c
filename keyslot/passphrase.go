package keyslot

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/once"
)

// Slot type 2: a passphrase, stretched with Argon2id (RFC 9106, version 0x13).
const (
	// DefaultPassphraseKiB and DefaultPassphrasePasses are what a new slot
	// costs to open (PASS-6): 256 MiB of memory, three passes over it.
	DefaultPassphraseKiB    = 256 << 10
	DefaultPassphrasePasses = 3

	argonLanes  = 4
	argonKeyLen = 32
)

// ErrEmptyPassphrase is what an empty passphrase is refused with.
var ErrEmptyPassphrase = errors.New("the passphrase is empty")

// PassphraseOptions says what guessing a passphrase shall cost. The zero value
// is right.
type PassphraseOptions struct {
	KiB    uint32 // memory in KiB, 32 to 2^20; 0 means DefaultPassphraseKiB
	Passes uint8  // 1 to 16; 0 means DefaultPassphrasePasses
}

// A PassphraseRecipient makes slots that a passphrase opens. It is safe for
// concurrent use.
type PassphraseRecipient struct {
	passphrase  []byte
	kib, passes uint32
}

// NewPassphraseRecipient makes a recipient of the bytes of a passphrase, which
// it copies; they are taken as they are, without any normalisation. Nil options
// mean the zero value. It refuses an empty passphrase ([ErrEmptyPassphrase]),
// and a cost that a reader would refuse to pay (PASS-2, PASS-3, PASS-8).
func NewPassphraseRecipient(passphrase []byte, o *PassphraseOptions) (*PassphraseRecipient, error) {
	if len(passphrase) == 0 {
		return nil, ErrEmptyPassphrase
	}
	o = cmp.Or(o, &PassphraseOptions{})
	kib := cmp.Or(o.KiB, DefaultPassphraseKiB)
	passes := uint32(cmp.Or(o.Passes, DefaultPassphrasePasses))
	switch {
	case kib < format.MinPassphraseKiB || kib > format.MaxPassphraseKiB:
		return nil, fmt.Errorf("%d KiB for Argon2id, not %d to %d", kib, format.MinPassphraseKiB, format.MaxPassphraseKiB)
	case passes > format.MaxPassphrasePasses:
		return nil, fmt.Errorf("%d passes of Argon2id, not 1 to %d", passes, format.MaxPassphrasePasses)
	case uint64(kib)*uint64(passes) > format.MaxPassphraseWork:
		return nil, fmt.Errorf("%d KiB times %d passes of Argon2id are more than the %d that a reader spends", // PASS-8
			kib, passes, format.MaxPassphraseWork)
	}
	return &PassphraseRecipient{bytes.Clone(passphrase), kib, passes}, nil
}

// Format implements [fmt.Formatter]: no verb prints the passphrase.
func (r PassphraseRecipient) Format(f fmt.State, _ rune) { io.WriteString(f, "passphrase") }

// Type is [format.SlotPassphrase].
func (r *PassphraseRecipient) Type() format.SlotType { return format.SlotPassphrase }

// Canonical is empty: the id of a slot says nothing about its passphrase.
func (r *PassphraseRecipient) Canonical() string { return "" }

// BodySize is [format.PassphraseBodySize], exactly.
func (r *PassphraseRecipient) BodySize() int { return format.PassphraseBodySize }

// Class is [format.Neutral].
func (r *PassphraseRecipient) Class() format.Class { return format.Neutral }

// Wrap implements [Recipient]. It computes one Argon2id, which ctx does not
// interrupt; if the memory for that is not to be had, it fails with a [*MemoryError].
func (r *PassphraseRecipient) Wrap(ctx context.Context, m *entropy.Mixer, p *format.Preamble, cek []byte) ([]byte, error) {
	if err := checkWrap(ctx, cek); err != nil {
		return nil, err
	}
	if err := CheckMemory(uint64(r.kib) << 10); err != nil {
		return nil, err
	}
	salt, err := newSalt(m)
	if err != nil {
		return nil, fmt.Errorf("passphrase slot: %w", err)
	}
	b := format.PassphraseBody{KiB: r.kib, Passes: uint8(r.passes), KEKBody: format.KEKBody{Salt: salt}}
	ikm := stretch(r.passphrase, &b)
	defer clear(ikm)
	wrapSymmetric(&b.KEKBody, ikm, slotInfo(format.SlotPassphrase, p), cek)
	return b.Append(make([]byte, 0, format.PassphraseBodySize)), nil
}

// stretch is Argon2id of the passphrase, at the cost and with the salt of b. The
// memory that it took, 256 MiB by default, goes back to the system: else it
// would stay with the process for as long as that encrypts or decrypts.
func stretch(passphrase []byte, b *format.PassphraseBody) []byte {
	defer debug.FreeOSMemory()
	return argon2.IDKey(passphrase, b.Salt[:], uint32(b.Passes), b.KiB, argonLanes, argonKeyLen)
}

// A PassphraseIdentity opens slots of type 2 with a passphrase that it asks for
// when the first such slot is met. It is safe for concurrent use.
type PassphraseIdentity struct {
	ask    func(context.Context) ([]byte, error)
	answer once.Value[[]byte]
}

// NewPassphraseIdentity makes an identity that gets its passphrase from ask,
// which is called once, by the first Unwrap of a slot of type 2, and with that
// call's context. What ask returns is the identity's from then on; an error of ask
// is what this and every later Unwrap returns, unless it was that the context ended.
func NewPassphraseIdentity(ask func(context.Context) ([]byte, error)) *PassphraseIdentity {
	return &PassphraseIdentity{ask: ask}
}

// Format implements [fmt.Formatter]: no verb prints the passphrase.
func (i *PassphraseIdentity) Format(f fmt.State, _ rune) { io.WriteString(f, "passphrase") }

// Accepts implements [Identity].
func (i *PassphraseIdentity) Accepts(t format.SlotType) bool { return t == format.SlotPassphrase }

// Interactive reports whether the passphrase has yet to be asked for.
func (i *PassphraseIdentity) Interactive() bool {
	_, asked, _ := i.answer.Peek()
	return !asked
}

// Unwrap implements [Identity]. It computes one Argon2id at the cost the slot
// names, within the bounds of PASS-2 and PASS-3; the sum over many slots
// (PASS-5) is for the caller to bound. ctx does not interrupt the computation. If the
// memory for it is not to be had, nobody is asked, and the error is a [*MemoryError].
func (i *PassphraseIdentity) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	if err := checkUnwrap(ctx, i, s); err != nil {
		return nil, err
	}
	b, err := format.ParsePassphraseBody(s.Body) // PASS-1 to PASS-3
	if err != nil {
		return nil, err
	}
	if err := CheckMemory(uint64(b.KiB) << 10); err != nil {
		return nil, err
	}
	passphrase, err := i.passphrase(ctx)
	if err != nil {
		return nil, fmt.Errorf("passphrase slot: %w", err)
	}
	ikm := stretch(passphrase, b)
	defer clear(ikm)
	cek, err := unwrapSymmetric(&b.KEKBody, ikm, slotInfo(s.Type, p))
	if err != nil {
		return nil, fmt.Errorf("passphrase slot: %w", err)
	}
	return cek, nil
}

// passphrase asks, if nobody has been asked yet.
func (i *PassphraseIdentity) passphrase(ctx context.Context) ([]byte, error) {
	return i.answer.Get(ctx, func() ([]byte, error) {
		passphrase, err := i.ask(ctx)
		if err == nil && len(passphrase) == 0 {
			err = ErrEmptyPassphrase
		}
		return passphrase, err
	})
}

// AnyPassphrase stands for passphrases where none is at hand: for one that will be
// asked for, in stream.Plan, and for all that there are, in the Remove of a
// stream.Edit. (The slots of all passphrases have the same id.) It makes no slots.
type AnyPassphrase struct{}

// Type is [format.SlotPassphrase].
func (AnyPassphrase) Type() format.SlotType { return format.SlotPassphrase }

// Canonical is empty, as for every passphrase.
func (AnyPassphrase) Canonical() string { return "" }

// BodySize is exact.
func (AnyPassphrase) BodySize() int { return format.PassphraseBodySize }

// Wrap fails.
func (AnyPassphrase) Wrap(context.Context, *entropy.Mixer, *format.Preamble, []byte) ([]byte, error) {
	return nil, errors.New("no passphrase was asked for")
}

// A MemoryError is a passphrase that takes more memory to stretch than the control
// group of this process may have: Linux would kill the process in the middle.
type MemoryError struct{ Need, Limit uint64 } // in bytes

func (e *MemoryError) Error() string {
	return fmt.Sprintf("a passphrase takes %d MiB of memory here, and the limit is %d MiB", e.Need>>20, e.Limit>>20)
}

const (
	ownMemory = 8 << 20       // in bytes, what a program has besides, at least
	noLimit   = math.MaxInt64 // two of them can be added
	cgroups   = "sys/fs/cgroup"
)

// CheckMemory returns a [*MemoryError] if so many bytes do not fit the limits of the
// process's control group and those above it (cgroup v2). Swap counts as memory.
// What cannot be read limits nothing, and so it is on other systems.
func CheckMemory(need uint64) error { return checkMemory(os.DirFS("/"), need) }

func checkMemory(root fs.FS, need uint64) error {
	own, _ := fs.ReadFile(root, "proc/self/cgroup")
	_, group, ok := strings.Cut("\n"+string(own), "\n0::")
	if !ok {
		return nil
	}
	group, _, _ = strings.Cut(group, "\n")
	swap := readNumber(root, "proc/meminfo", "SwapFree:") << 10
	for dir := path.Join(cgroups, path.Join("/", group)); strings.HasPrefix(dir, cgroups); dir = path.Dir(dir) {
		limit := readNumber(root, dir+"/memory.max", "") + min(swap, readNumber(root, dir+"/memory.swap.max", ""))
		if need+ownMemory > limit {
			return &MemoryError{need, limit}
		}
	}
	return nil
}

// readNumber is the number after a word in a file; noLimit if there is none.
func readNumber(root fs.FS, name, word string) uint64 {
	b, _ := fs.ReadFile(root, name)
	_, rest, _ := strings.Cut(string(b), word)
	var n uint64
	if _, err := fmt.Sscan(rest, &n); err != nil { // it is "max", or not there
		return noLimit
	}
	return min(n, noLimit)
}

// A generated passphrase is ten words of a list of 2,048: 11 bits a word, 110
// bits in all, before Argon2id makes each guess dear. That is out of reach of
// any guesser, and can still be written down on one line.
const (
	passphraseWords   = 10
	wordBits          = 11
	wordCount         = 1 << wordBits
	passphraseWordSep = "-"

	// GeneratedPassphraseBits is the strength of what [GeneratePassphrase]
	// makes, in bits.
	GeneratedPassphraseBits = passphraseWords * wordBits
)

//go:embed words.txt
var wordsFile string

// words is the list: the lines of the file that are no comments.
var words = sync.OnceValue(func() []string {
	list := make([]string, 0, wordCount)
	for line := range strings.Lines(wordsFile) {
		if word := strings.TrimSpace(line); word != "" && !strings.HasPrefix(word, "#") {
			list = append(list, word)
		}
	}
	return list
})

// GeneratePassphrase makes a passphrase of ten words, joined by hyphens, such
// as one offers to somebody who left the prompt empty. Each word stands for 11
// random bits from m, so all are equally likely and the strength is
// [GeneratedPassphraseBits].
func GeneratePassphrase(m *entropy.Mixer) ([]byte, error) {
	random := make([]byte, 2*passphraseWords)
	defer clear(random)
	if err := m.Fill("passphrase", random); err != nil {
		return nil, err
	}
	var passphrase []byte
	for i := range passphraseWords {
		// The number of words is a power of two: a mask has no bias.
		n := binary.BigEndian.Uint16(random[2*i:]) % wordCount
		if i > 0 {
			passphrase = append(passphrase, passphraseWordSep...)
		}
		passphrase = append(passphrase, words()[n]...)
	}
	return passphrase, nil
}
