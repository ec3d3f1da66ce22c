package object

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"bulla/internal/safetext"
	"bulla/internal/storage"
)

// Patience is how often and for how long something is tried. Zero stands for the
// default, which comes after each field.
type Patience struct {
	Tries   int           // attempts in a row that got nowhere: 8
	Wait    time.Duration // about, before the second, doubled from then on: 200 ms
	MaxWait time.Duration // also if the store asks for more: 1 min
	Silence time.Duration // without a byte, before an attempt is given up: 30 s
	Attempt time.Duration // for one attempt: 10 min
}

func (p Patience) orDefault() Patience {
	return Patience{cmp.Or(p.Tries, 8), cmp.Or(p.Wait, 200*time.Millisecond), cmp.Or(p.MaxWait, time.Minute),
		cmp.Or(p.Silence, 30*time.Second), cmp.Or(p.Attempt, 10*time.Minute)}
}

// A Failure is how an attempt failed, and what that comes to if it is the last.
type Failure struct {
	*Cause
	Code  string        // the store's word for it
	Again bool          // the next attempt may do better
	After time.Duration // how long the store asks to wait for that
}

// A Cause is what the caller of this package gets.
type Cause = storage.Error

var (
	errSilent = errors.New("no answer, or no more of it, for too long")
	errSlow   = errors.New("it took too long")
)

// enough is how many bytes an attempt has to move to be one that got somewhere.
const enough = 64 << 10

// try makes attempts until one succeeds, or fails with what another would fail with,
// too. An attempt calls moved whenever something moves, with the bytes that it need not
// ask for again. Long is for requests that
// a store answers when its work is done.
func (c *Client) try(ctx context.Context, name string, long bool, attempt func(ctx context.Context, moved func(n int)) error) error {
	p := c.Patience.orDefault()
	silence, wait := p.Silence, p.Wait
	if long {
		silence = p.Attempt
	}
	for failures := 0; ; {
		c.Requests.Add(1)
		n, err := once(ctx, silence, p.Attempt, attempt)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f := asFailure(name, err)
		if n >= enough {
			failures, wait = 0, p.Wait
		}
		if failures++; !f.Again || failures >= p.Tries {
			return f.Cause
		}
		c.Retries.Add(1)
		pause := max(wait/2+jitter(wait), min(f.After, p.MaxWait))
		wait = min(2*wait, p.MaxWait)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Try makes attempts of a small request.
func (c *Client) Try(ctx context.Context, name string, request func(ctx context.Context) error) error {
	return c.try(ctx, name, false, func(ctx context.Context, _ func(int)) error { return request(ctx) })
}

// once makes an attempt, which ends when nothing moves for too long.
func once(ctx context.Context, silence, most time.Duration, attempt func(context.Context, func(int)) error) (n int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watch.Stop()
	defer time.AfterFunc(most, func() { cancel(errSlow) }).Stop()
	err = attempt(ctx, func(k int) {
		n += int64(k)
		watch.Reset(silence)
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return n, err
}

// jitter is random, less than d, so that clients that failed together do not come again
// together.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(d))
}

// asFailure is err as a Failure. What is none comes of the connection: it is tried again,
// unless the other end cannot be found or trusted.
func asFailure(name string, err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return &Failure{Cause: e}
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // which says the URL, with what is secret in it
		err = e.Err
	}
	f := &Failure{Cause: failed(name, storage.Unavailable, err), Again: true}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		f.Kind, f.Err, f.Again = storage.Untrusted, e.Err, false
	} else if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		f.Kind, f.Err, f.Again = storage.Untrusted, e, false
	} else if e, ok := errors.AsType[*net.DNSError](err); ok {
		f.Err, f.Again = e, !e.IsNotFound
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		f.Err = errors.New("the answer broke off")
	}
	return f
}

// StatusFailure is the Failure of an answer with that status, and the store's code and
// text for it, which may be empty.
func StatusFailure(name string, status int, header http.Header, code, text string) *Failure {
	said := strconv.Itoa(status)
	for _, more := range []string{http.StatusText(status), code, text} {
		if more != "" {
			said += " " + more
		}
	}
	f := &Failure{Cause: failed(name, storage.Refused, errors.New(safetext.OneLine(said))), Code: code}
	switch status {
	case http.StatusNotFound, http.StatusGone:
		f.Kind = storage.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		f.Kind = storage.Denied
	case http.StatusPreconditionFailed, http.StatusConflict:
		f.Kind = storage.Changed
	case http.StatusRequestedRangeNotSatisfiable:
		f.Kind = storage.Shrunk
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.Kind, f.Again = storage.Unavailable, true
	}
	if header != nil {
		f.After = retryAfter(header.Get("Retry-After"))
	}
	return f
}

// retryAfter is the value of that header: seconds, or a date.
func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
