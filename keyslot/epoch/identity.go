package epoch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"bulla/format"
	"bulla/internal/once"
	"bulla/slot"
)

// maxTries is with how many of its keys a keeper tries one slot: those nearest to the
// file's time (EPOCH-9).
const maxTries = 1024

// An Identity opens slots of type 1 with the keys of all epochs that a keeper reaches. It
// is safe for concurrent use.
type Identity struct {
	keeper  *Keeper
	secrets *Secrets
	chain   once.Value[[]chain] // of every epoch that it opens
	near    atomic.Int32        // a Date
}

// Identity makes an identity of k, which is its own from then on. It asks for k's secret
// when the first slot is met that it could open.
func (k *Keeper) Identity(o *Secrets) *Identity {
	i := &Identity{keeper: k, secrets: o}
	i.near.Store(int32(k.Reach().Next()))
	return i
}

// Reach is the epochs that the keeper opens.
func (i *Identity) Reach() Span { return i.keeper.Reach() }

// Near says when a file was written, as far as is known: the keys of the epochs around are
// tried first. Without it the last ones are.
func (i *Identity) Near(t time.Time) {
	i.near.Store(int32(DateOf(t)))
}

// Format implements [fmt.Formatter]: no verb prints a key.
func (i *Identity) Format(f fmt.State, _ rune) { io.WriteString(f, fmt.Sprint(i.keeper)) }

// Accepts implements [slot.Identity].
func (i *Identity) Accepts(t format.SlotType) bool { return t == format.SlotHPKE }

// Interactive reports whether a passphrase or a device has yet to be asked for.
func (i *Identity) Interactive() bool {
	_, asked, _ := i.chain.Peek()
	return !asked && i.keeper.Protection() != Plain
}

// Unwrap implements [slot.Identity].
func (i *Identity) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	if !i.Accepts(s.Type) {
		return nil, fmt.Errorf("%v slot: %w", s.Type, slot.ErrIncorrectIdentity)
	}
	if _, err := format.ParseHPKEBody(s.Body); err != nil { // HPKE-1; nobody is asked for that
		return nil, err
	}
	all, err := i.chain.Get(ctx, func() (all []chain, err error) {
		if err := i.keeper.Unlock(ctx, i.secrets); err != nil {
			return nil, err
		}
		c := *i.keeper.chain
		for range i.Reach().Len() {
			all = append(all, c)
			c = c.to(c.t + 1)
		}
		return all, nil
	})
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	for _, n := range nearest(i.Reach(), Date(i.near.Load())) {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		id, err := all[n-i.Reach().From].identity()
		if err != nil {
			return nil, err
		}
		if cek, err := id.Unwrap(ctx, s, p); !errors.Is(err, slot.ErrIncorrectIdentity) {
			return cek, err
		}
	}
	return nil, fmt.Errorf("keeper: %w", slot.ErrIncorrectIdentity)
}

// nearest lists at most maxTries epochs of s, the nearest to d first.
func nearest(s Span, d Date) (all []int) {
	at := s.Every.Number(d)
	for n := s.From; n < s.To; n++ {
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b int) int { return max(a-at, at-a) - max(b-at, at-b) })
	return all[:min(len(all), maxTries)]
}
