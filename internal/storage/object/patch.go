package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"bulla/internal/fullio"
	"bulla/internal/parallel"
	"bulla/internal/storage"
)

// A Patchable is an object that is read and can be replaced where it lies, as a
// [storage.Patcher]: by a new upload of parts that are sent, where something changes, and
// of others, which the store copies itself.
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
	copies   = 8         // at a time
	maxHeld  = 128 << 20 // of what is sent at a time, unless one part is larger
)

// Replace implements [storage.Patcher].
func (p *Patchable) Replace(by io.ReaderAt, size int64, changed []storage.Range, opts storage.PatchOptions) error {
	if err := p.Allowed(opts); err != nil {
		return err
	}
	as := &Making{ID: NewID(), Instead: p.info}
	if err := p.replace(by, p.segments(size, changed), as); err != nil {
		return err
	}
	now, err := p.client.Open(p.ctx, p.name, p.To)
	if err != nil {
		return failed(p.name, storage.HalfPatched, err)
	}
	defer now.Close()
	if now.Size() != size {
		return failed(p.name, storage.HalfPatched, fmt.Errorf("it has %d bytes, not %d", now.Size(), size))
	}
	for _, c := range changed {
		if _, err := io.Copy(&fullio.Comparer{From: by, Same: c.Offset}, io.NewSectionReader(now, c.Offset, c.Length)); err != nil {
			return failed(p.name, storage.HalfPatched, err)
		}
	}
	return p.old(opts)
}

// Allowed implements [storage.Patcher].
func (p *Patchable) Allowed(opts storage.PatchOptions) error {
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

// A segment of the new object is sent, or a range that the store copies.
type segment struct {
	off, n int64
	sent   bool
}

// segments cuts the new object up, of size bytes: each block of 5 MiB in which something
// changes is sent, and from the first change in the last one on all. Every part but the last
// has at least as much. If that makes too many parts, the blocks are larger.
func (p *Patchable) segments(size int64, changed []storage.Range) (all []segment) {
	if size <= whole {
		return []segment{{0, size, true}}
	}
	if end := p.info.Size; end < size {
		changed = append(slices.Clip(changed), storage.Range{Offset: end, Length: size - end})
	}
	for block := int64(minPart); ; block *= 2 {
		if all = cut(size, block, changed); len(all) <= MaxParts || block > maxPart/2 {
			return all
		}
	}
}

// cut is segments with blocks of that size.
func cut(size, block int64, changed []storage.Range) (all []segment) {
	end := size
	for _, c := range changed {
		if c.Offset >= size-block {
			end = min(end, c.Offset)
		}
	}
	sends := make([]bool, end/block) // of which the last has up to two blocks
	last := int64(len(sends) - 1)
	for _, c := range changed {
		for b := c.Offset / block; c.Offset < end && b <= (min(c.Offset+c.Length, end)-1)/block; b++ {
			sends[min(b, last)] = true
		}
	}
	for b := int64(0); b <= last; {
		n, off := int64(slices.Index(sends[b:], true)), b*block
		sent := n == 0
		if sent {
			n = 1
		} else if n < 0 {
			n = last + 1 - b
		}
		to := end
		if b += n; b <= last {
			to = b * block
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
	return all
}

// replace makes the new object in the place of the old.
func (p *Patchable) replace(by io.ReaderAt, all []segment, as *Making) error {
	upload := ""
	err := p.client.Try(context.WithoutCancel(p.ctx), p.name, func(ctx context.Context) (err error) {
		upload, err = p.To.Begin(ctx, as)
		return err
	})
	if err != nil {
		return err
	}
	etags, err := p.parts(upload, by, all)
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
func (p *Patchable) parts(upload string, by io.ReaderAt, all []segment) (etags []string, err error) {
	etags = make([]string, len(all))
	workers := copies
	for _, s := range all {
		if s.sent {
			workers = min(workers, max(1, int(maxHeld/s.n)))
		}
	}
	return etags, parallel.Do(workers, len(all), func(_, i int) (err error) {
		s, sent := all[i], []byte(nil)
		if s.sent {
			sent = make([]byte, s.n)
			if _, err = by.ReadAt(sent, s.off); err != nil && err != io.EOF {
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
