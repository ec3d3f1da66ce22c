package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"bulla/format"
	"bulla/internal/salvage"
)

// A Range is a part of the plaintext: Offset and Length, in bytes.
type Range = salvage.Range

// A Shift is a place from which on chunks were found away from where they
// belong, after bytes that were inserted or lost, or in their places again: the
// first Chunk that was found so, its Offset in the container, and the bytes that
// it has moved By: positive if it is too far back, negative if too far ahead.
type Shift = salvage.Shift

// Salvaged is what Salvage got back, as JSON has it.
type Salvaged struct {
	salvage.Report
	PlacesKnown bool         `json:"places_known"`      // nothing is uncertain
	Written     bool         `json:"uncertain_written"` // as the options asked
	From        format.Place `json:"from,omitempty"`    // the copy of the head that they chose
	Head        *format.Head `json:"-"`                 // the copy that was used
	Conflict    bool         `json:"-"`                 // the copies are of different containers, and one was chosen

	warnings []format.Finding
}

// Warnings returns what is wrong with the copies of the head (TAIL-3), as that of
// a [ReaderAt]: nothing if one was chosen, the container's end is missing, or the
// copy that served stands in neither of its places.
func (s *Salvaged) Warnings() []format.Finding { return slices.Clone(s.warnings) }

// ErrNoHead is what Salvage returns, with what is wrong with the one at the
// beginning, if there is no usable copy of the head anywhere.
var ErrNoHead = errors.New("no copy of the head is left")

// Salvage writes to dst the plaintext of the container of size bytes in src, as
// far as its chunks authenticate: each in its place, and zeros where one is lost.
// Nothing else reaches dst. It reads src twice: to find the chunks, and to open
// them; opts.Done grows by about twice the payload's size.
//
// The container may have lost its head (the tail, a copy anywhere in src or a
// detached head in opts serves), its end, or sectors in the middle (a read error
// is a hole like any other), and lie inside something larger. Where its bytes have
// slipped they are looked for at every byte up to 512 away, and at every sector of
// 512 bytes up to 16 MiB away.
//
// A compressed payload is decompressed frame by frame, and a frame of 2 MiB that
// touches a lost chunk is lost whole. The table at the end says where the frames
// are. Without it they are found one after the other up to the first lost chunk.
// What looks like a frame after that may belong some frames further on, or be
// content: it is listed as uncertain, and zeros are written for it unless
// opts.Uncertain is set. With opts.Raw the payload is written as it is.
//
// Copies of two containers are a [*ConflictError], unless opts.From chooses one. A
// copy that is forged is left out, if another is good.
//
// Its errors are these, ErrNoHead, those of [NewReaderAt] when no head opens, those of
// dst, and the cause of ctx's end. Loss is not an error.
func Salvage(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *SalvageOptions) (*Salvaged, error) {
	return salvageWithin(ctx, dst, src, size, identities, opts, salvage.Limits{})
}

func salvageWithin(ctx context.Context, dst io.Writer, src io.ReaderAt, size int64, identities []Identity, opts *SalvageOptions, limits salvage.Limits) (*Salvaged, error) {
	if opts == nil {
		opts = new(SalvageOptions)
	}
	o := opts.orDefault()
	src = salvage.Medium{Src: src}
	places := format.ReadCopies(src, size)
	all, conflict, err := sidesOf(places, src, size, o.head)
	if err != nil {
		return nil, err
	}
	p := &patient{src, size, identities, all, salvage.Options{
		Workers: o.workers, Done: o.done, Raw: o.raw, Uncertain: opts.Uncertain, Limits: limits,
	}, &o}
	if opts.From == "" && conflict {
		return nil, p.contradiction(ctx)
	}
	chosen := all[:]
	if opts.From != "" {
		i := slices.IndexFunc(chosen, func(x side) bool { return x.Place == opts.From })
		if i < 0 {
			return nil, fmt.Errorf("no copy of the head has the place %q", string(opts.From))
		}
		if chosen = chosen[i : i+1]; chosen[0].copy == nil {
			return nil, fmt.Errorf("%s: %w", opts.From, chosen[0].Err)
		}
	}
	var copies []*format.Copy
	for _, x := range chosen {
		if x.copy != nil {
			copies = append(copies, x.copy)
		}
	}
	inPlace := len(copies) > 0
	if !inPlace {
		c, err := salvage.FindCopy(ctx, src, size, []byte(format.Magic))
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, fmt.Errorf("%w: %w", ErrNoHead, all[0].Err)
		}
		copies = append(copies, c)
	}
	result := &Salvaged{Written: opts.Uncertain, From: opts.From, Conflict: conflict}
	err = p.with(ctx, copies, func(c *salvage.Container, op *opened) error {
		r, err := salvage.Write(ctx, newSink(dst), c, p.opts)
		if err != nil {
			return err
		}
		result.Report, result.Head, result.PlacesKnown = *r, c.Head, len(r.Uncertain) == 0
		if inPlace && r.SizeKnown && opts.From == "" {
			result.warnings = asWarnings(newPayload(src, size, op, places, &o).faults(op.own()))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}
