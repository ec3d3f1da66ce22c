package stream

import (
	"context"
	"io"

	"bulla/format"
)

// A delivery writes what a salvager has found, and keeps the account of it.
type delivery struct {
	*salvager
	*Salvaged
	to *sink
}

func (s *salvager) deliver(dst io.Writer) *delivery {
	return &delivery{s, &Salvaged{Head: s.op.head.Head, Shifts: s.moved(), Missed: s.missed}, newSink(dst)}
}

// chunks writes the payload's plaintext as it is, each chunk in its place.
func (d *delivery) chunks() error {
	b := d.getBuf()
	defer d.putBuf(b)
	for _, p := range d.places {
		if err := d.loseChunks(p.first*format.ChunkSize - d.Size); err != nil {
			return err
		}
		for i := p.first; i < p.end; i++ {
			plain, ok := d.opens(b, i, p)
			var err error
			if ok {
				d.done.Add(int64(len(plain)))
				err = d.give(plain)
			} else { // a hole too many to be told, or the medium has got worse since
				err = d.loseChunks(p.length - format.TagSize)
			}
			if err != nil {
				return err
			}
		}
		d.SizeKnown = p.final
	}
	if d.SizeKnown {
		return nil
	}
	return d.loseChunks(d.expected() - d.Size)
}

// loseChunks is lose for what no chunk was found for.
func (d *delivery) loseChunks(n int64) error {
	if n <= 0 {
		return nil
	}
	d.done.Add(n)
	return d.lose(n)
}

// give writes plaintext that is authentic.
func (d *delivery) give(plain []byte) error {
	if err := context.Cause(d.ctx); err != nil {
		return err
	}
	if err := d.to.write(plain); err != nil {
		return err
	}
	d.Size += int64(len(plain))
	d.Intact += int64(len(plain))
	return nil
}

// lose writes zeros for the next n bytes of plaintext, which are lost.
func (d *delivery) lose(n int64) error {
	if k := len(d.Lost) - 1; k >= 0 && (d.Lost[k].Offset+d.Lost[k].Length == d.Size || len(d.Lost) == d.maxHoles) {
		d.Lost[k].Length = d.Size + n - d.Lost[k].Offset
	} else {
		d.Lost = append(d.Lost, Range{d.Size, n})
	}
	d.Size += n
	return zeroFill(d.ctx, d.to, n)
}

// zeroFill writes n zeros.
func zeroFill(ctx context.Context, to *sink, n int64) error {
	zeros := make([]byte, min(n, batchPlain))
	for ; n > 0; n -= int64(len(zeros)) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		zeros = zeros[:min(n, int64(len(zeros)))]
		if err := to.write(zeros); err != nil {
			return err
		}
	}
	return nil
}
