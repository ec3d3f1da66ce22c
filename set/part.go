package set

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"bulla/format"
	"bulla/stream"
)

// IndexSuffix is what follows the name of the root in that of the index.
const IndexSuffix = ".index"

// VolumeSuffix is what follows the name of the root in that of volume i.
func VolumeSuffix(i int) string { return fmt.Sprintf(".%06d", i) }

// Suffixes are those of all parts of a set of n volumes: the root, the volumes, the index.
func Suffixes(n int) []string {
	all := make([]string, n+2)
	for i := range n {
		all[i+1] = VolumeSuffix(i)
	}
	all[n+1] = IndexSuffix
	return all
}

// ParseSuffix returns the role and the number of the part of a set with that suffix; false if none
// can have it.
func ParseSuffix(suffix string) (p format.Part, ok bool) {
	switch suffix {
	case "":
		return format.Part{Role: format.RoleRoot}, true
	case IndexSuffix:
		return format.Part{Role: format.RoleIndex}, true
	}
	p.Role = format.RoleVolume
	n, _ := fmt.Sscanf(suffix, ".%06d", &p.Number)
	return p, n == 1 && suffix == VolumeSuffix(int(p.Number))
}

// Parts returns the suffixes of the parts that a set has, as far as that shows without a
// key: the size of the index says how many volumes there are. Without one, those up to the
// first that is missing count. Its errors are open's.
func Parts(ctx context.Context, open Opener) ([]string, error) {
	f, err := open(ctx, IndexSuffix)
	if err == nil {
		defer f.Close()
		if usable := format.ReadCopies(f, f.Size()).Usable(); len(usable) > 0 {
			l, _ := format.NewLayout(f.Size(), int64(len(usable[0].Raw)))
			if n := volumesIn(l.PlainSize); n > 0 {
				return Suffixes(n), nil
			}
		}
	}
	for n := 0; err == nil || errors.Is(err, fs.ErrNotExist); n++ {
		if f, err = open(ctx, VolumeSuffix(n)); err == nil {
			f.Close()
		} else if errors.Is(err, fs.ErrNotExist) {
			return Suffixes(n), nil
		}
	}
	return nil, err
}

// A File is a part that is read. Its methods may be called concurrently.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
}

// An Opener opens the part of a set with that suffix. Its error matches fs.ErrNotExist
// if there is none.
type Opener func(ctx context.Context, suffix string) (File, error)

// A Pending is a part that is being written.
type Pending interface {
	// Writer is what to write the part to. An *os.File is written to faster.
	Writer() io.Writer

	// Commit makes the part durable, and then gives it its name. If it fails, there is no
	// such part.
	Commit() error

	// Abort ends the part and leaves nothing of it. It may be called at any time, also
	// after Commit, when it does nothing.
	Abort()
}

// A Creator creates the part of a set with that suffix, which appears at Commit. It
// replaces nothing.
type Creator func(ctx context.Context, suffix string) (Pending, error)

// A PartError says which part of a set an error is about.
type PartError struct {
	Suffix string // of the part: "" is the root
	Err    error
}

func (e *PartError) Error() string { return PartName(e.Suffix) + ": " + e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

// PartName is what a part is called in messages: "root", "index", "volume 000003".
func PartName(suffix string) string {
	switch suffix {
	case "":
		return "root"
	case IndexSuffix:
		return "index"
	}
	return "volume " + strings.TrimPrefix(suffix, ".")
}

func inPart(suffix string, err error) error {
	if err == nil || errors.As(err, new(*PartError)) {
		return err
	}
	return &PartError{suffix, err}
}

// openPart opens a part that the set cannot do without.
func openPart(ctx context.Context, open Opener, suffix string) (File, error) {
	f, err := open(ctx, suffix)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", bad(format.SET1, "set", 0, format.ErrTruncated, "a part of it is missing"), err)
	}
	return f, err
}

// Where a head has its coding and its slot count.
const codingAt, slotsAt = 12, 100

// An expected part is what one has to be, as far as it shows without a key.
type expected struct {
	format.Part
	coding format.Coding
	listed *Volume // the entry of the index; nil if that is not known
}

// judge checks what shows of a head without a key (SET-2, SET-3, SET-17).
func (x *expected) judge(h *format.Head) error {
	switch err := x.another(h); {
	case err != nil:
		return err
	case h.Coding != x.coding:
		return bad(format.SET3, "coding", codingAt, format.ErrMalformed, "its coding is not that of the set")
	case x.listed != nil && x.listed.Identity != h.Identity():
		return bad(format.SET17, "identity", 0, format.ErrMalformed, "it is not the volume that the index lists, but of another attempt at this set")
	}
	return nil
}

// another is the error for a head of another part, or of another set (SET-2).
func (x *expected) another(h *format.Head) error {
	if h.Part == x.Part {
		return nil
	}
	return bad(format.SET2, "part", format.RoleOffset, format.ErrMalformed, fmt.Sprintf("it is %v %d of set %v, not %v %d of %v", h.Role, h.Number, h.Set, x.Role, x.Number, x.Set))
}

// CheckPart looks without a key whether a file is the part of a set with that suffix. It fails with
// a [*PartError] with the clause SET-2 if its head says that it is another. It does not look for
// damage.
func CheckPart(f File, id format.SetID, suffix string) error {
	c := format.ReadCopies(f, f.Size())
	usable := c.Usable()
	if len(usable) == 0 || c.Conflict(nil) != nil {
		return nil
	}
	x := new(expected)
	x.Part, _ = ParseSuffix(suffix)
	x.Set = id
	return inPart(suffix, x.another(usable[0].Head))
}

// check checks a part that is open, and returns err, with which that failed, if it is nothing
// else: the first clause that the part violates (section 6, steps 2 to 9).
func (x *expected) check(f File, r *stream.ReaderAt, err error) error {
	if err != nil {
		return x.name(f, err)
	}
	err = cmp.Or(x.judge(r.Head()), oneSlot(r.Head()))
	if err == nil && r.OpenedSlot() != 0 {
		err = foreignSlot // of the copy that counts; the other opened
	}
	if err != nil || x.listed == nil {
		return err
	}
	if n, err := r.Size(); err != nil || n != x.listed.Content || f.Size() != x.listed.Size {
		return bad(format.SET18, "size", 0, format.ErrMalformed, "it has not the size that the index states: someone who has its key has sealed it anew")
	}
	return nil
}

// name returns the first clause that a part violates that did not open because of err.
func (x *expected) name(f File, err error) error {
	c := format.ReadCopies(f, f.Size())
	usable := c.Usable()
	if c.Conflict(nil) != nil || len(usable) == 0 {
		return err
	}
	if e := x.judge(usable[0].Head); e != nil {
		return e
	}
	switch _, found := findingOf(err); {
	case errors.As(err, new(*stream.NoKeyError)):
		return foreignSlot
	case errors.Is(err, format.ErrForged) || !found:
		return err
	}
	return cmp.Or(oneSlot(usable[0].Head), err)
}

var foreignSlot = bad(format.SET4, "slots", slotsAt, format.ErrMalformed, "the set key does not open it: its head was changed by someone who cannot open the set")

// oneSlot checks the slots of the copy that counts (SET-4).
func oneSlot(h *format.Head) error {
	if len(h.Slots) != 1 || h.Slots[0].Type != format.SlotHPKE {
		return bad(format.SET4, "slots", slotsAt, format.ErrMalformed, "it has other recipients than the set: only the root may have")
	}
	return nil
}

// findingOf returns the finding that err is, if it is one.
func findingOf(err error) (f format.Finding, ok bool) {
	e, ok := errors.AsType[interface {
		error
		Finding() format.Finding
	}](err)
	if ok {
		f = e.Finding()
	}
	return f, ok
}
