package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"bulla/internal/parallel"
	"bulla/internal/storage"
)

// A Patchable is an object that is read and can be changed where it lies, by a
// [storage.Patcher]'s method: a new upload of parts that are sent, where something
// changes, and of others, which the store copies itself.
//
//	old   | head |           payload            | tail |
//	new   |  sent, 5 MiB  |  copied, 1 GiB each |  sent |
//
// So about 10 MiB move for a new head, whatever the size. The object is replaced in one step, on the
// condition that it is what was read.
type Patchable struct {
	*Reader
	To Target
}

const (
	whole    = 4 * minPart // what is smaller is sent whole
	copyPart = 1 << 30
	copies   = 8 // at a time
)

// Apply implements [storage.Patcher].
func (p *Patchable) Apply(changes []storage.Change, opts storage.PatchOptions) error {
	if err := p.may(opts); err != nil {
		return err
	}
	for _, c := range changes {
		if err := p.holds(c.Offset, c.Old, p.Reader); err != nil {
			return err
		}
	}
	as := &Making{ID: NewID(), Instead: p.info}
	if err := p.replace(changes, as); err != nil {
		return err
	}
	now, err := p.client.Open(p.ctx, p.name, p.To)
	if err != nil {
		return failed(p.name, storage.HalfPatched, err)
	}
	defer now.Close()
	for _, c := range changes {
		if err := p.holds(c.Offset, c.New, now); err != nil {
			return failed(p.name, storage.HalfPatched, err)
		}
	}
	return p.old(opts)
}

// may refuses what the options do not allow.
func (p *Patchable) may(opts storage.PatchOptions) error {
	now, err := p.client.stat(p.ctx, p.name, p.To) // which tells more than reading does
	switch {
	case err != nil:
		return err
	case !now.same(p.info):
		return failed(p.name, storage.Changed, nil)
	case now.Retained:
		return failed(p.name, storage.Retained, nil)
	}
	if p.info.Version != "" && !opts.Keep && !opts.DeleteOld {
		return failed(p.name, storage.Versioned, fmt.Errorf("another %d bytes", p.info.Size))
	}
	profile, err := p.To.Profile(p.ctx)
	if err != nil {
		return err
	}
	if !opts.Unsafe && (!profile.Instead || !p.info.Strong()) {
		return failed(p.name, storage.Unsafe, nil)
	}
	return nil
}

// old deletes the version that was replaced, or names it.
func (p *Patchable) old(opts storage.PatchOptions) error {
	version := p.info.Version
	switch {
	case version == "":
	case opts.DeleteOld:
		if err := p.client.Try(p.ctx, p.name, func(ctx context.Context) error { return p.To.Delete(ctx, version) }); err != nil {
			return failed(p.name, storage.Lingers, fmt.Errorf("version %s: %w", version, err))
		}
	default:
		p.client.Tell(fmt.Sprintf("version %s of %s stays, %d bytes: who could open it still can", version, p.name, p.info.Size), "delete it, or use --delete-old-version the next time")
	}
	return nil
}

func (p *Patchable) holds(off int64, want []byte, r io.ReaderAt) error {
	if want == nil {
		return nil
	}
	got := make([]byte, len(want))
	n, err := r.ReadAt(got, off)
	if err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(got[:n], want) {
		return failed(p.name, storage.Changed, nil)
	}
	return nil
}

// A segment of the new object is sent, or a range that the store copies.
type segment struct {
	off, n int64
	sent   bool
}

// segments cuts the object up: each 5 MiB in which something changes are sent, and from
// the first change in the last 5 MiB on all. Every part but the last has at least as much.
func (p *Patchable) segments(changes []storage.Change) (all []segment, err error) {
	size := p.info.Size
	if size <= whole {
		return []segment{{0, size, true}}, nil
	}
	end := size
	for _, c := range changes {
		if c.Offset >= size-minPart {
			end = min(end, c.Offset)
		}
	}
	changed := make([]bool, end/minPart) // of which the last has up to 10 MiB
	last := int64(len(changed) - 1)
	for _, c := range changes {
		for b := c.Offset / minPart; c.Offset < end && b <= (c.Offset+int64(len(c.New))-1)/minPart; b++ {
			changed[min(b, last)] = true
		}
	}
	for b := int64(0); b <= last; {
		n, off := int64(slices.Index(changed[b:], true)), b*minPart
		sent := n == 0
		if sent {
			n = 1
		} else if n < 0 {
			n = last + 1 - b
		}
		to := end
		if b += n; b <= last {
			to = b * minPart
		}
		each := to - off
		if !sent {
			pieces := (to - off + copyPart - 1) / copyPart
			each = min(max((to-off+pieces-1)/pieces, (size+9_000)/9_000), maxPart)
		}
		for ; off < to; off += each {
			all = append(all, segment{off, min(each, to-off), sent})
		}
	}
	if end < size {
		all = append(all, segment{end, size - end, true})
	}
	if len(all) > MaxParts {
		return nil, failed(p.name, storage.NotPatchable, errors.New("there are too many changes"))
	}
	return all, nil
}

// load reads what is to be sent of a segment, with the changes.
func (p *Patchable) load(s segment, changes []storage.Change) ([]byte, error) {
	b := make([]byte, s.n)
	if _, err := p.ReadAt(b, s.off); err != nil && err != io.EOF {
		return nil, err
	}
	for _, c := range changes {
		c.Over(b, s.off)
	}
	return b, nil
}

// replace makes the new object in the place of the old.
func (p *Patchable) replace(changes []storage.Change, as *Making) error {
	all, err := p.segments(changes)
	if err != nil {
		return err
	}
	upload := ""
	err = p.client.Try(context.WithoutCancel(p.ctx), p.name, func(ctx context.Context) (err error) {
		upload, err = p.To.Begin(ctx, as)
		return err
	})
	if err != nil {
		return err
	}
	etags, err := p.parts(upload, all, changes)
	if err == nil {
		err = p.client.try(p.ctx, p.name, true, func(ctx context.Context, _ func(int)) error {
			return p.To.Complete(ctx, upload, etags, as)
		})
	}
	if err == nil {
		return nil
	}
	if p.ctx.Err() == nil {
		now, serr := p.client.stat(p.ctx, p.name, p.To)
		switch {
		case errors.Is(serr, storage.NotFound), serr == nil && now.ID != as.ID && !now.same(p.info):
			err = failed(p.name, storage.Changed, nil)
		case serr == nil && now.ID == as.ID:
			return nil // the answer got lost
		}
	}
	if aerr := p.client.abort(p.ctx, p.name, p.To, upload); aerr != nil {
		p.client.Tell("an unfinished upload of "+p.name+" could not be removed", "bulla storage uploads --abort "+p.name+" removes it")
	}
	return err
}

// parts has all parts made, several at a time. After an error no more are begun, and those
// under way are not cut off, so that none arrives after the upload is aborted.
func (p *Patchable) parts(upload string, all []segment, changes []storage.Change) (etags []string, err error) {
	etags = make([]string, len(all))
	return etags, parallel.Do(copies, len(all), func(_, i int) (err error) {
		s, sent := all[i], []byte(nil)
		if s.sent {
			if sent, err = p.load(s, changes); err != nil {
				return err
			}
		}
		return p.client.try(p.ctx, p.name, !s.sent, func(ctx context.Context, moved func(int)) (err error) {
			if s.sent {
				etags[i], err = p.To.Send(ctx, upload, i+1, p.client.metered(bytes.NewReader(sent), moved), s.n)
			} else {
				etags[i], err = p.To.Copy(ctx, upload, i+1, s.off, s.n, p.info)
			}
			return err
		})
	})
}
