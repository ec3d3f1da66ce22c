// Package once keeps what it takes a person or a device to find out: a passphrase,
// or the key that it opens. [Await] waits for what knows no context.
package once

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Value is found out by whoever first needs it, and is the same from then on, and
// so is why it could not be had. The zero Value is ready for use. It is safe for
// concurrent use.
type Value[T any] struct {
	finding sync.Mutex                // held while a person or a device is asked
	found   atomic.Pointer[result[T]] // nil before
}

type result[T any] struct {
	value T
	err   error
}

// Get returns the value, which the first call has find find out. That ctx ended
// meanwhile is no reason to give up for good: the next call asks again.
func (v *Value[T]) Get(ctx context.Context, find func() (T, error)) (T, error) {
	v.finding.Lock()
	defer v.finding.Unlock()
	if r := v.found.Load(); r != nil {
		return r.value, r.err
	}
	value, err := find()
	if err == nil || ctx.Err() == nil {
		v.found.Store(&result[T]{value, err})
	}
	return value, err
}

// Peek returns what Get would, at once; done is false if that has yet to be found out.
func (v *Value[T]) Peek() (value T, done bool, err error) {
	if r := v.found.Load(); r != nil {
		return r.value, true, r.err
	}
	return value, false, nil
}

// Await runs f, which may wait and knows no context, and stops waiting for it
// when ctx is done. f then finishes in its goroutine, so it must not use what
// belongs to the caller.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
