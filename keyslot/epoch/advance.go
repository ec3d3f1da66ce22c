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
	next.generation++
	if c != nil {
		if k.protection == TPM {
			next.counter++
		}
		if next.box, err = k.seal(ctx, c, next.counter); err != nil {
			return err
		}
	}
	other := 1 - k.at
	k.used[other] = true
	if err := write(pageOffset(other), k.page(&next)); err != nil {
		return err
	}
	k.pages[other] = &next
	if c != nil && k.protection == TPM {
		if err := k.counter.Increment(ctx); err != nil {
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
	if err := write(pageOffset(other), make([]byte, pageSize)); err != nil {
		return err
	}
	k.pages[other], k.used[other] = nil, false
	return nil
}

// Finish finishes what an earlier run began that was cut: it ends the epochs which that
// run was ending, and erases the old state. Advance and Extend do it first. It reports
// whether there was anything to finish.
func (k *Keeper) Finish(ctx context.Context, write Write) (bool, error) {
	pending, err := k.choose(ctx)
	if err != nil {
		return false, err
	}
	if pending {
		if err := k.counter.Increment(ctx); err != nil {
			return false, err
		}
		k.at = 1 - k.at
	}
	cut := k.used[1-k.at]
	if cut && k.chain != nil && k.chain.t < k.state().epoch {
		*k.chain = k.chain.to(k.state().epoch)
	}
	return cut, k.erase(write)
}

// Advance ends every epoch before to: from then on this keeper opens none of them. It
// records the day as that of the last run. The keeper must be unlocked if an epoch ends.
// An error of write leaves the file with the old state or the new one, and perhaps both;
// the next run finishes it.
func (k *Keeper) Advance(ctx context.Context, to int, today Date, write Write) error {
	if _, err := k.Finish(ctx, write); err != nil {
		return err
	}
	next := *k.state()
	if to > next.end {
		return fmt.Errorf("the keeper's epochs end with %v", k.Reach().Next()-1)
	}
	next.run = max(0, today)
	if to <= next.epoch {
		return k.put(ctx, next, nil, write)
	}
	if k.chain == nil {
		return errLocked
	}
	c := k.chain.to(to)
	defer clear(c.c[:])
	next.epoch = to
	if err := k.put(ctx, next, &c, write); err != nil {
		return err
	}
	*k.chain = c
	return nil
}

// Extend adds the epochs up to and not including end. It does nothing if the keeper has
// them.
func (k *Keeper) Extend(ctx context.Context, end int, write Write) error {
	if _, err := k.Finish(ctx, write); err != nil {
		return err
	}
	next := *k.state()
	if end <= next.end {
		return nil
	}
	next.end = end
	if err := next.span(k.every).check(1); err != nil {
		return err
	}
	return k.put(ctx, next, nil, write)
}

// longestGap is how many days after the last recorded run one may follow that goes by the
// clock alone: a month and some days, or an epoch and some days.
func (e Every) longestGap() int { return max(40, e.longest()+8) }

// A ClockError is a run refused that goes by the clock: it would end more than the days
// since the last recorded run allow (EPOCH-15).
type ClockError struct {
	LastRun, Today Date
	Ends           int // epochs that it would end
	Allowed        int // that it may end; 0 if the date itself is not believed
	To             Date
}

func (e *ClockError) Error() string {
	switch days := e.Today - e.LastRun; {
	case days < 0:
		return fmt.Sprintf("the clock says that today is %v, before the last recorded run on %v", e.Today, e.LastRun)
	case e.Allowed == 0:
		return fmt.Sprintf("the clock says that today is %v, %d days after the last recorded run on %v", e.Today, days, e.LastRun)
	default:
		return fmt.Sprintf("%d epochs would end, and the %d days since the last recorded run on %v allow %d", e.Ends, days, e.LastRun, e.Allowed)
	}
}

// Due is the first epoch that a run today leaves, if epochs end keep days after their
// last day. It fails with a [*ClockError] if the days since the last recorded run do not
// allow that: a clock that has jumped ends nothing (EPOCH-15, EPOCH-16).
func (k *Keeper) Due(today Date, keep int) (to int, err error) {
	s := k.state()
	days := int(today - s.run)
	to = min(max(k.every.Number(today-Date(keep)), s.epoch), s.end)
	e := &ClockError{LastRun: s.run, Today: today, Ends: to - s.epoch, To: k.every.First(to)}
	if 0 <= days && days <= k.every.longestGap() {
		e.Allowed = days/k.every.shortest() + 1
	}
	if e.Allowed == 0 || e.Ends > e.Allowed {
		return s.epoch, e
	}
	return to, nil
}
