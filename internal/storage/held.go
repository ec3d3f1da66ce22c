package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Work that many machines do, each a part of it and perhaps two the same part, needs more
// than the three acts:
//
//	act      local file                             object in a store
//	Once     .NAME.RANDOM.held, then a new name     one request, under If-None-Match: *
//	List     read the directory                     list the keys
//	Hold     .NAME.RANDOM.held, fsync               a multipart upload, not completed
//	Settle   rename without replacing, fsync        complete it under If-None-Match: *
//	Pieces   write in place, fsync                  send parts
//	Strays   the .NAME.RANDOM.held there are        the uploads there are
//
// So whoever makes an output need not be who decides that it counts, and what is not yet
// decided has no name.

// A Held is an output that is whole, or becomes so piece by piece, and has no name yet.
type Held struct {
	File   string `json:"file,omitempty"`   // what it is called until then, in the same directory
	Upload string `json:"upload,omitempty"` // the store's name of it
	ID     string `json:"id,omitempty"`     // that the object will have
	Size   int64  `json:"size"`             // in bytes
}

// A Holder is a [Store] that can do what jobs need. Its methods are those of [Run].
type Holder interface {
	Store
	List(ctx context.Context, prefix string) ([]string, error) // names without the prefix
	Hold(ctx context.Context, name string, size int64) (*Held, error)
	Send(ctx context.Context, name string, h *Held, number int, body io.ReadSeeker, n int64) error
	Settle(ctx context.Context, name string, h *Held) error
	Discard(ctx context.Context, name string, h *Held) error
	Strays(ctx context.Context, prefix string) (names []string, all []*Held, err error)
}

// heldUpload is an [Upload] that can end without its object appearing.
type heldUpload interface{ Hold() (*Held, error) }

const heldSuffix = ".held"

// heldPath is a path that nothing has yet, for an output that is to be held.
func heldPath(path string) string {
	dir, base := filepath.Split(path)
	if len(base) > maxBaseName-64 {
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:16])
	}
	return dir + partialPrefix + base + "." + rand.Text() + heldSuffix
}

// path is where a held file is.
func (h *Held) path(name string) (string, error) {
	if h.File != filepath.Base(h.File) || !strings.HasPrefix(h.File, partialPrefix) || !strings.HasSuffix(h.File, heldSuffix) {
		return "", &Error{Kind: Lost, Name: name, Err: errors.New("nothing is held under this name")}
	}
	return filepath.Join(filepath.Dir(name), h.File), nil
}

func (r *Run) holder(name string) (Holder, error) {
	s, err := r.store(name)
	if s == nil || err != nil {
		return nil, err
	}
	h, ok := s.(Holder)
	if !ok {
		return nil, &Error{Kind: ReadOnly, Name: Shown(name)}
	}
	return h, nil
}

// Hold ends an output that was planned with the option Held: it is durable, and gets its
// name by [Run.Settle], if at all. After an error it is aborted.
func (p *Pending) Hold() (h *Held, err error) {
	defer func() {
		if err != nil {
			p.Abort()
		}
	}()
	if p.upload != nil {
		u, ok := p.upload.(heldUpload)
		if !ok {
			return nil, p.fails(ReadOnly, nil)
		}
		h, err = u.Hold()
	} else if err = p.settle(); err == nil {
		var st fs.FileInfo
		if st, err = p.file.Stat(); err == nil {
			h = &Held{File: filepath.Base(p.partial), Size: st.Size()}
			err = syncDir(p.at, filepath.Dir(p.path))
		}
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil, errAborted
	}
	p.ended()
	if p.file != nil {
		p.file.Close()
	}
	return h, nil
}

// HoldPieces begins an output of size bytes that is going to be written in [Pieces].
func (r *Run) HoldPieces(name string, size int64, mode fs.FileMode) (*Held, error) {
	if s, err := r.holder(name); s != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return s.Hold(r.context(), name, size)
	}
	p, err := r.Create(name, Options{Held: true, Mode: mode})
	if err != nil {
		return nil, err
	}
	if !p.Whole() {
		return nil, p.fails(NotRegular, nil)
	}
	if err := p.file.Truncate(size); err != nil {
		p.Abort()
		return nil, err
	}
	return p.Hold()
}

// Settle gives a held output its name, replacing nothing. It may be called any number of
// times, by several runs at once. Its errors are those of Commit; Lost means that there is
// no such output any more, and Exists that another has the name. After Undurable it has it.
func (r *Run) Settle(name string, h *Held) error {
	if s, err := r.holder(name); s != nil || err != nil {
		if err != nil {
			return err
		}
		return s.Settle(r.context(), name, h)
	}
	from, err := h.path(name)
	if err != nil {
		return err
	}
	st, err := os.Lstat(from)
	there, terr := os.Lstat(name)
	switch {
	case terr != nil && !errors.Is(terr, fs.ErrNotExist):
		return terr
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case terr == nil && (err != nil || os.SameFile(st, there)): // by this name, whoever gave it
		if there.Size() != h.Size || !there.Mode().IsRegular() {
			return &Error{Kind: Exists, Name: name}
		}
		os.Remove(from)
	case err != nil:
		return &Error{Kind: Lost, Name: name}
	case st.Size() != h.Size || !st.Mode().IsRegular():
		return &Error{Kind: Lost, Name: name, Err: fmt.Errorf("%d bytes are left of %d", st.Size(), h.Size)}
	default:
		if err := renameNew(anywhere{}, from, name); errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) { // another run was quicker
				return r.Settle(name, h)
			}
			return &Error{Kind: Exists, Name: name}
		} else if err != nil {
			return err
		}
	}
	if err := syncDir(anywhere{}, filepath.Dir(name)); err != nil {
		return &Error{Kind: Undurable, Name: name, Err: causeOf(err)}
	}
	return nil
}

// Discard removes a held output. One that is not there is no error.
func (r *Run) Discard(name string, h *Held) error {
	if s, err := r.holder(name); s != nil || err != nil {
		if err != nil {
			return err
		}
		return s.Discard(r.context(), name, h)
	}
	path, err := h.path(name)
	if err == nil {
		if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return err
}

// Strays finds the outputs that are held and have names that begin with prefix, and also
// those that a run still writes, or was killed at, with the option Held.
func (r *Run) Strays(prefix string) (names []string, all []*Held, err error) {
	if s, err := r.holder(prefix); s != nil || err != nil {
		if err != nil {
			return nil, nil, err
		}
		return s.Strays(r.context(), prefix)
	}
	dir, base := filepath.Split(prefix)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), heldSuffix)
		if at := strings.LastIndexByte(name, '.'); ok && at > 0 && strings.HasPrefix(name, partialPrefix+base) {
			names = append(names, dir+name[len(partialPrefix):at])
			all = append(all, &Held{File: e.Name()})
		}
	}
	return names, all, err
}

// Once creates a small file, whole and durable: of several runs that do so at once one
// succeeds, and the others fail with Exists. Anybody who may read the directory may read it.
func (r *Run) Once(name string, b []byte) error {
	p, err := r.Create(name, Options{Held: Scheme(name) == "", Mode: 0o666, Size: int64(len(b))})
	if err == nil {
		defer p.Abort()
		if _, err = p.Write(b); err == nil {
			err = p.Commit()
		}
	}
	if errors.Is(err, Lost) {
		if _, lerr := os.Lstat(name); lerr == nil { // a run that was quicker has swept
			return &Error{Kind: Exists, Name: name}
		}
	}
	return err
}

// List lists the names of the files in a directory, or of the keys in a store below dir/, in
// order and without dir. One that is not there has none.
func (r *Run) List(dir string) (names []string, err error) {
	if s, err := r.holder(dir); s != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return s.List(r.context(), dir+"/")
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, partialPrefix) }), err
}

// Pieces writes pieces of a held output. They may be written by several runs, and the same
// piece more than once, also at the same time, if it has the same content.
type Pieces struct {
	ctx   context.Context
	file  *os.File // nil: it is in the store
	store Holder
	name  string
	held  *Held
	room  []byte // for a piece that waits in memory
}

// Pieces opens a held output that was begun by [Run.HoldPieces].
func (r *Run) Pieces(name string, h *Held) (*Pieces, error) {
	s, err := r.holder(name)
	if s != nil || err != nil {
		return &Pieces{ctx: r.context(), store: s, name: name, held: h}, err
	}
	path, err := h.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|openItself, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = &Error{Kind: Lost, Name: name}
	}
	return &Pieces{file: f}, err
}

// inMemoryPiece is how large a piece is at most that waits in memory for a store.
const inMemoryPiece = 64 << 20

// Piece writes piece number, from 1 on, which is n bytes from off on: write gets what to write
// it to. When Piece returns it is durable. It is for one goroutine.
func (p *Pieces) Piece(number int, off, n int64, write func(io.Writer) error) error {
	if p.file != nil {
		if err := write(io.NewOffsetWriter(p.file, off)); err != nil {
			return err
		}
		return p.file.Sync()
	}
	var body io.ReadSeeker
	if n > inMemoryPiece {
		f, err := NewScratch()
		if err != nil {
			return err
		}
		defer f.Close()
		if err := write(f); err != nil {
			return err
		}
		body = io.NewSectionReader(f, 0, n)
	} else {
		if int64(cap(p.room)) < n {
			p.room = make([]byte, n)
		}
		buf := bytes.NewBuffer(p.room[:0])
		if err := write(buf); err != nil {
			return err
		}
		body = bytes.NewReader(buf.Bytes())
	}
	return p.store.Send(p.ctx, p.name, p.held, number, body, n)
}

// Close closes it.
func (p *Pieces) Close() error {
	if p.file != nil {
		return p.file.Close()
	}
	return nil
}
