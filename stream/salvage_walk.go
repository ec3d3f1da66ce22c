package stream

import (
	"bufio"
	"io"

	"bulla/format"
	"bulla/internal/zseek"
)

// A walk finds the frames of a payload whose table is lost:
//
//	frame 0  frame 1  fra╌╌╌╌╌╌╌╌╌╌╌e 4  frame 5  fra    what was found of it
//	├─ follow ─────────┤  lost   ├ find ┤ follow ─┤
//
// From the start on each frame says where the next begins, and all but the last
// hold as much, so that their places in the plaintext are known. Behind a hole a
// frame is found by how one begins. How many are lost in between is not known,
// only the fewest that it takes to fill the hole.
type walk struct {
	*delivery
	frames     *zseek.Walker
	read, look *bufio.Reader
	at         int64 // in the payload: where the last frame that was written ends
	ended      bool  // and there is no other behind it
	vain       int   // frames that were decoded where none of the payload begins
}

// maxVain bounds the work for a payload that is full of what looks like frames:
// to decode that many takes some seconds.
const maxVain = 5000

// walk writes the frames that can be found without a table, and zeros for the
// fewest that can be lost between them.
func (d *delivery) walk() error {
	w := &walk{
		delivery: d,
		frames:   zseek.NewWalker(),
		read:     bufio.NewReaderSize(nil, zseek.MaxFrameSize),
		look:     bufio.NewReaderSize(nil, zseek.MaxFrameSize),
	}
	for _, r := range d.stretches() {
		if err := w.stretch(r.Offset, r.Offset+r.Length); err != nil {
			return err
		}
	}
	d.SizeKnown = w.ended && !d.Loose
	size, known := d.size()
	if !known {
		size = d.expected()
	}
	d.done.Add(max(0, size-w.at))
	return nil
}

// stretches are the parts of the payload that were found.
func (s *salvager) stretches() (all []Range) {
	for _, p := range s.places {
		r := Range{p.first * format.ChunkSize, p.len() * format.ChunkSize}
		if p.final {
			r.Length = p.length - format.TagSize
		}
		if n := len(all) - 1; n >= 0 && all[n].Offset+all[n].Length == r.Offset {
			all[n].Length += r.Length
		} else {
			all = append(all, r)
		}
	}
	return all
}

// stretch writes the frames of the payload between from and to.
func (w *walk) stretch(from, to int64) (err error) {
	for from < to && !w.ended && err == nil {
		if from == w.at { // a frame begins here
			from, err = w.follow(to)
			continue
		}
		start, ok := w.find(from, to)
		if from = start; ok {
			w.done.Add(start - w.at)
			fewest := (start - w.at + zseek.MaxFrameSize - 1) / zseek.MaxFrameSize
			err = w.lose(fewest * zseek.FrameContent)
			w.at, w.Loose = start, true
		}
	}
	return err
}

// follow writes the frames that follow one another from at on. It returns where
// to look on for another.
func (w *walk) follow(to int64) (from int64, err error) {
	w.reset(w.read, w.at, to)
	for {
		b, _ := w.read.Peek(zseek.MaxFrameSize)
		if w.ended = zseek.IsTable(b); w.ended {
			return to, nil
		}
		content, size, err := w.frames.Next(b)
		if err != nil {
			if len(b) == zseek.MaxFrameSize { // it is all there, and no frame
				return w.at + 1, nil
			}
			return behind(w.at, b, to), nil
		}
		if err := w.give(content); err != nil {
			return to, err
		}
		w.read.Discard(size)
		w.at += int64(size)
		w.done.Add(int64(size))
		if w.ended = len(content) < zseek.FrameContent; w.ended {
			return to, nil
		}
	}
}

// find looks for the first frame that begins between from and to. Without one it
// returns where to look on.
func (w *walk) find(from, to int64) (start int64, ok bool) {
	w.reset(w.look, from, to)
	b, _ := w.look.Peek(zseek.MaxFrameSize)
	for i := zseek.FindFrame(b, 0); i >= 0; i = zseek.FindFrame(b, i+1) {
		if w.vain >= maxVain {
			return to, false
		}
		if start := from + int64(i); w.goesOn(start, to) {
			return start, true
		}
	}
	if len(b) == zseek.MaxFrameSize {
		return from + int64(len(b)), false
	}
	return behind(from, b, to), false
}

// goesOn reports whether frames follow one another from start on, for longer than
// in the content of one that is left as it is. Only somebody who knows what the
// encoder is going to do can make content that looks so.
func (w *walk) goesOn(start, to int64) bool {
	w.reset(w.read, start, to)
	n := 0
	for frames := 1; w.ctx.Err() == nil; frames++ {
		b, _ := w.read.Peek(zseek.MaxFrameSize)
		content, size, err := w.frames.Next(b)
		if n += size; err == nil && n > zseek.MaxNested {
			return true
		}
		if err != nil || len(content) < zseek.FrameContent {
			w.vain += frames
			return false
		}
		w.read.Discard(size)
	}
	return false
}

// reset makes r read the payload from one place to another.
func (w *walk) reset(r *bufio.Reader, from, to int64) {
	r.Reset(io.NewSectionReader(foundAt{w.salvager}, from, to-from))
}

// behind is where the payload goes on behind b, which stands at a place: where
// to is not reached, a chunk cannot be read.
func behind(at int64, b []byte, to int64) int64 {
	if at += int64(len(b)); at >= to {
		return to
	}
	return (at/format.ChunkSize + 1) * format.ChunkSize
}
