package epoch

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"bulla/keyslot"
)

// A Calendar is the public keys of consecutive epochs, without gaps.
//
//	bulla calendar 1
//	every month
//	2027-01-01 age1pq1…        the first day of an epoch, and its key
//	2027-02-01 age1pq1…
//	sha256 HEX                 of all bytes before this line
//
// No line of it is a recipient or a comment: whatever reads recipients files refuses it
// instead of encrypting to all of its keys (EPOCH-6).
type Calendar struct {
	Span
	keys []*keyslot.HPKERecipient
}

const (
	calendarMagic = "bulla calendar 1"
	everyMark     = "every "

	// maxCalendar is the most bytes that a calendar has: a line is 1,972 long.
	maxCalendar = 8 << 20
)

// ErrMalformed is wrapped by the error about a file that is no calendar, or no keeper.
var ErrMalformed = errors.New("malformed")

var errCalendar = fmt.Errorf("%w calendar: it was cut or changed, or is of a newer version", ErrMalformed)

// IsCalendar reports whether a file that begins with b is meant to be a calendar.
func IsCalendar(b []byte) bool { return bytes.HasPrefix(b, []byte("bulla calendar")) }

// Encode returns the file (EPOCH-4 to EPOCH-7).
func (c *Calendar) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s%v\n", calendarMagic, everyMark, c.Every)
	for i, key := range c.keys {
		fmt.Fprintf(&b, "%v %v\n", c.Every.First(c.From+i), key)
	}
	sum := sha256.Sum256(b.Bytes())
	fmt.Fprintf(&b, "sha256 %x\n", sum)
	return b.Bytes()
}

// ParseCalendar reads what Encode writes, and nothing else. Its error wraps
// [ErrMalformed] unless it is r's.
func ParseCalendar(r io.Reader) (*Calendar, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxCalendar+1))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(b), "\n")
	if len(b) > maxCalendar || len(lines) < 5 { // three, the digest, and what follows its end
		return nil, errCalendar
	}
	c := &Calendar{}
	c.Every, _ = ParseEvery(strings.TrimPrefix(lines[1], everyMark))
	for i, line := range lines[2 : len(lines)-2] {
		day, text, _ := strings.Cut(line, " ")
		first, err := ParseDate(day)
		key, kerr := keyslot.ParseHPKERecipient(text)
		if err != nil || kerr != nil {
			return nil, errCalendar
		}
		if i == 0 {
			c.From = c.Every.Number(first)
		}
		c.keys = append(c.keys, key)
		c.To = c.From + len(c.keys)
	}
	if c.check(1) != nil || !bytes.Equal(c.Encode(), b) {
		return nil, errCalendar
	}
	return c, nil
}

// A Recipient is the key of one epoch: an ordinary post-quantum recipient that knows its
// dates.
type Recipient struct {
	*keyslot.HPKERecipient
	Epoch    Span // the one epoch
	Calendar Span // all of its calendar
}

// A ClockError is a refusal to go by the clock: a calendar has no key for that day
// (EPOCH-8), or the last recorded run of a keeper allows no such step (EPOCH-15).
type ClockError struct {
	Today  Date
	Reason string
	To     Date // of a keeper: how far the run would have gone
}

func (e *ClockError) Error() string {
	return fmt.Sprintf("today is %v by the clock, and %s", e.Today, e.Reason)
}

// At is the key of the day on which now is, in UTC. Its error is a [*ClockError].
func (c *Calendar) At(now time.Time) (*Recipient, error) {
	today := DateOf(now)
	if today < c.First() || today >= c.Next() {
		return nil, &ClockError{Today: today, Reason: "the calendar is for " + c.String()}
	}
	return c.All()[c.Every.Number(today)-c.From], nil
}

// All are the keys of all epochs.
func (c *Calendar) All() (all []*Recipient) {
	for i, key := range c.keys {
		all = append(all, &Recipient{key, Span{c.Every, c.From + i, c.From + i + 1}, c.Span})
	}
	return all
}

// Conflict is the first epoch that c and d both have, with different keys; ok is false if
// there is none.
func (c *Calendar) Conflict(d *Calendar) (at Span, ok bool) {
	for n := max(c.From, d.From); c.Every == d.Every && n < min(c.To, d.To); n++ {
		if c.keys[n-c.From].Canonical() != d.keys[n-d.From].Canonical() {
			return Span{c.Every, n, n + 1}, true
		}
	}
	return c.Span, c.Every != d.Every
}
