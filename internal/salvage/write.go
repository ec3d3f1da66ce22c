package salvage

import (
	"context"
	"io"

	"bulla/format"
	"bulla/internal/zseek"
)

// A delivery writes what a search has found, and keeps the account of it.
type delivery struct {
	*search
	*Report
	dst io.Writer
}

// plain writes the payload's plaintext as it is, each chunk in its place.
func (d *delivery) plain() error {
	var b room
	for i := range d.chunks() {
		n, _ := d.length(i)
		d.Done.Add(n)
		var err error
		if plain, ok := d.chunk(&b, i); ok {
			err = d.give(plain)
		} else {
			err = d.lose(n - format.TagSize)
		}
		if err != nil {
			return err
		}
	}
	if d.SizeKnown = d.final > 0; d.SizeKnown {
		return nil
	}
	n := max(0, d.expected()-d.Report.Size)
	d.Done.Add(n)
	return d.lose(n)
}

// give writes plaintext that is authentic and in its place.
func (d *delivery) give(plain []byte) error {
	d.Intact += int64(len(plain))
	return d.write(plain)
}

// doubt writes a frame that is uncertain, or zeros for it.
func (d *delivery) doubt(frame []byte) error {
	d.note(&d.Report.Uncertain, int64(len(frame)))
	d.UncertainBytes += int64(len(frame))
	if !d.Options.Uncertain {
		clear(frame)
	}
	return d.write(frame)
}

// lose writes zeros for the next n bytes of plaintext, which are lost.
func (d *delivery) lose(n int64) error {
	d.note(&d.Lost, n)
	for zeros := make([]byte, min(n, format.ChunkSize)); n > 0; n -= int64(len(zeros)) {
		zeros = zeros[:min(n, int64(len(zeros)))]
		if err := d.write(zeros); err != nil {
			return err
		}
	}
	return nil
}

// note adds the next n bytes of plaintext to a list of ranges.
func (d *delivery) note(all *[]Range, n int64) {
	at, last := d.Report.Size, len(*all)-1
	switch {
	case n == 0:
	case last >= 0 && ((*all)[last].Offset+(*all)[last].Length == at || last+1 == d.Limits.Ranges):
		(*all)[last].Length = at + n - (*all)[last].Offset
	default:
		*all = append(*all, Range{at, n})
	}
}

func (d *delivery) write(b []byte) error {
	if err := context.Cause(d.ctx); err != nil {
		return err
	}
	_, err := d.dst.Write(b)
	if err == nil {
		d.Report.Size += int64(len(b))
	}
	return err
}

// frames writes what the payload decompresses to, and zeros for the frames that
// touch a lost chunk.
func (d *delivery) frames() error {
	d.Decoded = true
	if d.final == 0 {
		return d.walk()
	}
	z, err := zseek.NewReaderAt(d.search, d.payload(), 1)
	if err != nil { // the table is damaged
		return d.walk()
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

// maxVain bounds the work for a payload that is full of what looks like frames:
// to decode that many takes some seconds.
const maxVain = 5000

// walk writes the frames of a payload of which the table is lost:
//
//	frame 0  frame 1  fra╌╌╌╌╌╌╌╌╌╌╌e 4  frame 5  fra    what was found of it
//	├─ in place ───────┤  lost   ├ uncertain ┤
//
// From the start on each frame says where the next begins, and all but the last
// hold as much, so that their places in the plaintext are known. After a hole a
// frame is found by how one begins, and nothing tells it from content that was
// made to look like one. How many are lost in between is not known, only the
// fewest that it takes to fill the hole.
func (d *delivery) walk() error {
	w, room := zseek.NewWalker(), make([]byte, zseek.MaxFrameSize)
	var at, end int64 // in the payload: where the walk is, and where the last frame that was found ends
	inPlace := true   // nothing was passed over so far
	guess := false    // what is at at looks like a frame
	for vain := 0; !d.SizeKnown && at < d.payload() && vain < maxVain; {
		n, err := d.ReadAt(room, at)
		b := room[:n] // up to the next chunk that is lost
		if d.SizeKnown = inPlace && zseek.IsTable(b); d.SizeKnown {
			break
		}
		if content, n, bad := w.Next(b); bad == nil {
			d.SizeKnown = inPlace && len(content) < zseek.FrameContent
			give := d.give
			if !inPlace {
				give = d.doubt
			}
			fewest := (at - end + zseek.MaxFrameSize - 1) / zseek.MaxFrameSize // that were passed over
			if err := d.lose(fewest * zseek.FrameContent); err != nil {
				return err
			}
			if err := give(content); err != nil {
				return err
			}
			d.Done.Add(at + int64(n) - end)
			at += int64(n)
			end, guess = at, false
			continue
		}
		inPlace = false
		if guess {
			vain++
		}
		n = zseek.FindFrame(b, 1)
		switch guess = n >= 0; {
		case guess:
			at += int64(n)
		case err == nil:
			at += int64(len(b) - zseek.MaxHeader) // one may begin at the end
		default:
			i := (at+int64(len(b)))/format.ChunkSize + 1
			for i < d.chunks() && d.where[i] == 0 {
				i++
			}
			at = i * format.ChunkSize
		}
	}
	d.Done.Add(max(0, d.payload()-end, d.expected()-end))
	return nil
}
