package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/storage"
	"bulla/internal/storage/object"
	"bulla/internal/storage/s3"
	"bulla/internal/storage/s3/s3test"
	"bulla/keyslot"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

// A place is where a test has its files: a folder, or a bucket of a real server.
type place struct {
	t      *testing.T
	prefix string // of names
	dir    string // where they are on the disk
	run    func() *storage.Run
	left   atomic.Int64 // requests that the network still does
	id     *keyslot.HPKEIdentity
}

// each runs a test in a folder and in a bucket.
func each(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("folder", func(t *testing.T) { test(t, folder(t)) })
	t.Run("bucket", func(t *testing.T) { test(t, bucket(t)) })
}

func newIdentity(t testing.TB) *keyslot.HPKEIdentity {
	id, err := keyslot.GenerateIdentity(entropy.Default())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func folder(t *testing.T) *place {
	dir := t.TempDir()
	return &place{t: t, prefix: dir + "/", dir: dir, id: newIdentity(t), run: func() *storage.Run { return &storage.Run{Context: t.Context()} }}
}

func bucket(t *testing.T) *place {
	srv := s3test.Start(t)
	p := &place{t: t, prefix: "s3://bucket/", dir: filepath.Join(srv.Dir, "bucket"), id: newIdentity(t)}
	p.left.Store(1 << 40)
	url := srv.Proxy(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if p.left.Add(-1) < 0 {
			s3test.Reset(w)
			return
		}
		next.ServeHTTP(w, r)
	})
	for _, v := range s3test.Env(url) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	p.run = func() *storage.Run {
		client := &object.Client{Patience: object.Patience{Tries: 2, Wait: time.Millisecond}}
		return &storage.Run{Context: t.Context(), Stores: map[string]storage.Store{"s3": s3.New(client)}}
	}
	return p
}

func (p *place) read(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *place) create(name string) *storage.Pending {
	p.t.Helper()
	out, err := p.run().Create(p.prefix+name, storage.Options{Mode: 0o666, Force: true})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *place) write(name string, b []byte) {
	p.t.Helper()
	out := p.create(name)
	_, err := out.Write(b)
	if err = errors.Join(err, out.Commit()); err != nil {
		p.t.Fatal(err)
	}
}

// seal makes a container, or with a volume size a set.
func (p *place) seal(name string, content []byte, volume int64, level int) {
	p.t.Helper()
	to := []stream.Recipient{p.id.Recipient()}
	opts := stream.WriterOptions{Level: level}
	if volume > 0 {
		create := func(_ context.Context, suffix string) (set.Pending, error) { return p.create(name + suffix), nil }
		w, err := set.NewWriter(p.t.Context(), create, to, &set.WriterOptions{WriterOptions: opts, VolumeSize: volume})
		if err == nil {
			_, err = w.ReadFrom(bytes.NewReader(content))
			err = errors.Join(err, w.Close())
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return
	}
	out := p.create(name)
	w, err := stream.NewWriter(p.t.Context(), out.Writer(), to, &opts)
	if err == nil {
		_, err = w.ReadFrom(bytes.NewReader(content))
		err = errors.Join(err, w.Close(), out.Commit())
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// open is a file or set in one process.
func (p *place) open(name string) (plaintext, error) {
	src, err := p.run().Open(p.prefix + name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { src.Close() })
	return (&Planning{Files: p.run()}).plaintext(p.t.Context(), p.prefix+name, src, []stream.Identity{p.id})
}

func (p *place) plainOf(name string) []byte {
	p.t.Helper()
	r, err := p.open(name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := r.(io.WriterTo).WriteTo(&b); err != nil {
		p.t.Fatal(err)
	}
	return b.Bytes()
}

// plan plans a job on name, of a kind; parts is how many, or a volume's size.
func (p *place) plan(kind Kind, name, job string, parts int64, level int) (*Job, *Secret, error) {
	p.t.Helper()
	run := p.run()
	src, err := run.Open(p.prefix + name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer src.Close()
	var secret *Secret
	planning := &Planning{Files: run, Name: p.prefix + job, Program: "test", Workers: 2, Done: new(atomic.Int64), Keep: func(s *Secret) (err error) {
		secret, err = ParseSecret(s.Encode())
		return err
	}}
	var j *Job
	switch ctx, ids := p.t.Context(), []stream.Identity{p.id}; kind {
	case Encrypt:
		j, err = planning.PlanEncrypt(ctx, p.prefix+name, src, p.prefix+job+".out", []stream.Recipient{p.id.Recipient()},
			&set.WriterOptions{WriterOptions: stream.WriterOptions{Level: level}, VolumeSize: parts})
	case Verify:
		j, err = planning.PlanVerify(ctx, p.prefix+name, src, ids, int(parts))
	case Decrypt:
		j, err = planning.PlanDecrypt(ctx, p.prefix+name, src, ids, int(parts), p.prefix+job+".out")
	case Scrub:
		par, oerr := run.Open(p.prefix + name + ".parity")
		if oerr != nil {
			p.t.Fatal(oerr)
		}
		defer par.Close()
		j, err = planning.PlanScrub(p.prefix+name, src, p.prefix+name+".parity", par, int(parts))
	}
	return j, secret, err
}

func (p *place) planned(kind Kind, name, job string, parts int64, level int) (*Job, *Secret) {
	p.t.Helper()
	j, s, err := p.plan(kind, name, job, parts, level)
	if err != nil {
		p.t.Fatal(err)
	}
	return j, s
}

// again opens a job in a run of its own.
func (p *place) again(j *Job) *Job {
	p.t.Helper()
	same, err := Open(p.run(), j.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	return same
}

func (p *place) part(j *Job, s *Secret, i int) error {
	return p.again(j).Run(p.t.Context(), i, runOptions(s))
}

func runOptions(s *Secret) *RunOptions {
	return &RunOptions{Secret: s, Workers: 1, Done: new(atomic.Int64)}
}

func (p *place) finish(j *Job, s *Secret) *Result {
	p.t.Helper()
	r, err := p.again(j).Finish(p.t.Context(), s, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// done does all parts in some order, and ends the job.
func (p *place) done(j *Job, s *Secret) *Result {
	p.t.Helper()
	for _, i := range rand.Perm(j.Parts) {
		if err := p.part(j, s, i); err != nil {
			p.t.Fatalf("part %d: %v", i, err)
		}
	}
	return p.finish(j, s)
}

// noStrays checks that nothing is held, and no upload under way.
func (p *place) noStrays() {
	p.t.Helper()
	filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if name := filepath.Base(path); strings.HasPrefix(name, ".") && !e.IsDir() && name != ".sgwtmp" && !strings.Contains(path, ".sgwtmp") {
			p.t.Errorf("%s is left", path)
		}
		return err
	})
	names, _, err := p.run().Strays(p.prefix)
	names = slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, ".bulla-probe-") }) // of nothing, which find out how the store is
	if err != nil || len(names) > 0 {
		p.t.Errorf("left: %q, %v", names, err)
	}
}

// noise is content that no two chunks of are equal; half of it can be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	for i := range b {
		if i>>20&1 == 1 {
			b[i] &= 1
		}
	}
	return b
}

// single is what one process says of a file or set.
func (p *place) single(name string) (*Report, error) {
	run := p.run()
	src, err := run.Open(p.prefix + name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer src.Close()
	return (&Planning{Files: run, Workers: 2}).verify(p.t.Context(), p.prefix+name, src, []stream.Identity{p.id}, false)
}

// same compares a report of parts with that of one process.
func same(t *testing.T, got, want *Report) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	for i, c := range want.Checks {
		if got.Checks[i] != c {
			t.Errorf("%v, of one process %v", got.Checks[i], c)
		}
	}
	got.Checks, want.Checks = nil, nil
	t.Errorf("%+v\nof one process: %+v", got, want)
}

func at(chunk int) int { return 2*format.PageSize + chunk*format.SealedChunkSize + 5 }

// Whatever is wrong with a container, the parts together say what one process does.
func TestVerify(t *testing.T) {
	type edit = func(p *place, name string)
	flip := func(suffix string, places ...int) edit {
		return func(p *place, name string) {
			b := p.read(name + suffix)
			for _, i := range places {
				b[(i+len(b))%len(b)] ^= 1
			}
			os.WriteFile(filepath.Join(p.dir, name+suffix), b, 0o600)
		}
	}
	resize := func(suffix string, by int) edit {
		return func(p *place, name string) {
			b := append(p.read(name+suffix), make([]byte, max(by, 0))...)
			os.WriteFile(filepath.Join(p.dir, name+suffix), b[:max(0, len(b)+min(by, 0))], 0o600)
		}
	}
	remove := func(suffix string) edit {
		return func(p *place, name string) { os.Remove(filepath.Join(p.dir, name+suffix)) }
	}
	swap := func(p *place, name string) {
		a, b := filepath.Join(p.dir, name+".000000"), filepath.Join(p.dir, name+".000001")
		os.Rename(a, a+"x")
		os.Rename(b, a)
		os.Rename(a+"x", b)
	}
	row := func(from, to, step int) (all []int) {
		for i := from; i < to; i += step {
			all = append(all, at(i))
		}
		return all
	}
	nothing := func(*place, string) {}
	content := noise(44<<20 + 12345) // 5 segments and a half; compressed about 2 and a half
	ofFile := map[string]edit{
		"nothing": nothing, "the first chunk": flip("", at(0)), "one in the middle": flip("", at(200)), "the last": flip("", -9000),
		"where two segments meet": flip("", at(126), at(127), at(128), at(129)), "where the last segment ends": flip("", row(630, 650, 1)...),
		"many": flip("", row(0, 700, 3)...), "a row": flip("", row(100, 300, 1)...), "head": flip("", 100), "tail": flip("", -100), "head and a chunk": flip("", 100, at(130)),
		"head and tail": flip("", 100, -100), "cut by a byte": resize("", -1), "cut": resize("", -10<<20), "longer": resize("", 10), "much longer": resize("", 3*format.SealedChunkSize),
		"empty": resize("", -45<<20),
	}
	ofSet := map[string]edit{
		"nothing": nothing, "a chunk": flip(".000001", at(30)), "chunks of two": func(p *place, name string) {
			flip(".000001", row(120, 140, 1)...)(p, name)
			flip(".000000", at(3))(p, name)
		}, "a head": flip(".000001", 100), "a last chunk": flip(".000000", -9000), "heads": flip(".000001", 100, -100), "missing": remove(".000001"),
		"swapped": swap, "cut": resize(".000001", -1<<20), "longer": resize(".000000", 9), "the index": flip(".index", 100, -100), "no index": remove(".index"), "the root": flip("", 100, -100),
		"the root's head": flip("", 100), "the last": remove(".000002"),
	}
	n := 0
	all := func(kind string, edits map[string]edit, volume int64, level int) {
		t.Run(kind, func(t *testing.T) {
			whole := folder(t)
			whole.seal("x", content, volume, level)
			for what, do := range edits {
				t.Run(what, func(t *testing.T) {
					p := folder(t)
					p.id = whole.id
					if err := os.CopyFS(p.dir, os.DirFS(whole.dir)); err != nil {
						t.Fatal(err)
					}
					do(p, "x")
					want, err := p.single("x")
					if err != nil {
						j, _, jerr := p.plan(Verify, "x", "job", 3, 0)
						if jerr == nil {
							t.Errorf("one process fails with %v, and there is a job of %d parts", err, j.Parts)
						}
						return
					}
					parts := []int64{1, 2, 3, 64}[n%4]
					n++
					j, s := p.planned(Verify, "x", "job", parts, 0)
					if what == "nothing" && (j.Parts == 1) != (parts == 1) {
						t.Errorf("%d parts", j.Parts)
					}
					got := p.done(j, s).Report
					same(t, got, want)
					same(t, p.finish(j, s).Report, want)
				})
			}
		})
	}
	all("file", ofFile, 0, 0)
	all("compressed", ofFile, 0, 1)
	all("set", ofSet, 20<<20, 0)
	all("compressed set", ofSet, 20<<20, 1)
	content = content[:40<<20] // whole segments, and then an empty chunk
	all("segments", map[string]edit{"nothing": nothing, "a chunk": flip("", at(639)), "the last": flip("", -5000)}, 0, 0)
	all("segments of a set", map[string]edit{"nothing": nothing, "chunks": flip(".000001", row(0, 256, 1)...)}, 16<<20, 0)
}

// The finding about frames comes after those about chunks, only if all chunks opened, and the
// first counts.
func TestJoin(t *testing.T) {
	chunk := func(i, n int64) format.Finding {
		rep := stream.JoinFindings(nil, []format.Finding{{Offset: format.PageSize + i*format.SealedChunkSize, Length: n * format.SealedChunkSize}}, format.PageSize)
		return rep[0]
	}
	frame := func(at int64) *format.Finding { return &format.Finding{Clause: format.ZSTD4, Offset: at} }
	head, place := format.Finding{Clause: format.HEAD5}, format.Finding{Clause: format.SET4}
	checked := func(coding *format.Finding, f ...format.Finding) stream.Checked {
		return stream.Checked{HeadSize: format.PageSize, Failed: int64(len(f)), Findings: f, Frame: coding}
	}
	for _, c := range []struct {
		name  string
		known []format.Finding
		more  []stream.Checked
		want  []format.Finding
	}{
		{"in order", []format.Finding{head, place}, []stream.Checked{checked(nil, chunk(3, 1)), checked(nil, chunk(9, 2))}, []format.Finding{head, chunk(3, 1), chunk(9, 2), place}},
		{"neighbours", []format.Finding{chunk(5, 1)}, []stream.Checked{checked(nil, chunk(1, 2)), checked(nil, chunk(3, 2))}, []format.Finding{chunk(1, 5)}},
		{"frames", nil, []stream.Checked{checked(nil), checked(frame(7)), checked(frame(9))}, []format.Finding{*frame(7)}},
		{"a frame at the end", []format.Finding{head, *frame(99)}, []stream.Checked{checked(nil)}, []format.Finding{head, *frame(99)}},
		{"a frame before it", []format.Finding{*frame(99)}, []stream.Checked{checked(frame(5))}, []format.Finding{*frame(5)}},
		{"a frame and a chunk", []format.Finding{*frame(99), place}, []stream.Checked{checked(frame(5)), checked(nil, chunk(1, 1))}, []format.Finding{chunk(1, 1), place}},
	} {
		if got := join(c.known, c.more); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDecrypt(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		for i, c := range []struct {
			size, parts int
			volume      int64
			level       int
		}{
			{0, 3, 0, 0}, {1, 1, 0, 0}, {100, 9, 0, 1}, {40 << 20, 64, 0, 0}, {40<<20 + 7, 2, 0, 1}, {50<<20 + 1, 3, 20 << 20, 0}, {50 << 20, 64, 6 << 20, 1}, {0, 2, 20 << 20, 0},
		} {
			name, content := "x"+string(rune('a'+i)), noise(c.size)
			p.seal(name, content, c.volume, c.level)
			j, s := p.planned(Decrypt, name, "job"+name, int64(c.parts), 0)
			if want := max(1, min(c.parts, c.size/leastPart)); j.Parts != want {
				t.Errorf("%d parts, want %d", j.Parts, want)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "job"+name+".out")); err == nil {
				t.Error("it has its name before it is done")
			}
			if r := p.done(j, s); r.Size != int64(c.size) {
				t.Errorf("%d bytes", r.Size)
			}
			if got := p.read("job" + name + ".out"); !bytes.Equal(got, content) {
				t.Errorf("%+v: %d bytes, and others than were sealed", c, len(got))
			}
			var e *Error
			if _, err := p.again(j).Finish(t.Context(), s, nil); !errors.As(err, &e) || e.Problem != Finished {
				t.Errorf("finished twice: %v", err)
			}
			if err := p.part(j, s, 0); err != nil {
				t.Errorf("a part after the end: %v", err)
			}
		}
		p.noStrays()
	})
}

func TestEncrypt(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		for i, c := range []struct {
			size   int
			volume int64
			level  int
		}{{0, 2 << 20, 0}, {1, 2 << 20, 1}, {6 << 20, 2 << 20, 0}, {7<<20 + 1, 2 << 20, 1}, {20 << 20, 18 << 20, 0}} {
			name, content := "x"+string(rune('a'+i)), noise(c.size)
			p.write(name, content)
			j, s := p.planned(Encrypt, name, "job"+name, c.volume, c.level)
			if j.Parts != c.size/int(c.volume)+1 {
				t.Errorf("%d parts", j.Parts)
			}
			if r := p.done(j, s); r.Volumes != j.Parts || r.Size != int64(c.size) {
				t.Errorf("%+v", r)
			}
			if got := p.plainOf("job" + name + ".out"); !bytes.Equal(got, content) {
				t.Errorf("%+v: %d bytes, and others than were sealed", c, len(got))
			}
			rep, err := p.single("job" + name + ".out")
			if err != nil || len(rep.Findings) > 0 || rep.Volumes != j.Parts {
				t.Errorf("%+v: %+v, %v", c, rep, err)
			}
		}
		p.noStrays()
	})
}

func (p *place) parity(name string) {
	p.t.Helper()
	out := p.create(name + ".parity")
	m, err := parity.NewMaker(out, 3, 1)
	if err == nil {
		_, err = m.Write(p.read(name))
		_, cerr := m.Close()
		err = errors.Join(err, cerr, out.Commit())
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// scrubs compares the report of a job with that of one process.
func (p *place) scrubs(name string, got *parity.Report) {
	p.t.Helper()
	b, par := p.read(name), p.read(name+".parity")
	want, err := parity.Scrub(p.t.Context(), bytes.NewReader(b), int64(len(b)), bytes.NewReader(par), int64(len(par)), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if got.Sound() != want.Sound() || got.ParitySound() != want.ParitySound() || got.Repairable() != want.Repairable() ||
		!slices.Equal(got.Damages, want.Damages) || !slices.Equal(got.Losses, want.Losses) || got.Checked != want.Checked || got.Left != want.Left || got.Strength != want.Strength {
		p.t.Errorf("%+v\nof one process: %+v", got, want)
	}
}

func TestScrub(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.seal("x", noise(9<<20), 0, 0)
		p.parity("x")
		for i, places := range [][]int{nil, {at(3)}, {at(3), at(4), at(100)}, {100, -100}} {
			b := p.read("x")
			for _, k := range places {
				b[(k+len(b))%len(b)] ^= 1
			}
			name := "y" + string(rune('a'+i))
			p.write(name, b)
			p.write(name+".parity", p.read("x.parity"))
			j, _ := p.planned(Scrub, name, "job"+name, 5, 0)
			p.scrubs(name, p.done(j, nil).Scrub)
			p.scrubs(name, p.finish(j, nil).Scrub)
		}
		p.noStrays()
	})
}

// The kinds, each on a small archive; check looks at the result.
type trial struct {
	kind  Kind
	parts int64
	check func(p *place, job string, r *Result)
}

// trials prepares them: every kind on x.
func trials(p *place, size int) []trial {
	content := noise(size)
	p.seal("x", content, 0, 0)
	p.parity("x")
	p.write("plain", content)
	return []trial{
		{Encrypt, 2 << 20, func(p *place, job string, _ *Result) {
			p.t.Helper()
			if !bytes.Equal(p.plainOf(job+".out"), content) {
				p.t.Error("the set has another content")
			}
			if rep, err := p.single(job + ".out"); err != nil || len(rep.Findings) > 0 {
				p.t.Errorf("%+v, %v", rep, err)
			}
		}},
		{Verify, 2, func(p *place, job string, r *Result) {
			p.t.Helper()
			want, err := p.single("x")
			if err != nil {
				p.t.Fatal(err)
			}
			same(p.t, r.Report, want)
		}},
		{Decrypt, 2, func(p *place, job string, _ *Result) {
			p.t.Helper()
			if !bytes.Equal(p.read(job+".out"), content) {
				p.t.Error("the output has another content")
			}
		}},
		{Scrub, 2, func(p *place, job string, r *Result) { p.t.Helper(); p.scrubs("x", r.Scrub) }},
	}
}

func (c trial) source() string {
	if c.kind == Encrypt {
		return "plain"
	}
	return "x"
}

// Every part runs three times at once, and once more; two runs end the job at once.
func TestTwice(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		for _, c := range trials(p, 33<<20) {
			job := string(c.kind)
			j, s := p.planned(c.kind, c.source(), job, c.parts*4, 0)
			for range 2 {
				var running sync.WaitGroup
				for i := range 3 * j.Parts {
					running.Go(func() {
						if err := p.part(j, s, i/3); err != nil {
							t.Errorf("%s: part %d: %v", c.kind, i/3, err)
						}
					})
				}
				running.Wait()
			}
			results := make([]*Result, 2)
			var running sync.WaitGroup
			for i := range results {
				running.Go(func() {
					r, err := p.again(j).Finish(t.Context(), s, nil)
					var e *Error
					if errors.Is(err, storage.InUse) || errors.Is(err, storage.Lost) { // the other one was at it
						err = nil
					}
					if err != nil && (!errors.As(err, &e) || e.Problem != Finished) {
						t.Errorf("%s: %v", c.kind, err)
					}
					results[i] = r
				})
			}
			running.Wait()
			if results[0] == nil {
				results[0] = results[1]
			}
			if st, err := p.again(j).Status(t.Context()); err != nil || !st.Finished || results[0] == nil {
				t.Errorf("%s: %+v, %v", c.kind, st, err)
				continue
			}
			c.check(p, job, results[0])
		}
		p.noStrays()
	})
}

// Of many that end a job at once none fails because another was quicker, and swept.
func TestFinishAtOnce(t *testing.T) {
	p := folder(t)
	for n := range 10 {
		c := trials(p, 1<<20)[1]
		j, s := p.planned(c.kind, c.source(), string(c.kind)+string(rune('a'+n)), c.parts, 0)
		for i := range j.Parts {
			if err := p.part(j, s, i); err != nil {
				t.Fatal(err)
			}
		}
		var running sync.WaitGroup
		for range 4 {
			running.Go(func() {
				_, err := p.again(j).Finish(t.Context(), s, nil)
				var e *Error
				if err != nil && (!errors.As(err, &e) || e.Problem != Finished) {
					t.Errorf("%s: %v", c.kind, err)
				}
			})
		}
		running.Wait()
	}
}

// A part that is interrupted leaves nothing, or is done.
func TestInterrupted(t *testing.T) {
	p := folder(t)
	c := trials(p, 1<<20)[0]
	for n := range 40 {
		j, s := p.planned(c.kind, c.source(), string(c.kind)+fmt.Sprint(n), c.parts, 0)
		ctx, cancel := context.WithCancel(t.Context())
		opts := runOptions(s)
		var running sync.WaitGroup
		running.Go(func() {
			for opts.Done.Load() < j.Share(0) && ctx.Err() == nil {
				runtime.Gosched()
			}
			time.Sleep(time.Duration(n) * 100 * time.Microsecond)
			cancel()
		})
		mine := p.again(j)
		mine.files.Context = ctx
		err := mine.Run(ctx, 0, opts)
		cancel()
		running.Wait()
		if done, derr := j.has(partName(0, doneSuffix)); derr != nil || done != (err == nil) {
			t.Errorf("it ended with %v, and that it is done is %v, %v", err, done, derr)
		}
		p.noStrays()
	}
}

// A plan that is interrupted leaves nothing; the end of a job, either nothing or the whole.
func TestInterruptedBeforeAndAfter(t *testing.T) {
	p := folder(t)
	c := trials(p, 1<<20)[2]
	src, err := p.run().Open(p.prefix + "x")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithCancel(t.Context())
	run := p.run()
	run.Context = ctx
	planning := &Planning{Files: run, Name: p.prefix + "interrupted", Program: "test", Workers: 1, Done: new(atomic.Int64),
		Keep: func(*Secret) error { cancel(); return nil }} // after the output was begun
	if j, err := planning.PlanDecrypt(ctx, p.prefix+"x", src, []stream.Identity{p.id}, 2, p.prefix+"interrupted.out"); j != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", j, err)
	}
	p.noStrays()
	for n := range 30 {
		j, s := p.planned(c.kind, c.source(), string(c.kind)+fmt.Sprint(n), c.parts, 0)
		for i := range j.Parts {
			if err := p.part(j, s, i); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*50*time.Microsecond)
		mine := p.again(j)
		mine.files.Context = ctx
		_, err := mine.Finish(ctx, s, nil)
		cancel()
		_, serr := os.Stat(j.Decrypt.Output)
		if st, sterr := p.again(j).Status(t.Context()); sterr != nil || (serr == nil) != (err == nil) || st.Finished != (err == nil) {
			t.Errorf("it ended with %v, the output with %v, and the job: %+v, %v", err, serr, st, sterr)
		}
	}
}

// A part, and then the end of the job, is killed after each of its requests in turn. What comes
// after that has the same result, and leaves nothing.
func TestKilledAtEachRequest(t *testing.T) {
	p := bucket(t)
	for _, c := range trials(p, 3<<20) {
		step := int64(1)
		if testing.Short() {
			step = 4
		}
		for n := int64(0); ; n += step {
			job := string(c.kind) + string(rune('a'+n))
			j, s := p.planned(c.kind, c.source(), job, c.parts, 0)
			again, kills := p.again(j), 0
			p.left.Store(n)
			if again.Run(t.Context(), 0, runOptions(s)) != nil {
				kills++
			}
			p.left.Store(1 << 40)
			for i := range j.Parts {
				if err := p.part(j, s, i); err != nil {
					t.Fatalf("%s, killed after %d requests: part %d: %v", c.kind, n, i, err)
				}
			}
			again = p.again(j)
			p.left.Store(n)
			r, err := again.Finish(t.Context(), s, nil)
			p.left.Store(1 << 40)
			var e *Error
			if err != nil {
				kills++
				if r, err = p.again(j).Finish(t.Context(), s, nil); err != nil && (!errors.As(err, &e) || e.Problem != Finished) {
					t.Fatalf("%s, killed after %d requests: %v", c.kind, n, err)
				}
			}
			c.check(p, job, r)
			if kills == 0 {
				if n < 4 {
					t.Errorf("%s takes %d requests", c.kind, n)
				}
				break
			}
		}
		p.noStrays()
	}
}

// What a run leaves in a folder that is killed at some step; the next ones have the result, and
// leave nothing.
func TestKilledInFolder(t *testing.T) {
	held := func(p *place, name string) string {
		all, _ := filepath.Glob(filepath.Join(p.dir, "."+name+".*.held"))
		if len(all) != 1 {
			p.t.Fatalf("%s is held as %q", name, all)
		}
		return all[0]
	}
	for what, kill := range map[string]func(p *place, j *Job, s *Secret){
		"while it writes": func(p *place, j *Job, _ *Secret) {
			os.WriteFile(filepath.Join(p.dir, ".job.out.000001.AAAA.held"), []byte("half"), 0o600)
		},
		"before the receipt": func(p *place, j *Job, _ *Secret) {
			out, err := p.run().Create(p.prefix+"job.out.000001", storage.Options{Held: true, Mode: 0o666})
			if err == nil {
				_, err = out.Write([]byte("all of it"))
			}
			if err == nil {
				_, err = out.Hold()
			}
			if err != nil {
				p.t.Fatal(err)
			}
		},
		"while it writes the receipt": func(p *place, j *Job, _ *Secret) {
			os.WriteFile(filepath.Join(p.dir, "job", ".000001.done.AAAA.held"), []byte("{"), 0o600)
		},
		"after the receipt": func(p *place, j *Job, s *Secret) {
			p.part(j, s, 1)
			os.Rename(filepath.Join(p.dir, "job.out.000001"), p.heldOf(j, 1))
		},
		"as the name was given": func(p *place, j *Job, s *Secret) {
			p.part(j, s, 1)
			os.Link(filepath.Join(p.dir, "job.out.000001"), p.heldOf(j, 1))
			held(p, "job.out.000001")
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := folder(t)
			c := trials(p, 5<<20)[0]
			j, s := p.planned(c.kind, c.source(), "job", c.parts, 0)
			kill(p, j, s)
			r := p.done(j, s)
			c.check(p, "job", r)
			p.noStrays()
		})
	}
}

// heldOf is what the volume is called, by the receipt, that part i has made.
func (p *place) heldOf(j *Job, i int) string {
	r, err := p.again(j).receipt(i)
	if err != nil {
		p.t.Fatal(err)
	}
	return filepath.Join(p.dir, r.Volume.File)
}

// No clock is looked at: files of any age count.
func TestClocks(t *testing.T) {
	p := folder(t)
	for _, c := range trials(p, 33<<20) {
		job := string(c.kind)
		j, s := p.planned(c.kind, c.source(), job, c.parts, 0)
		for i := range j.Parts {
			filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
				if !e.IsDir() && path != filepath.Join(p.dir, c.source()) && !strings.HasSuffix(path, ".parity") {
					old := time.Unix(int64(i)<<33, 0)
					os.Chtimes(path, old, old)
				}
				return err
			})
			if err := p.part(j, s, i); err != nil {
				t.Fatal(err)
			}
		}
		c.check(p, job, p.finish(j, s))
	}
}
