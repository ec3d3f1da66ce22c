package object

import (
	"context"
	"crypto/rand"
	"io"
)

// A Target is a place for an object: what it is read by, and the requests of a multipart
// upload. Its errors are Failures.
type Target interface {
	Source

	// Put creates the object in one request.
	Put(ctx context.Context, body io.ReadSeeker, n int64, as *Making) error

	Begin(ctx context.Context, as *Making) (upload string, err error)
	Send(ctx context.Context, upload string, number int, body io.ReadSeeker, n int64) (etag string, err error)

	// Copy has the store make a part of n bytes from off on of what is there, on the
	// condition that it is still that.
	Copy(ctx context.Context, upload string, number int, off, n int64, of *Info) (etag string, err error)

	Complete(ctx context.Context, upload string, etags []string, as *Making) error
	Abort(ctx context.Context, upload string) error
	Delete(ctx context.Context, version string) error

	// Profile is what this store does with conditions.
	Profile(ctx context.Context) (*Profile, error)
	Plan() Plan
}

// A Making says what is made, and on which condition.
type Making struct {
	ID      string // that Info has afterwards: so one's own object is known again
	New     bool   // only if there is no object of that name
	Instead *Info  // only if that is there; what is made has its attributes
}

// NewID is an ID that nothing has yet.
func NewID() string { return rand.Text() }

// A Profile is which conditions of a Making a store honours when it completes an upload.
// Some ignore them and answer 200.
type Profile struct{ New, Instead bool }

// Honest is the profile of a store that honours both.
var Honest = Profile{true, true}

// A Plan is how the parts of an upload grow. Every 1/8 of the parts their size doubles.
type Plan struct {
	First int64 // bytes of the first part
	Parts int   // how many there may be
	Even  bool  // all parts but the last have to be of one size
}

const (
	minPart = 5 << 20 // but for the last: so do stores want it
	maxPart = 5 << 30
)

// MaxParts is how many parts an upload may have. Some stores take fewer.
const MaxParts = 10_000

// DefaultPlan takes 4.9 TiB.
var DefaultPlan = Plan{First: 16 << 20, Parts: MaxParts}

// size is the size of a part, from number 1 on.
func (p Plan) size(number int) int64 {
	if p.Even {
		return p.First
	}
	return min(p.First<<min((number-1)/max(1, p.Parts/8), 30), maxPart)
}

// Room is how many bytes the plan has parts for.
func (p Plan) Room() (n int64) {
	for i := 1; i <= p.Parts; i++ {
		n += p.size(i)
	}
	return n
}

// For is the plan with parts large enough for that many bytes, if that can be.
func (p Plan) For(size int64) Plan {
	for p.Room() < size && p.First < maxPart {
		p.First *= 2
	}
	return p
}
