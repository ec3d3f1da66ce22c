package set

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sync/atomic"

	"bulla/format"
	"bulla/stream"
)

// SalvageOptions are the options of [Salvage]. The zero value, and a nil pointer, are right
// for most uses.
type SalvageOptions struct {
	Workers   int
	Head      []byte // a detached head of the root
	Done      *atomic.Int64
	Uncertain bool // see [stream.SalvageOptions]
}

// Salvage writes to dst what still authenticates of the volumes of a set, each byte in its
// place, with zeros for what is lost: a volume that is missing, that is another, or that has
// lost both copies of its head, and what [stream.Salvage] does not get out of the others.
//
// The root must be sound. Without an index the set is taken to go on up to the first volume
// that is missing. Its errors are those of opening the root, of dst, and the cause of ctx's end.
func Salvage(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, open Opener, identities []stream.Identity, opts *SalvageOptions) (*stream.Salvaged, error) {
	if opts == nil {
		opts = new(SalvageOptions)
	}
	s, err := openRoot(ctx, src, size, identities, opts.Head)
	if err != nil {
		return nil, err
	}
	all := &stream.Salvaged{PlacesKnown: true, Written: opts.Uncertain, Head: s.head}
	all.Decoded = s.Coding == format.Zstd
	if err := s.openIndex(ctx, open); err != nil && ctx.Err() != nil {
		return nil, err
	}
	v := &salvager{set: s, open: open, opts: opts, dst: dst, all: all}
	for i := 0; i < MaxVolumes && (s.Volumes == nil || i < len(s.Volumes)) && !all.SizeKnown; i++ {
		if there, err := v.volume(ctx, i); err != nil {
			return nil, err
		} else if !there && s.Volumes == nil {
			break
		}
	}
	all.SizeKnown = all.SizeKnown || s.Volumes != nil
	return all, nil
}

type salvager struct {
	set  *opened
	open Opener
	opts *SalvageOptions
	dst  io.Writer
	all  *stream.Salvaged
}

// volume writes what is left of volume i, as much as it had.
func (v *salvager) volume(ctx context.Context, i int) (there bool, err error) {
	content, known := v.set.VolumeSize, v.set.Volumes != nil
	if known {
		content = v.set.Volumes[i].Content
	}
	f, err := v.open(ctx, VolumeSuffix(i))
	if errors.Is(err, fs.ErrNotExist) && !known {
		return false, nil
	}
	base := v.all.Size
	if err == nil {
		defer f.Close()
		err = v.rescue(ctx, f, i, &clip{dst: v.dst, room: content})
	}
	if ctx.Err() != nil || errors.Is(err, errDestination) {
		return true, err
	}
	if !known && v.all.SizeKnown {
		return true, nil // it is the last
	}
	if n := base + content - v.all.Size; n > 0 {
		v.all.Lost = append(v.all.Lost, stream.Range{Offset: v.all.Size, Length: n})
		v.all.Size += n
		_, err = io.CopyN(v.dst, zeros{}, n)
		return true, err
	}
	return true, nil
}

var errDestination = errors.New("the destination failed")

// rescue writes what a file has of volume i, if it is that.
func (v *salvager) rescue(ctx context.Context, f File, i int, dst *clip) error {
	usable := format.ReadCopies(f, f.Size()).Usable()
	if len(usable) == 0 {
		return nil
	}
	if err := v.set.expects(i).judge(usable[0].Head); err != nil {
		return nil
	}
	base := v.all.Size
	got, err := stream.Salvage(ctx, dst, f, f.Size(), []stream.Identity{v.set.key}, &stream.SalvageOptions{Uncertain: v.opts.Uncertain,
		ReaderOptions: stream.ReaderOptions{Workers: v.opts.Workers, Done: v.opts.Done, Role: format.RoleVolume}})
	v.all.Size += dst.wrote
	if dst.err != nil {
		return errors.Join(errDestination, dst.err)
	}
	if err != nil {
		return err
	}
	v.all.Intact += got.Intact
	v.all.UncertainBytes += got.UncertainBytes
	v.all.PlacesKnown = v.all.PlacesKnown && got.PlacesKnown
	v.all.Lost = slices.AppendSeq(v.all.Lost, moved(got.Lost, base))
	v.all.Uncertain = slices.AppendSeq(v.all.Uncertain, moved(got.Uncertain, base))
	v.all.SizeKnown = v.set.Volumes == nil && got.SizeKnown && got.Size < v.set.VolumeSize
	return nil
}

// moved are ranges of a volume as ranges of the set.
func moved(ranges []stream.Range, by int64) iter.Seq[stream.Range] {
	return func(yield func(stream.Range) bool) {
		for _, r := range ranges {
			if !yield(stream.Range{Offset: by + r.Offset, Length: r.Length}) {
				return
			}
		}
	}
}

// A clip writes as much as there is room for, and drops the rest.
type clip struct {
	dst   io.Writer
	room  int64
	wrote int64
	err   error // of dst
}

func (c *clip) Write(p []byte) (int, error) {
	n, err := c.dst.Write(p[:min(int64(len(p)), c.room-c.wrote)])
	c.wrote += int64(n)
	if c.err = err; err != nil {
		return n, err
	}
	return len(p), nil
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
