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
		plain, ok := d.chunk(&b, i)
		if !ok {
			n, _ := d.length(i)
			if err := d.loseChunks(n - format.TagSize); err != nil {
				return err
			}
			continue
		}
		d.Done.Add(int64(len(plain)))
		if err := d.give(plain); err != nil {
			return err
		}
	}
	if d.SizeKnown = d.final > 0; d.SizeKnown {
		return nil
	}
	return d.loseChunks(max(0, d.expected()-d.Report.Size))
}

// loseChunks is lose for what no chunk was found for.
func (d *delivery) loseChunks(n int64) error {
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
	if d.Options.Uncertain {
		return d.write(frame)
	}
	return d.zeros(int64(len(frame)))
}

// lose writes zeros for the next n bytes of plaintext, which are lost.
func (d *delivery) lose(n int64) error {
	if n == 0 {
		return nil
	}
	d.note(&d.Lost, n)
	return d.zeros(n)
}

// note adds the next n bytes of plaintext to a list of ranges.
func (d *delivery) note(all *[]Range, n int64) {
	at := d.Report.Size
	if k := len(*all) - 1; k >= 0 && ((*all)[k].Offset+(*all)[k].Length == at || len(*all) == d.Limits.Ranges) {
		(*all)[k].Length = at + n - (*all)[k].Offset
	} else {
		*all = append(*all, Range{at, n})
	}
}

func (d *delivery) write(b []byte) error {
	if err := context.Cause(d.ctx); err != nil {
		return err
	}
	if _, err := d.dst.Write(b); err != nil {
		return err
	}
	d.Report.Size += int64(len(b))
	return nil
}

func (d *delivery) zeros(n int64) error {
	zeros := make([]byte, min(n, format.ChunkSize))
	for ; n > 0; n -= int64(len(zeros)) {
		zeros = zeros[:min(n, int64(len(zeros)))]
		if err := d.write(zeros); err != nil {
			return err
		}
	}
	return nil
}
