package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bulla/internal/fullio"
	"bulla/internal/storage"
	"bulla/internal/storage/object"
	"bulla/internal/storage/s3"
	"bulla/internal/storage/s3/s3test"
)

// A backend is a kind of place, as the contract sees it: what a test needs to know of
// it beside the three acts. Names have one level.
type backend struct {
	run    *storage.Run
	create func(name string, opts storage.Options) (*storage.Pending, error)
	name   func(name string) string // what Open and Patch take

	// The same things, past the package: what another program does there.
	get     func(name string) (string, bool)
	put     func(name, content string)
	quietly func(name, content string) // put, so that the Version stays; nil if that cannot be
	remove  func(name string)
	list    func() []string          // the names there are, also hidden ones
	cut     func(p *storage.Pending) // makes all that p does from now on fail
	isCut   func(err error) bool

	// What a killed writer of "out" leaves, and the next one removes; "" if another
	// program sees nothing of that.
	left string
}

// backends are all that there are: add a new one here.
var backends = map[string]func(t *testing.T) *backend{
	"paths": func(t *testing.T) *backend {
		b := inDir(t)
		b.left = ".out.partial"
		b.create = func(name string, opts storage.Options) (*storage.Pending, error) {
			return b.run.Create(b.name(name), opts)
		}
		return b
	},
	"tree": func(t *testing.T) *backend {
		b := inDir(t)
		b.left = ".bulla-out.partial"
		root, err := os.OpenRoot(b.name(""))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { root.Close() })
		b.create = func(name string, opts storage.Options) (*storage.Pending, error) {
			return b.run.Below(root).Create(name, opts)
		}
		return b
	},
	"s3": inBucket,
}

// inBucket is a bucket of a real server.
func inBucket(t *testing.T) *backend {
	srv := s3test.Start(t)
	var down atomic.Bool
	url := srv.Proxy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if down.Load() {
			s3test.Reset(w)
			return
		}
		next.ServeHTTP(w, r)
	})
	for _, v := range s3test.Env(url) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	client := &object.Client{Patience: object.Patience{Tries: 2, Wait: time.Millisecond}}
	b := &backend{run: storage.TestingRun(t)}
	b.run.Stores = map[string]storage.Store{"s3": s3.New(client)}
	dir := filepath.Join(srv.Dir, "bucket")
	b.name = func(name string) string { return "s3://bucket/" + name }
	b.create = func(name string, opts storage.Options) (*storage.Pending, error) {
		return b.run.Create(b.name(name), opts)
	}
	b.get = func(name string) (string, bool) {
		c, err := os.ReadFile(filepath.Join(dir, name))
		return string(c), err == nil
	}
	b.put = func(name, content string) {
		other := &storage.Run{Stores: map[string]storage.Store{"s3": s3.New(client)}}
		p, err := other.Create(b.name(name), storage.Options{Force: true})
		if err == nil {
			io.WriteString(p, content)
			err = p.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.remove = func(name string) { os.Remove(filepath.Join(dir, name)) }
	b.list = func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				names = append(names, e.Name())
			}
		}
		return names
	}
	b.cut = func(*storage.Pending) { down.Store(true) }
	b.isCut = func(err error) bool { return errors.Is(err, storage.Unavailable) }
	return b
}

func inDir(t *testing.T) *backend {
	dir := t.TempDir()
	b := &backend{run: storage.TestingRun(t)}
	b.name = func(name string) string { return filepath.Join(dir, name) }
	b.get = func(name string) (string, bool) {
		c, err := os.ReadFile(b.name(name))
		return string(c), err == nil
	}
	b.put = func(name, content string) {
		if err := os.WriteFile(b.name(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.quietly = func(name, content string) {
		st, err := os.Stat(b.name(name))
		if err != nil {
			t.Fatal(err)
		}
		b.put(name, content)
		os.Chtimes(b.name(name), time.Time{}, st.ModTime())
	}
	b.remove = func(name string) { os.Remove(b.name(name)) }
	b.cut = func(p *storage.Pending) { storage.CloseFile(p) }
	b.isCut = func(err error) bool { return errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EBADF) }
	b.list = func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	return b
}

// contract runs a test of what every backend promises.
func contract(t *testing.T, test func(t *testing.T, b *backend)) {
	for kind, of := range backends {
		t.Run(kind, func(t *testing.T) { test(t, of(t)) })
	}
}

// holds checks what there is: a name, and its content after a colon.
func (b *backend) holds(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, name := range b.list() {
		content, _ := b.get(name)
		got = append(got, name+":"+content)
	}
	if !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}

// begin creates out and writes some of it.
func (b *backend) begin(t *testing.T, opts storage.Options) *storage.Pending {
	t.Helper()
	opts.Mode = 0o600
	p, err := b.create("out", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Abort)
	if _, err := io.WriteString(p, "new"); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestContractCommit(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		for _, opts := range []storage.Options{{}, {NoSync: true}, {Force: true}} {
			p := b.begin(t, opts)
			if _, there := b.get("out"); there {
				t.Error("it has its name before it is complete")
			}
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
			p.Abort()
			b.holds(t, "out:new")
			b.remove("out")
		}
	})
}

func TestContractAbort(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		p := b.begin(t, storage.Options{})
		p.Abort() // as an interruption does, while another goroutine writes
		b.holds(t)
		if err := p.Commit(); err == nil {
			t.Error("what was aborted was committed")
		}
		p.Abort()
		b.holds(t)
	})
}

func TestContractNoClobber(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		b.put("out", "theirs")
		if _, err := b.create("out", storage.Options{}); !errors.Is(err, storage.Exists) {
			t.Errorf("got %v", err)
		}
		b.holds(t, "out:theirs")
		b.remove("out")
		p := b.begin(t, storage.Options{})
		b.put("out", "theirs") // meanwhile
		if err := p.Commit(); !errors.Is(err, storage.Exists) {
			t.Errorf("got %v", err)
		}
		b.holds(t, "out:theirs")
	})
}

func TestContractForce(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		b.put("out", "theirs")
		p := b.begin(t, storage.Options{Force: true})
		if got, _ := b.get("out"); got != "theirs" {
			t.Error("it was replaced before its successor was complete")
		}
		if err := p.Commit(); err != nil {
			t.Error(err)
		}
		b.holds(t, "out:new")
	})
}

// Of many that create one output at once, one gets it, whole; the others are
// told, and leave nothing.
func TestContractWriters(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		const writers = 20
		var all sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			all.Go(func() {
				p, err := b.create("out", storage.Options{Mode: 0o600, NoSync: true})
				if err == nil {
					fmt.Fprintf(p, "%02d", i)
					time.Sleep(time.Millisecond)
					fmt.Fprintf(p, "%02d", i)
					err = p.Commit()
				}
				errs[i] = err
			})
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Error("two got it")
			case !errors.Is(err, storage.Exists) && !errors.Is(err, storage.InUse) && !errors.Is(err, storage.Lost):
				t.Errorf("%d: %v", i, err)
			}
		}
		if won < 0 {
			t.Fatal("nobody got it")
		}
		b.holds(t, fmt.Sprintf("out:%02d%02d", won, won))
	})
}

func TestContractStale(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		if b.left == "" { // nothing to be seen
			return
		}
		b.put(b.left, "what a killed run left")
		if err := b.begin(t, storage.Options{}).Commit(); err != nil {
			t.Fatal(err)
		}
		b.holds(t, "out:new")
	})
}

// What a run reads it neither replaces nor removes, whatever it is called.
func TestContractInputs(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		for _, name := range []string{"out", b.left} {
			if name == "" {
				continue
			}
			b.put(name, "the input")
			in, err := b.run.Open(b.name(name))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			_, err = b.create("out", storage.Options{Force: true})
			if !errors.Is(err, storage.IsInput) && !errors.Is(err, storage.InTheWay) {
				t.Errorf("%s: got %v", name, err)
			}
			b.holds(t, name+":the input")
			b.remove(name)
		}
		// Opened after the output was begun, by another run: an object is known by its name.
		run := storage.TestingRun(t)
		run.Stores, b.run = b.run.Stores, run
		b.put("out", "the input")
		p := b.begin(t, storage.Options{Force: true})
		in, err := b.run.Open(b.name("out"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		if err := p.Commit(); !errors.Is(err, storage.IsInput) {
			t.Errorf("got %v", err)
		}
		b.holds(t, "out:the input")
	})
}

func TestContractVersion(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		version := func() storage.Version {
			t.Helper()
			in, err := b.run.Open(b.name("f"))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if err := in.Recheck(); err != nil {
				t.Errorf("nothing has changed: %v", err)
			}
			return in.Version()
		}
		b.put("f", "one")
		first := version()
		if first == "" || version() != first {
			t.Errorf("the same file: %q, then %q", first, version())
		}
		b.put("f", "more")
		if version() == first {
			t.Error("a changed file has the same version")
		}
		in, err := b.run.Open(b.name("f"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		b.put("f", "longer")
		if err := in.Recheck(); !errors.Is(err, storage.Changed) {
			t.Errorf("longer: %v", err)
		}
		b.put("f", "mor")
		if err := in.Recheck(); !errors.Is(err, storage.Shrunk) {
			t.Errorf("shorter: %v", err)
		}
	})
}

func TestContractPatch(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		open := func() *storage.Patch {
			t.Helper()
			p, err := b.run.Patch(b.name("f"), storage.PatchOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return p
		}
		edit := []storage.Change{{0, []byte("head"), []byte("HEAD")}, {8, []byte("tail"), []byte("TAIL")}}
		b.put("f", "head----tail")
		p := open()
		if p.Unlocked == nil {
			if _, err := b.run.Patch(b.name("f"), storage.PatchOptions{}); !errors.Is(err, storage.Locked) {
				t.Errorf("a second patch: %v", err)
			}
		}
		if err := p.Apply(edit...); err != nil {
			t.Error(err)
		}
		p.Close()
		b.holds(t, "f:HEAD----TAIL")

		// Somebody who knows of no lock came between: by a change that shows in the
		// version, and by one that only the bytes show.
		for _, between := range []string{"HEAd----tail", "head----TAIL", "head----tai"} {
			b.put("f", "head----tail")
			p := open()
			if b.quietly != nil && len(between) == len("head----tail") {
				b.quietly("f", between)
			} else {
				b.put("f", between)
			}
			err := p.Apply(edit...)
			if !errors.Is(err, storage.Changed) {
				t.Errorf("%s: %v", between, err)
			}
			p.Close()
			b.holds(t, "f:"+between)
		}
	})
}

// A failing call has its own error, and leaves nothing.
func TestContractFails(t *testing.T) {
	contract(t, func(t *testing.T, b *backend) {
		p := b.begin(t, storage.Options{})
		b.cut(p)
		if err := p.Commit(); !b.isCut(err) {
			t.Errorf("got %v", err)
		}
		if _, there := b.get("out"); there {
			t.Error("it has its name")
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	r := storage.TestingRun(t)
	r.Context = ctx
	if _, err := r.Open("x"); err != why {
		t.Error(err)
	}
	if _, err := r.Create("x", storage.Options{}); err != why {
		t.Error(err)
	}
	if _, err := r.Patch("x", storage.PatchOptions{}); err != why {
		t.Error(err)
	}
}

func TestContractResume(t *testing.T) {
	b := backends["paths"](t)
	reopen := func() (*storage.Pending, int64, error) {
		p, err := b.run.Plan(b.name("out"), storage.Options{Mode: 0o600, NoSync: true})
		if err != nil {
			return nil, 0, err
		}
		n, err := p.Reopen()
		return p, n, err
	}
	p, n, err := reopen()
	if err != nil || n != 0 {
		t.Fatal(n, err)
	}
	io.WriteString(p, "half!")
	p.Abort()
	b.holds(t, ".out.partial:half!")

	p, n, err = reopen()
	if err != nil || n != 5 {
		t.Fatal(n, err)
	}
	kept := p.Kept()
	if n, err := io.WriteString(kept, "half and half"); n != 4 || !errors.Is(err, fullio.ErrDiffers) || kept.Same != 4 {
		t.Errorf("%d of %d are the same, %v", n, kept.Same, err)
	}
	if err := kept.Cut(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(p, " and half")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	b.holds(t, "out:half and half")

	// One that another run has overtaken leaves nothing.
	b.remove("out")
	if p, _, err = reopen(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(p, "late")
	b.put("out", "theirs")
	if err := p.Commit(); !errors.Is(err, storage.Exists) {
		t.Error(err)
	}
	b.holds(t, "out:theirs")
	b.remove("out")
	late, err := b.run.Plan(b.name("out"), storage.Options{Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	b.put("out", "theirs")
	b.put(".out.partial", "of a run that was killed")
	if _, err := late.Reopen(); !errors.Is(err, storage.Exists) {
		t.Error(err)
	}
	b.holds(t, "out:theirs")
}

func TestErrors(t *testing.T) {
	for k := storage.Exists; k <= storage.Lingers; k++ {
		if strings.HasPrefix(k.Error(), "storage error") {
			t.Errorf("kind %d has no text", k)
		}
	}
	e := &storage.Error{Kind: storage.Undurable, Name: "a\x1bb", Err: io.ErrShortWrite}
	if want := `"a\x1bb" is complete, but its directory could not be synchronized: short write`; e.Error() != want {
		t.Error(e)
	}
	if !errors.Is(e, storage.Undurable) || errors.Is(e, storage.Exists) || !errors.Is(e, io.ErrShortWrite) {
		t.Error("errors.Is does not tell its kind and cause")
	}
}
