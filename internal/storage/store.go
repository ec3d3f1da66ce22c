package storage

import (
	"context"
	"io"
	"strings"
)

// A Store is a backend whose names are URLs of one scheme. Its errors are [*Error] with
// a Kind. It ends what it does with the ctx of the act that began it.
type Store interface {
	Open(ctx context.Context, name string) (Object, error)

	// Plan judges whether an object of that name can be created, and changes nothing.
	Plan(ctx context.Context, name string, opts Options) (Upload, error)
}

// An Object is what a store has under a name, to be read. Size, Version and Recheck are
// those of a [Blob].
type Object interface {
	// At reads it at any place, from any number of goroutines; nil if the store gives it
	// only from beginning to end.
	At() io.ReaderAt

	// Stream reads it from beginning to end.
	Stream() io.Reader

	Size() int64
	Version() Version
	Recheck() error
	Close() error
}

// A Patcher is an [Object] that can be replaced where it lies: as a whole and in one step,
// on the condition that it still is what was opened.
type Patcher interface {
	Object

	// Replace replaces it by what is to be there, of size bytes, which differs from it in the
	// ranges of changed, and perhaps in its end. What does not differ the store copies.
	Replace(by io.ReaderAt, size int64, changed []Range, opts PatchOptions) error

	// Allowed fails as Replace will, if the options do not allow it.
	Allowed(opts PatchOptions) error
}

// An Upload is an object that is being created. The methods are those of [Pending]; the
// object appears at Commit, if at all.
type Upload interface {
	io.Writer
	Begin() error
	Commit() error

	// Abort is called at most once, perhaps while another method runs, and not after
	// Commit. It reports whether something that takes room is left.
	Abort() (left bool)
}

// schemes are those of the names that are URLs.
var schemes = []string{"s3", "https"}

// Scheme is the scheme of a name that is a URL, and "" of any other name. Only
// lower-case s3:// and https:// begin a URL.
func Scheme(name string) string {
	for _, s := range schemes {
		if strings.HasPrefix(name, s+"://") {
			return s
		}
	}
	return ""
}

// Shown is a name without what may be secret in it: a URL of https loses its user, its
// query and its fragment, where passwords and signatures stand.
func Shown(name string) string {
	if Scheme(name) != "https" {
		return name
	}
	rest := strings.TrimPrefix(name, "https://")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i] + rest[i:i+1] + "..."
	}
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = "...@" + authority[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return "https://" + authority + path
}

// store is the store of a name that is a URL; nil of any other name.
func (r *Run) store(name string) (Store, error) {
	scheme := Scheme(name)
	if scheme == "" {
		return nil, r.ended()
	}
	s := r.Stores[scheme]
	if s == nil {
		return nil, &Error{Kind: NoScheme, Name: Shown(name)}
	}
	return s, r.ended()
}

// context is the Context, or one that does not end.
func (r *Run) context() context.Context {
	if r.Context == nil {
		return context.Background()
	}
	return r.Context
}

// openObject is Open for a name that is a URL.
func (r *Run) openObject(s Store, name string) (*Blob, error) {
	o, err := s.Open(r.context(), name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.readURLs = append(r.readURLs, name)
	r.mu.Unlock()
	return &Blob{object: o, name: name, path: Shown(name), ours: true, size: o.Size(), seeks: o.At() != nil}, nil
}
