package salvage

import (
	"context"
	"io"

	"bulla/format"
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
