package epoch

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
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
	calendarMagic = "bulla calendar 1\n"
	everyMark     = "every "
	digestMark    = "sha256 "

	// maxCalendar is the most bytes that a calendar has: a line is 1,972 long.
	maxCalendar = 8 << 20
)

// ErrMalformed is wrapped by the error about a file that is no calendar, or no keeper.
var ErrMalformed = errors.New("malformed")

func malformed(what, format string, args ...any) error {
	return fmt.Errorf("%w %s: %s", ErrMalformed, what, fmt.Sprintf(format, args...))
}

// IsCalendar reports whether a file that begins with b is meant to be a calendar.
func IsCalendar(b []byte) bool { return bytes.HasPrefix(b, []byte("bulla calendar")) }

// Encode returns the file.
func (c *Calendar) Encode() []byte {
	var b bytes.Buffer
	b.WriteString(calendarMagic + everyMark + c.Every.String() + "\n")
	for i, key := range c.keys {
		fmt.Fprintf(&b, "%v %v\n", c.Every.First(c.From+i), key)
	}
	sum := sha256.Sum256(b.Bytes())
	fmt.Fprintf(&b, "%s%x\n", digestMark, sum)
	return b.Bytes()
}

// ParseCalendar reads what Encode writes, and nothing else. Its error wraps
// [ErrMalformed] unless it is r's.
func ParseCalendar(r io.Reader) (*Calendar, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxCalendar+1))
	if err != nil {
		return nil, err
	}
	bad := func(format string, args ...any) (*Calendar, error) {
		return nil, malformed("calendar", format, args...)
	}
	text, ok := bytes.CutPrefix(b, []byte(calendarMagic))
	end := len(b) - len(digestMark) - hex.EncodedLen(sha256.Size) - len("\n")
	switch {
	case len(b) > maxCalendar:
		return bad("it has more than %d bytes", maxCalendar)
	case !ok:
		return bad("it does not begin with %q", strings.TrimSpace(calendarMagic))
	case end < len(calendarMagic) || string(b[end:]) != fmt.Sprintf("%s%x\n", digestMark, sha256.Sum256(b[:end])):
		return bad("it was cut or changed: its last line is not the SHA-256 of the others") // EPOCH-7
	}
	c := &Calendar{}
	n := 1
	for line := range bytes.Lines(text[:end-len(calendarMagic)]) {
		n++
		word, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if n == 2 {
			if c.Every, err = ParseEvery(rest); err != nil || word+" " != everyMark {
				return bad("line 2 does not say how long an epoch is")
			}
			continue
		}
		first, err := ParseDate(word)
		key, kerr := keyslot.ParseHPKERecipient(rest)
		if err = cmp.Or(err, kerr); err != nil {
			return bad("line %d: %v", n, err)
		}
		if len(c.keys) == 0 {
			c.From = c.Every.Number(first)
			c.To = c.From
		}
		if first != c.Next() { // EPOCH-5
			return bad("line %d: %v is not the day on which a %v begins, and the next one", n, first, c.Every)
		}
		c.To++
		c.keys = append(c.keys, key)
	}
	if err := c.check(1); err != nil {
		return bad("%v", err)
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

// A TimeError is a calendar without a key for today (EPOCH-8).
type TimeError struct {
	Calendar Span
	Today    Date
}

func (e *TimeError) Error() string {
	if e.Today < e.Calendar.First() {
		return fmt.Sprintf("the calendar begins on %v, and the clock says that today is %v", e.Calendar.First(), e.Today)
	}
	return fmt.Sprintf("the calendar ended with %v, and today is %v", e.Calendar.Next()-1, e.Today)
}

// At is the key of the day on which now is, in UTC. Its error is a [*TimeError].
func (c *Calendar) At(now time.Time) (*Recipient, error) {
	today := DateOf(now)
	if !c.Holds(today) {
		return nil, &TimeError{c.Span, today}
	}
	return c.recipient(c.Every.Number(today)), nil
}

// All are the keys of all epochs.
func (c *Calendar) All() (all []*Recipient) {
	for n := c.From; n < c.To; n++ {
		all = append(all, c.recipient(n))
	}
	return all
}

func (c *Calendar) recipient(n int) *Recipient {
	return &Recipient{c.keys[n-c.From], c.Only(n), c.Span}
}

// Conflict is the first epoch that c and d both have, with different keys; ok is false if
// there is none.
func (c *Calendar) Conflict(d *Calendar) (epoch Span, ok bool) {
	if c.Every != d.Every {
		return c.Only(c.From), true
	}
	for n := max(c.From, d.From); n < min(c.To, d.To); n++ {
		if c.keys[n-c.From].Canonical() != d.keys[n-d.From].Canonical() {
			return c.Only(n), true
		}
	}
	return Span{}, false
}
