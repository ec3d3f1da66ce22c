//go:build linux || darwin || freebsd

// Package mount shows the tree in an archive as a file system (FUSE), read-only.
//
// It keeps nothing of the data: that is in the kernel's page cache, which gives way to
// whatever else needs memory and is never written to a disk. The kernel reads ahead, in
// several requests at a time, which are served in parallel.
package mount

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"

	fuse "github.com/hanwen/go-fuse/v2/fs"
	raw "github.com/hanwen/go-fuse/v2/fuse"

	"bulla/internal/archive"
)

// forever is how long the kernel may keep what it was told: the tree does not change.
const forever = 24 * time.Hour

const maxName = 255 // bytes in a name; longer ones, and those with a NUL, no program could open

// A Mounted tree is shown until it is unmounted.
type Mounted struct {
	dir    string
	server *raw.Server
}

// Mount shows tree at dir, to this user alone. name is what lists of file systems call
// it. fault is called with what is wrong with a path, perhaps many times.
func Mount(dir, name string, tree *archive.FS, fault func(path string, err error) string) (*Mounted, error) {
	o := &fuse.Options{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	o.EntryTimeout, o.AttrTimeout, o.NegativeTimeout = new(forever), new(forever), new(forever)
	o.MountOptions = raw.MountOptions{Name: "bulla", FsName: name, Options: []string{"ro", "nosuid", "nodev"}, DirectMount: true, DisableXAttrs: true, DisableSplice: true, MaxWrite: 1 << 20}
	server, err := fuse.Mount(dir, &node{t: &shown{tree, fault}, path: "."}, o)
	if err != nil {
		return nil, err
	}
	return &Mounted{dir, server}, nil
}

// Wait returns when it was unmounted, by whoever.
func (m *Mounted) Wait() { m.server.Wait() }

// Unmount ends it. It is out of sight at once, also while files in it are open: these
// can be read until this process ends.
func (m *Mounted) Unmount() error {
	for _, c := range []string{"fusermount3 -u -z", "fusermount -u -z", "umount -l", "umount -f"} {
		if args := strings.Fields(c); exec.Command(args[0], append(args[1:], m.dir)...).Run() == nil {
			return nil
		}
	}
	return m.server.Unmount()
}

// LeaveTerminal makes this process one that no terminal ends.
func LeaveTerminal() { syscall.Setsid() } // fails only if it is so already

type shown struct {
	*archive.FS
	fault func(path string, err error) string
}

// errno is an error as programs get it. What is not just absent is a fault.
func (t *shown) errno(p string, err error) syscall.Errno {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	}
	t.fault(p, err)
	return syscall.EIO
}

// A node is a path in the tree.
type node struct {
	fuse.Inode
	t    *shown
	path string
}

var _ interface {
	fuse.NodeLookuper
	fuse.NodeReaddirer
	fuse.NodeGetattrer
	fuse.NodeReadlinker
	fuse.NodeOpener
	fuse.NodeReader
} = (*node)(nil)

func (n *node) Lookup(ctx context.Context, name string, out *raw.EntryOut) (*fuse.Inode, syscall.Errno) {
	child := &node{t: n.t, path: path.Join(n.path, name)}
	if e := child.attr(&out.Attr); e != 0 {
		return nil, e
	}
	return n.NewInode(ctx, child, fuse.StableAttr{Mode: out.Mode & syscall.S_IFMT}), 0
}

func (n *node) Getattr(_ context.Context, _ fuse.FileHandle, out *raw.AttrOut) syscall.Errno {
	return n.attr(&out.Attr)
}

// attr says what a node is. Files are shown to be this user's, who alone can read them,
// with the permissions that they had.
func (n *node) attr(a *raw.Attr) syscall.Errno {
	st, err := n.t.Lstat(n.path)
	if err != nil {
		return n.t.errno(n.path, err)
	}
	a.Mode, a.Size, a.Nlink = modeOf(st.Mode()), uint64(st.Size()), 1
	a.Blocks = (a.Size + 511) / 512
	if t := st.ModTime(); !t.IsZero() {
		a.SetTimes(&t, &t, &t)
	}
	return 0
}

func (n *node) Readdir(context.Context) (fuse.DirStream, syscall.Errno) {
	all, err := n.t.ReadDir(n.path)
	if err != nil {
		return nil, n.t.errno(n.path, err)
	}
	entries := make([]raw.DirEntry, 0, len(all))
	for _, e := range all {
		if name := e.Name(); len(name) > maxName || strings.ContainsRune(name, 0) {
			n.t.fault(path.Join(n.path, name), errors.New("no program could open a file of this name: it is not shown"))
		} else {
			entries = append(entries, raw.DirEntry{Name: name, Mode: modeOf(e.Type())})
		}
	}
	return fuse.NewListDirStream(entries), 0
}

func (n *node) Readlink(context.Context) ([]byte, syscall.Errno) {
	to, err := n.t.ReadLink(n.path)
	return []byte(to), n.t.errno(n.path, err)
}

// Open opens the data. The kernel may keep what was read of it before.
func (n *node) Open(_ context.Context, flags uint32) (fuse.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	r, err := n.t.OpenAt(n.path)
	return r, raw.FOPEN_KEEP_CACHE, n.t.errno(n.path, err)
}

func (n *node) Read(_ context.Context, h fuse.FileHandle, dest []byte, off int64) (raw.ReadResult, syscall.Errno) {
	k, err := h.(io.ReaderAt).ReadAt(dest, off)
	if err != nil && err != io.EOF { // with nothing beside it: the kernel takes less than it asked for as the end
		return nil, n.t.errno(n.path, err)
	}
	return raw.ReadResultData(dest[:k]), 0
}

// modeOf is a mode as the system has it.
func modeOf(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for _, b := range []struct {
		is   fs.FileMode
		bits uint32
	}{{fs.ModeSetuid, syscall.S_ISUID}, {fs.ModeSetgid, syscall.S_ISGID}, {fs.ModeSticky, syscall.S_ISVTX}} {
		if m&b.is != 0 {
			bits |= b.bits
		}
	}
	switch m.Type() {
	case fs.ModeDir:
		return bits | syscall.S_IFDIR
	case fs.ModeSymlink:
		return bits | syscall.S_IFLNK
	case fs.ModeNamedPipe:
		return bits | syscall.S_IFIFO
	case fs.ModeDevice:
		return bits | syscall.S_IFBLK
	case fs.ModeDevice | fs.ModeCharDevice:
		return bits | syscall.S_IFCHR
	}
	return bits | syscall.S_IFREG
}
