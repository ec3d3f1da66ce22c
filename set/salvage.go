package set

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"

	"bulla/format"
	"bulla/internal/parallel"
	"bulla/stream"
)

// Salvaged is what Salvage got back, as JSON has it.
type Salvaged struct {
	stream.Salvaged
	Missing []string `json:"missing,omitempty"` // suffixes of the parts that are not there, or cannot be opened
}

// Salvage writes to dst what still authenticates of the volumes of a set, each byte in its
// place, with zeros for what is lost: a volume that is missing, that is another, or that has
// lost both copies of its head, and what [stream.Salvage] does not get out of the others. Of
// opts From, Raw and Role do not count.
//
// The root must be sound. Without an index the set is taken to go on up to its last volume, if
// that is there, or else up to one that MaxGap others are missing after. All volumes but the last
// have the same content, so that each has its place whatever is missing. Its errors are those of
// opening the root, of dst, and the cause of ctx's end.
func Salvage(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, open Opener, identities []stream.Identity, opts *stream.SalvageOptions) (*Salvaged, error) {
	o := *cmp.Or(opts, new(stream.SalvageOptions))
	s, err := openRoot(ctx, src, size, identities, o.Head)
	if err != nil {
		return nil, err
	}
	o.Head, o.Role = nil, format.RoleVolume
	v := &salvager{set: s, open: open, opts: &o, dst: dst, all: &Salvaged{Salvaged: stream.Salvaged{PlacesKnown: true, Written: o.Uncertain, Head: s.head}}}
	v.all.Lost, v.all.Shifts, v.all.Uncertain = []stream.Range{}, []stream.Shift{}, []stream.Range{} // as JSON has none
	v.all.Decoded = s.Coding == format.Zstd
	err = s.openIndex(ctx, open)
	v.all.SizeKnown = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		v.all.Missing = []string{IndexSuffix}
	}
	n := len(s.Volumes)
	for i := 0; (i < n || n == 0) && i < MaxVolumes; i++ {
		content := s.VolumeSize
		if n > 0 {
			content = s.Volumes[i].Content
		}
		if more, err := v.volume(ctx, i, content); err != nil || !more {
			return v.all, err
		}
	}
	return v.all, nil
}

type salvager struct {
	set  *opened
	open Opener
	opts *stream.SalvageOptions
	dst  io.Writer
	all  *Salvaged
	next atomic.Int64 // a volume that is there, if it is not before the one at hand
}

// MaxGap is how many volumes after one that is missing Salvage looks for, if there is no index.
const MaxGap = 1024

// follows reports whether a volume after i is there.
func (v *salvager) follows(ctx context.Context, i int) bool {
	if v.next.Load() > int64(i) {
		return true
	}
	found := errors.New("found")
	return parallel.Do(checksAtOnce, MaxGap, func(_, k int) error {
		f, err := v.open(ctx, VolumeSuffix(i+1+k))
		if err != nil {
			return nil
		}
		defer f.Close()
		if !v.isVolume(f, i+1+k) {
			return nil
		}
		v.next.Store(int64(i + 1 + k))
		return found
	}) != nil
}

// isVolume reports whether f is volume i, as far as its head shows.
func (v *salvager) isVolume(f File, i int) bool {
	usable := format.ReadCopies(f, f.Size()).Usable()
	return len(usable) > 0 && v.set.expects(i).judge(usable[0].Head) == nil
}

// volume writes what is left of volume i, and zeros up to the content that it had. more is
// false if there is none after it.
func (v *salvager) volume(ctx context.Context, i int, content int64) (more bool, err error) {
	end, known := v.all.Size+content, v.all.SizeKnown
	f, err := v.open(ctx, VolumeSuffix(i))
	if err == nil {
		err = v.rescue(ctx, f, i, content)
		f.Close()
	} else if v.all.Missing = append(v.all.Missing, VolumeSuffix(i)); !known && !v.follows(ctx, i) {
		return false, context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if e, ok := errors.AsType[*failed](err); ok {
		return false, e.error
	}
	if v.all.SizeKnown != known {
		return false, nil // it is the last
	}
	lost := stream.Range{Offset: v.all.Size, Length: end - v.all.Size}
	if lost.Length == 0 {
		return true, nil
	}
	v.all.Lost = append(v.all.Lost, lost)
	v.all.Size = end
	_, err = io.CopyN(v.dst, zeros{ctx}, lost.Length)
	return true, err
}

// rescue writes what a file has of volume i, if it is that. Its errors are *failed if they are dst's.
func (v *salvager) rescue(ctx context.Context, f File, i int, content int64) error {
	if !v.isVolume(f, i) {
		return nil
	}
	base := v.all.Size
	got, err := stream.Salvage(ctx, &clip{v.dst, &v.all.Size, base + content}, f, f.Size(), []stream.Identity{v.set.key}, v.opts)
	if err != nil {
		return err
	}
	v.all.Intact += got.Intact
	v.all.UncertainBytes += got.UncertainBytes
	v.all.PlacesKnown = v.all.PlacesKnown && got.PlacesKnown
	v.all.Lost = appendMoved(v.all.Lost, got.Lost, base)
	v.all.Uncertain = appendMoved(v.all.Uncertain, got.Uncertain, base)
	v.all.SizeKnown = v.all.SizeKnown || got.SizeKnown && got.Size < v.set.VolumeSize
	return nil
}

// appendMoved appends ranges of a volume as ranges of the set.
func appendMoved(all, ranges []stream.Range, by int64) []stream.Range {
	for _, r := range ranges {
		all = append(all, stream.Range{Offset: by + r.Offset, Length: r.Length})
	}
	return all
}

// failed is an error of the destination.
type failed struct{ error }

// A clip writes up to a place, and drops the rest.
type clip struct {
	dst io.Writer
	at  *int64
	end int64
}

func (c *clip) Write(p []byte) (int, error) {
	n, err := c.dst.Write(p[:min(int64(len(p)), c.end-*c.at)])
	if *c.at += int64(n); err != nil {
		return n, &failed{err}
	}
	return len(p), nil
}

// zeros end with a context alone.
type zeros struct{ context.Context }

func (z zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), context.Cause(z)
}
