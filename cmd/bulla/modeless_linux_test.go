//go:build !386 && !arm && !mips && !mipsle

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A modeless node is of a file system that knows no modes, as FAT: everybody may read everything.
type modeless struct{ *fs.LoopbackNode }

func (n *modeless) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &modeless{child.(*fs.LoopbackNode)}
}

func (n *modeless) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	errno := n.LoopbackNode.Getattr(ctx, f, out)
	out.Mode |= 0o755
	return errno
}

// mountModeless mounts such a file system until the test ends.
func mountModeless(t *testing.T) (dir string) {
	t.Helper()
	needFUSE(t)
	dir = t.TempDir()
	root := &fs.LoopbackRoot{Path: t.TempDir()}
	node := &modeless{&fs.LoopbackNode{RootData: root}}
	root.RootNode = node
	if _, err := fs.Mount(dir, node, &fs.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("fusermount3", "-u", "-z", dir).Run() })
	return dir
}

// Where nothing can be kept from other users, as on a disk that goes from one computer to another, a
// set is made without a journal, and continued with a key.
func TestSetWithoutModes(t *testing.T) {
	home, disk := workDir(t), mountModeless(t)
	at := func(name string) string { return filepath.Join(disk, name) }
	plain := filepath.Join(home, "plain")
	if err := os.WriteFile(plain, make([]byte, 7<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("s.bulla.000002"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(want int, says string, more ...string) {
		t.Helper()
		code, _, errs := runIn(t, home, append([]string{"encrypt", "--volume-size", "3M", "-o", at("s.bulla"), plain}, more...)...)
		if code != want || !strings.Contains(errs, says) {
			t.Errorf("exit code %d: %s", code, errs)
		}
		if exists(at("s.bulla.unfinished")) {
			t.Error("there is a journal")
		}
	}
	run(exitUsage, "s.bulla.unfinished cannot be kept from other users there, so there is none")
	os.Remove(at("s.bulla.000002"))
	run(exitRefused, "--resume continues one that is not whole")
	run(exitOK, "", "--resume")
	if code, out, errs := runIn(t, home, "verify", at("s.bulla")); code != 0 {
		t.Error(out, errs)
	}
}
