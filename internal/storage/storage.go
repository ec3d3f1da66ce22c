// Package storage is where everything lies that the program reads and writes:
// files, standard streams, pipes, descriptors and devices, later also objects
// in stores. A verb knows names; what a name means, and how something is
// written there, is known here alone. There are three acts.
//
// # Open
//
// Opens what is to be read. A regular file can be read at any place, and has a
// size and a [Version]; everything else is a stream. [Blob.Recheck] tells, once
// it has been read, whether it is still what was opened.
//
//   - A Version is a string that is equal only for equal content, as far as the
//     backend can tell without reading it: of a local file device, inode, size
//     and time of the last change; of an object its ETag. A stream has none.
//
// # Create
//
// Makes an output appear whole, or not at all. [Run.Plan] judges a name and
// changes nothing; [Pending.Begin] begins; then either
//
//   - Commit: the output has its name, with all that was written to it, and is
//     durable unless NoSync was asked for. It replaces nothing that is there,
//     unless Force was asked for, and then a regular file and nothing else.
//     Whoever reads the name meanwhile finds what was there before, or all of
//     the new; of several writers at once one gets the name. Or
//   - Abort, or an error of Commit: under the name is what was before, and
//     nothing else is left. The exceptions have Kinds of their own: [Undurable]
//     and [Leftover] are errors about an output that is there.
//
// What a run leaves that is killed between the two is found and removed by the
// next that creates the same output. A local file is .NAME.partial until then,
// locked by the run that writes it:
//
//	.NAME.partial  created, never opened; locked while a run writes to it
//	               written, then fsync
//	NAME           renamed to, in one step that replaces nothing, unless forced
//	               fsync of the directory
//
// What cannot appear whole is written as it comes: standard output, descriptors,
// named pipes and devices, the last only if [Options] allow it. It must be what it
// was when it was planned. A symbolic link is followed, as cp does it: what
// it leads to is the output.
//
// # Patch
//
// Replaces some bytes of what is there by as many others: the two copies of a
// head. A [Patch] holds a lock from the moment it is opened, where there are
// locks. [Patch.Apply] refuses with [Changed] if what is to be replaced is not what
// the patch was worked out from, even if whoever changed it knows of no lock; it
// makes each change durable before the next begins, and reads all of them back.
// In a store, where nothing can be written in place, it is one upload under
// the condition that the object still has its version.
//
// # Whatever a run does, it harms no file it reads
//
// A [Run] remembers every file that it opens. No output replaces one, no removal
// of something left over removes one, whatever its name, links, or Force.
//
// A new backend passes the tests of contract_test.go.
package storage

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A Run is what one run of a program reads and writes. Its methods may be called
// concurrently.
type Run struct {
	In, Out, Err *os.File        // the standard streams
	Context      context.Context // that the run ends with; nil for none

	mu   sync.Mutex
	read []fs.FileInfo // the files and block devices that were opened to be read
}

// locate says what a name means, unless the run has ended: a descriptor if the path
// is "". Every act begins with it.
//
//   - descriptor std, which depends on the act
//     /dev/stdin, /dev/fd/N, and so on       see descriptor
//     s3://bucket/key, https://…             a URL, in lower case
//     anything else                          a path: ./s3:, C:\x, S3://x, /dev/sdb
func (r *Run) locate(name string, std int) (path string, fd int, err error) {
	if err := r.ended(); err != nil {
		return "", 0, err
	}
	if name == "-" {
		return "", std, nil
	}
	if strings.HasPrefix(name, "s3://") || strings.HasPrefix(name, "https://") {
		return "", 0, &Error{Kind: NoScheme, Name: name}
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

func isBlockDevice(st fs.FileInfo) bool { return st.Mode().Type() == fs.ModeDevice }
