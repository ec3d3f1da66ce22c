// Package storage opens, creates and patches what the program reads and writes:
// files, standard streams, pipes, descriptors and devices, and objects in stores, whose
// backends are packages of their own (see Store). A verb knows names. This package knows what a name means and how to write
// there. It has three acts.
//
// # Open
//
// [Run.Open] gives a [Blob]. A regular file can be read at any place, and has a size
// and a [Version]; everything else is a stream. After reading, [Blob.Recheck] tells
// whether the file is still what was opened.
//
//   - Two Versions are equal only if the content is, as far as the backend can tell
//     without reading it: of a local file they hold device, inode, size and the time
//     of the last change; of an object in a store the ETag. A stream has none.
//
// # Create
//
// [Run.Plan] judges a name and changes nothing, [Pending.Begin] begins to write. The
// output then appears whole or not at all. It ends with one of
//
//   - Commit: the output has its name and all that was written to it, and is durable
//     unless NoSync was asked for. It replaces nothing; with Force it replaces a
//     regular file, and nothing else. Readers of the name see either the old content
//     or all of the new. Of several writers at once one gets the name.
//   - Abort, or an error of Commit: the name has what it had before, and nothing else
//     is left. Two Kinds of errors are exceptions: after [Undurable] and [Leftover]
//     the output is there, and whole.
//
// If a run is killed between the two, the next run that creates the same output
// removes what it left. Until it is complete, a local file is called .NAME.partial,
// and the run that writes it holds a lock on it:
//
//	.NAME.partial  created, never opened; locked while a run writes to it
//	               written, then fsync
//	NAME           renamed, in one step that replaces nothing, unless forced
//	               fsync of the directory
//
// Standard output, descriptors, named pipes and devices cannot appear whole; they are
// written as the data comes. Devices need the Device option. At Begin they must be what
// Plan saw. A symbolic link is followed, as by cp: the output is what it leads to.
//
// # Patch
//
// A [Patch] replaces some bytes by as many others: the two copies of a head. It holds a
// lock while it is open, where the file system has locks. [Patch.Apply] fails with
// [Changed] if the bytes to be replaced are not those that the patch was computed from,
// even if whoever changed them ignores locks. It makes each change durable before the
// next begins, and reads all of them back.
//
// # No run harms a file that it reads
//
// A [Run] remembers every file that it opens. No output replaces one of them, and no
// cleaning up removes one, whatever its name, its links, or Force.
//
// # Backends
//
// [Run.Open], [Run.Plan] and [Run.Patch] choose a backend by the form of the name. For
// callers nothing else depends on it: what a backend does not have is "", false or an
// error of kind NotPatchable. The acts need no more than a store offers:
//
//	act              local file                        object in a store
//	Open             open, fstat                       HEAD; ranges under If-Match
//	Recheck          fstat again                       HEAD again
//	Plan             stat                              HEAD
//	Begin, Write     create .NAME.partial, lock        multipart upload, parts
//	Commit           fsync, rename without replacing   complete under If-None-Match: *
//	Abort            unlink                            abort the upload
//	Patch.Apply      write in place, fsync, read back  one upload of old and new
//	                                                   parts, complete under If-Match
//
// The tests of contract_test.go hold every backend to these promises: add a new one to
// the table there.
package storage

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// A Run is what one run of a program reads and writes. Its methods may be called
// concurrently.
type Run struct {
	In, Out, Err *os.File         // the standard streams
	Context      context.Context  // that the run ends with; nil for none
	Stores       map[string]Store // of names that are URLs, by scheme

	mu       sync.Mutex
	read     []fs.FileInfo // the files and block devices that were opened to be read
	readURLs []string      // the objects that were

	begun sync.Map // of *Pending: the outputs that have not ended
}

// Abort aborts all outputs that have not ended. A program that ends early calls it, so that
// nothing else has to know what there is to be removed.
func (r *Run) Abort() {
	r.begun.Range(func(p, _ any) bool {
		p.(*Pending).Abort()
		return true
	})
}

// locate says what a name that is no URL means: a path, or if that is "", a descriptor.
//
//	"-"                               descriptor std, which depends on the act
//	/dev/stdin, /dev/fd/N, and so on  see descriptor
//	anything else                     a path: ./s3:, C:\x, S3://x, /dev/sdb
func (r *Run) locate(name string, std int) (path string, fd int, err error) {
	if name == "-" {
		return "", std, nil
	}
	if fd, ok := descriptor(name); ok {
		return "", fd, nil
	}
	switch filepath.ToSlash(filepath.Dir(name)) {
	case "/dev/fd", "/proc/self/fd":
		return "", 0, &Error{Kind: NoDescriptor, Name: name}
	}
	return name, 0, nil
}

// WithoutCancel is a Run to tidy up with: that r has ended does not keep it from anything.
func (r *Run) WithoutCancel() *Run {
	return &Run{In: r.In, Out: r.Out, Err: r.Err, Context: context.WithoutCancel(r.context()), Stores: r.Stores}
}

// ended is why nothing more is to be done; nil if something is.
func (r *Run) ended() error {
	if r.Context == nil {
		return nil
	}
	return context.Cause(r.Context)
}

// reads remembers a file that is read.
func (r *Run) reads(st fs.FileInfo) {
	if st.Mode().IsRegular() || isBlockDevice(st) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.read = append(r.read, st)
	}
}

// isRead reports whether this run reads that file.
func (r *Run) isRead(st fs.FileInfo) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.read, func(in fs.FileInfo) bool { return os.SameFile(in, st) })
}

// isReadURL reports whether this run reads the object of that name.
func (r *Run) isReadURL(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.readURLs, name)
}

func isBlockDevice(st fs.FileInfo) bool { return st.Mode().Type() == fs.ModeDevice }
