// Package object is what stores of objects have in common: it reads, writes and patches
// an object by the few requests that packages s3 and web know how to send.
//
//	retry.go   attempts: which failures are tried again, when, and for how long
//	reader.go  reading at any place: pieces, fetched ahead, kept for a while
//	writer.go  writing a stream of unknown length: parts, in parallel, kept until acknowledged
//	patch.go   replacing some bytes: new parts, and parts that the store copies itself
//
// A store is not believed: each answer is compared with what was asked for, and with
// what the object was when it was opened.
package object

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"bulla/internal/storage"
)

// A Client is how the objects of one run are asked for. The zero value is right, but
// tells nobody what it warns of.
type Client struct {
	Patience
	Stats
	Warn func(what, hint string)
}

// Stats count what a run has asked stores for.
type Stats struct {
	Requests, Retries, Received, Sent atomic.Int64 // the last two in bytes of content
}

// Tell warns of something, if anybody wants to know.
func (c *Client) Tell(what, hint string) {
	if c.Warn != nil {
		c.Warn(what, hint)
	}
}

// An Info describes one version of an object.
type Info struct {
	Size     int64 // -1: not known
	ETag     string
	Modified time.Time
	ID       string // of the upload that made it, if it was one of this package's
	Version  string // in a bucket that keeps versions
	Retained bool   // nothing may delete or replace this version yet
}

// same reports whether two answers are about one version. Weak ETags compare equal for
// versions that are not, so without a strong one the time counts, too.
func (i *Info) same(j *Info) bool {
	return i.Size == j.Size && i.ETag == j.ETag && (i.Strong() || i.Modified.Equal(j.Modified))
}

// Strong reports whether the ETag tells this version from all others.
func (i *Info) Strong() bool { return i.ETag != "" && !strings.HasPrefix(i.ETag, "W/") }

// A Source gives an object's bytes.
type Source interface {
	// Get asks for n bytes from off on, of that version or, if it is nil, of any. The body
	// may end early. If nothing is there at off it fails with a Failure of kind Shrunk.
	Get(ctx context.Context, off, n int64, of *Info) (io.ReadCloser, *Info, error)

	Stat(ctx context.Context) (*Info, error)
}

// Range is the size of the whole that a Content-Range says, "bytes 0-499/1234", of what was
// asked for from off on.
func Range(header string, off int64) (size int64, err error) {
	places, whole, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	first, _, ok2 := strings.Cut(places, "-")
	size, err = strconv.ParseInt(whole, 10, 64)
	if !ok || !ok2 || err != nil || size < off || first != strconv.FormatInt(off, 10) {
		return 0, fmt.Errorf("bytes from %d on were asked for, and the answer's Content-Range is %q", off, header)
	}
	return size, nil
}

func failed(name string, kind storage.Kind, err error) *storage.Error {
	return &storage.Error{Kind: kind, Name: storage.Shown(name), Err: err}
}
