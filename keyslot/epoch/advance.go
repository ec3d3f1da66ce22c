package epoch

import (
	"context"
	"fmt"
)

// A Write replaces bytes of the keeper's file. When it returns they are durable, and
// read back.
type Write func(off int64, p []byte) error

// How a state changes (EPOCH-13), so that a run that is cut anywhere leaves the old state
// or the new one, and the next run finishes it:
//
//	other page   the new state, sealed for counter + 1       durable
//	TPM          counter + 1: now the old state opens no more
//	this page    zero                                        durable

// put makes next the state. If it has another chain than now, that is c.
func (k *Keeper) put(ctx context.Context, next state, c *chain, write Write) (err error) {
	next.Generation++
	if c != nil {
		if k.Protection() == TPM {
			next.Counter++
		}
		if next.box, err = k.seal(ctx, c, next.Counter); err != nil {
			return err
		}
	}
	other := 1 - k.at
	k.pages[other], k.used[other] = &next, true
	if err := write(pageOffset(other), k.page(&next)); err != nil {
		return err
	}
	if c != nil && k.Protection() == TPM {
		if err := k.h.Counter.Increment(ctx); err != nil {
			return err
		}
	}
	k.at = other
	return k.erase(write)
}

func pageOffset(page int) int64 { return int64(1+page) * pageSize }

// erase makes the page zero that does not count.
func (k *Keeper) erase(write Write) error {
	other := 1 - k.at
	if !k.used[other] {
		return nil
	}
	err := write(pageOffset(other), make([]byte, pageSize))
	if err == nil {
		k.pages[other], k.used[other] = nil, false
	}
	return err
}

// Finish finishes what an earlier run began that was cut: it ends the epochs which that
// run was ending, and erases the old state. Advance and Extend do it first.
func (k *Keeper) Finish(ctx context.Context, write Write) error {
	pending, err := k.choose(ctx)
	if err == nil && pending {
		k.at = 1 - k.at
		err = k.h.Counter.Increment(ctx)
	}
	if err != nil {
		return err
	}
	if k.chain != nil {
		*k.chain = k.chain.to(k.Reach().From)
	}
	return k.erase(write)
}

// Advance ends every epoch before to: from then on this keeper opens none of them. It
// records the day as that of the last run. The keeper must be unlocked if an epoch ends.
// An error of write leaves the file with the old state or the new one, and perhaps both;
// the next run finishes it.
func (k *Keeper) Advance(ctx context.Context, to int, today Date, write Write) error {
	if err := k.Finish(ctx, write); err != nil {
		return err
	}
	next := *k.state()
	next.Run = uint32(max(0, today))
	switch {
	case to > int(next.End):
		return fmt.Errorf("the keeper's epochs end with %v", k.Reach().Next()-1)
	case to <= int(next.Epoch):
		return k.put(ctx, next, nil, write)
	case k.chain == nil:
		return errLocked
	}
	c := k.chain.to(to)
	defer clear(c.c[:])
	next.Epoch = uint32(to)
	if err := k.put(ctx, next, &c, write); err != nil {
		return err
	}
	*k.chain = c
	return nil
}

// Extend adds the epochs up to and not including end. It does nothing if the keeper has
// them.
func (k *Keeper) Extend(ctx context.Context, end int, write Write) error {
	if err := k.Finish(ctx, write); err != nil {
		return err
	}
	next := *k.state()
	next.End = uint32(max(end, k.Reach().To))
	if err := next.span(k.h.Every).check(1); err != nil || next.End == k.state().End {
		return err
	}
	return k.put(ctx, next, nil, write)
}

// Due is the first epoch that a run today leaves, if epochs end keep days after their
// last day (EPOCH-16). It fails with a [*ClockError] if the days since the last recorded
// run do not allow that: a clock that has jumped ends nothing.
func (k *Keeper) Due(today Date, keep int) (to int, err error) {
	reach, kind := k.Reach(), kinds[k.h.Every]
	to = min(max(k.h.Every.Number(today-Date(keep)), reach.From), reach.To)
	reason := fmt.Sprintf("the last recorded run was on %v", k.LastRun())
	allowed := 0 // the day itself is not believed
	if days := int(today - k.LastRun()); 0 <= days && days <= kind.gap {
		allowed = days/kind.shortest + 1
		reason += fmt.Sprintf(", which allows to end %d and not %d", allowed, to-reach.From)
	}
	if allowed == 0 || to-reach.From > allowed {
		return reach.From, &ClockError{today, reason, k.h.Every.First(to)}
	}
	return to, nil
}
