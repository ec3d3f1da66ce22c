package salvage

import (
	"bufio"
	"io"

	"bulla/format"
	"bulla/internal/zseek"
)

// frames writes what the payload decompresses to, and zeros for the frames that
// touch a lost chunk.
func (d *delivery) frames() error {
	d.Decoded = true
	size := d.payload()
	if d.final == 0 {
		return d.walk(size)
	}
	z, err := zseek.NewReaderAt(d.search, size, 1)
	if err != nil { // the table is damaged
		return d.walk(size)
	}
	d.SizeKnown = true
	var content []byte
	for i := range z.Table().Frames() {
		d.Done.Add(int64(z.Table().Frame(i).Size))
		if content, err = z.ReadFrame(content, i); err == nil {
			err = d.give(content)
		} else {
			err = d.lose(min(zseek.FrameContent, z.Size()-i*zseek.FrameContent))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A walk finds the frames of a payload of which the table is lost:
//
//	frame 0  frame 1  fra╌╌╌╌╌╌╌╌╌╌╌e 4  frame 5  fra    what was found of it
//	├─ in place ───────┤  lost   ├ uncertain ┤
//
// From the start on each frame says where the next begins, and all but the last
// hold as much, so that their places in the plaintext are known. After a hole a
// frame is found by how one begins, and nothing tells it from content that was
// made to look like one. How many are lost in between is not known, only the
// fewest that it takes to fill the hole.
type walk struct {
	*delivery
	frames  *zseek.Walker
	buf     *bufio.Reader
	at      int64 // in the payload: what buf gives next
	end     int64 // where the last frame that was found ends
	inPlace bool  // nothing was passed over so far
	ended   bool  // and what is at end is the payload's end
	vain    int   // places that looked like a frame and were none
}

// maxVain bounds the work for a payload that is full of what looks like frames:
// to decode that many takes some seconds.
const maxVain = 5000

// walk writes the frames that can be found without a table in a payload of up to
// size bytes.
func (d *delivery) walk(size int64) error {
	w := &walk{delivery: d, frames: zseek.NewWalker(), buf: bufio.NewReaderSize(nil, zseek.MaxFrameSize), inPlace: true}
	for w.at < size && !w.ended && w.vain < maxVain {
		if err := w.stretch(size); err != nil {
			return err
		}
		// A chunk is lost where the stretch ended.
		i := w.at/format.ChunkSize + 1
		for i < d.chunks() && d.where[i] == 0 {
			i++
		}
		w.at, w.inPlace = i*format.ChunkSize, false
	}
	d.SizeKnown = w.ended
	d.Done.Add(max(0, max(size, d.expected())-w.end))
	return nil
}

// stretch writes the frames from w.at to the next chunk that is lost.
func (w *walk) stretch(size int64) error {
	w.buf.Reset(io.NewSectionReader(w.search, w.at, size-w.at))
	for candidate := false; w.vain < maxVain; {
		b, err := w.buf.Peek(zseek.MaxFrameSize)
		if w.ended = w.inPlace && zseek.IsTable(b); w.ended {
			return nil
		}
		content, n, bad := w.frames.Next(b)
		if bad == nil {
			if err := w.found(content, n); err != nil || w.ended {
				return err
			}
			continue
		}
		w.inPlace = false
		if candidate {
			w.vain++
		}
		n = zseek.FindFrame(b, 1)
		if n < 0 && err != nil { // the rest of the stretch
			w.at += int64(len(b))
			return nil
		}
		if candidate = n >= 0; !candidate {
			n = len(b) - zseek.MaxHeader // one may begin at the end
		}
		w.skip(n)
	}
	return nil
}

// found writes a frame of n bytes that begins where the walk is.
func (w *walk) found(content []byte, n int) error {
	gap := w.at - w.end
	w.skip(n)
	w.end = w.at
	w.Done.Add(gap + int64(n))
	if w.inPlace {
		w.ended = len(content) < zseek.FrameContent
		return w.give(content)
	}
	if gap > 0 {
		fewest := (gap + zseek.MaxFrameSize - 1) / zseek.MaxFrameSize
		if err := w.lose(fewest * zseek.FrameContent); err != nil {
			return err
		}
	}
	return w.doubt(content)
}

func (w *walk) skip(n int) {
	w.buf.Discard(n)
	w.at += int64(n)
}
