package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/stream"
)

// problem checks what kind of error err is.
func problem(t *testing.T, err error, want Problem, words string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Problem != want || !strings.Contains(e.Error(), words) {
		t.Errorf("got %v, want problem %d with %q", err, want, words)
	}
}

// A source that changed since the job was planned, or while a part reads it, or before the end, is
// refused: also if it has the same size.
func TestChanged(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		for _, c := range trials(p, 3<<20) {
			sources := []string{c.source()}
			if c.kind == Scrub {
				sources = append(sources, "x.parity")
			}
			for _, name := range sources {
				before := p.read(name)
				change := func() {
					after := slices.Clone(before)
					after[len(after)/2] ^= 1
					p.write(name, after)
				}
				job := string(c.kind) + name
				j, s := p.planned(c.kind, c.source(), job, c.parts, 0)
				change()
				problem(t, p.part(j, s, 0), Changed, name)
				p.write(name, before)
				j, s = p.planned(c.kind, c.source(), job+"2", c.parts, 0)
				for i := range j.Parts {
					if err := p.part(j, s, i); err != nil {
						t.Fatal(err)
					}
				}
				change()
				_, err := p.again(j).Finish(t.Context(), s, nil)
				problem(t, err, Changed, name)
				p.write(name, before)
			}
		}
		// While it is read: once the output is begun.
		j, s := p.planned(Encrypt, "plain", "meanwhile", 2<<20, 0)
		err := p.again(j).Run(&lookedAt{Context: t.Context(), do: func() {
			b := p.read("plain")
			b[5] ^= 1
			p.write("plain", b)
		}}, 1, runOptions(s))
		if err == nil {
			t.Error("a source that changed meanwhile was taken")
		}
		if done, _ := j.has(partName(1, doneSuffix)); done {
			t.Error("there is a receipt")
		}
	})
}

// A lookedAt context does something when it is first asked whether it has ended.
type lookedAt struct {
	context.Context
	once sync.Once
	do   func()
}

func (c *lookedAt) Done() <-chan struct{} { c.once.Do(c.do); return c.Context.Done() }
func (c *lookedAt) Err() error            { c.once.Do(c.do); return c.Context.Err() }

func TestMissing(t *testing.T) {
	p := folder(t)
	trials(p, 11<<20)
	j, s := p.planned(Encrypt, "plain", "job", 2<<20, 0)
	for _, i := range []int{0, 3} {
		if err := p.part(j, s, i); err != nil {
			t.Fatal(err)
		}
	}
	_, err := j.Finish(t.Context(), s, nil)
	problem(t, err, Missing, "parts 1-2,4-5 are missing")
	for _, name := range []string{"-00001.done", "+00001.done", "00001.done", "000006.done", "+00004.failed", "1e0004.failed"} { // of no part
		if err := os.WriteFile(filepath.Join(p.dir, "job", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	st, err := j.Status(t.Context())
	if err != nil || st.Done != 2 || !slices.Equal(st.Missing, []int{1, 2, 4, 5}) || st.Finished || st.Failures > 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := j.Fail(2, &Failure{Exit: 3, What: "damaged"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Fail(2, &Failure{Exit: 4, What: "another"}); err != nil {
		t.Fatal(err)
	}
	if st, err = j.Status(t.Context()); err != nil || st.Failures != 1 || len(st.Failed) != 1 || st.Failed[0].What != "damaged" || st.Failed[0].Part != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	var f *Failure
	if err := p.part(j, s, 2); !errors.As(err, &f) || f.What != "damaged" || ForGood(err) {
		t.Errorf("what failed for good is run again: %v", err)
	}
	_, err = j.Finish(t.Context(), s, nil)
	problem(t, err, Missing, "1-2,4-5")
	if !errors.As(err, &f) {
		t.Errorf("%v has no failure", err)
	}
	opts := runOptions(s)
	opts.Again = true
	if err := j.Run(t.Context(), 2, opts); err != nil {
		t.Error(err)
	}
	for i := range j.Parts {
		if err := p.part(j, s, i); err != nil {
			t.Fatal(err)
		}
	}
	p.finish(j, s)
	if st, err = j.Status(t.Context()); err != nil || st.Done != j.Parts || st.Failures > 0 || len(st.Missing) > 0 || !st.Finished {
		t.Errorf("%+v, %v", st, err)
	}
	problem(t, p.part(j, s, 6), NoPart, "6")
	problem(t, p.part(j, s, -1), NoPart, "-1")
	_, _, err = p.plan(Encrypt, "plain", "job", 2<<20, 0)
	problem(t, err, Taken, "")
	_, err = Open(p.run(), p.prefix+"none")
	problem(t, err, NotThere, "none")
}

// The job's key opens the grants of the job, a grant what is its part's, and neither anything else.
func TestGrants(t *testing.T) {
	p := folder(t)
	for i, c := range []struct {
		volume int64
		level  int
	}{{0, 0}, {0, 1}, {10 << 20, 0}} {
		name := "x" + string(rune('a'+i))
		content := noise(36<<20 + 99)
		p.seal(name, content, c.volume, c.level)
		for _, kind := range []Kind{Verify, Decrypt} {
			j, s := p.planned(kind, name, name+string(kind), 3, 0)
			other, others := p.planned(kind, name, name+string(kind)+"2", 3, 0)
			src, err := p.run().Open(p.prefix + name)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			if _, err := (&Planning{Files: p.run()}).plaintext(t.Context(), p.prefix+name, src, []stream.Identity{s.Identity}); !errors.As(err, new(*stream.NoKeyError)) {
				t.Errorf("the job's key on the archive: %v", err)
			}
			if _, err := j.granted(t.Context(), 0, src, runOptions(others)); !errors.As(err, new(*stream.NoKeyError)) {
				t.Errorf("another job's key on a grant: %v", err)
			}
			if err := p.part(j, others, 0); err == nil {
				t.Error("another job's key is taken")
			} else {
				problem(t, err, OtherKey, "")
			}
			problem(t, p.part(other, nil, 0), OtherKey, "")
			times := make([]int, (len(content)+format.ChunkSize-1)/format.ChunkSize)
			for part := range j.Parts {
				g, err := j.granted(t.Context(), part, src, runOptions(s))
				if err != nil {
					t.Fatal(err)
				}
				inside := func(off int64) bool {
					return slices.ContainsFunc(g.Ranges(), func(r stream.Range) bool { return r.Offset <= off && off < r.Offset+r.Length })
				}
				for k := range times {
					off := int64(k) * format.ChunkSize
					var b [1]byte
					_, err := g.ReadAt(b[:], off)
					switch {
					case inside(off) && (err != nil || b[0] != content[off]):
						t.Fatalf("part %d does not read %d: %v", part, off, err)
					case inside(off):
						times[k]++
					case !errors.As(err, new(*stream.NotGrantedError)):
						t.Fatalf("part %d reads %d: %v", part, off, err)
					}
				}
				g.Close()
			}
			for k, n := range times {
				if n == 0 && kind == Decrypt || n > 1 && (kind == Decrypt || c.level == 0) || n > 2 {
					t.Errorf("%s: %d parts have chunk %d", name+string(kind), n, k)
				}
			}
		}
	}
}

// Of two jobs for one output the one that is finished first leaves the other what it has made.
func TestSameOutput(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		content := noise(3<<20 + 1)
		p.seal("x", content[:3<<20], 0, 0)
		p.seal("y", content[1:], 0, 0)
		one, first := p.planned(Decrypt, "x", "one", 2, 0)
		src, err := p.run().Open(p.prefix + "y")
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		var second *Secret
		two, err := (&Planning{Files: p.run(), Name: p.prefix + "two", Workers: 1, Done: new(atomic.Int64), Keep: func(s *Secret) error { second = s; return nil }}).
			PlanDecrypt(t.Context(), p.prefix+"y", src, []stream.Identity{p.id}, 1, p.prefix+"one.out")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.part(two, second, 0); err != nil {
			t.Fatal(err)
		}
		p.done(one, first)
		if _, err := p.again(two).Finish(t.Context(), second, nil); !errors.Is(err, storage.Exists) {
			t.Errorf("got %v", err)
		}
		if err := os.Remove(filepath.Join(p.dir, "one.out")); err != nil {
			t.Fatal(err)
		}
		p.finish(two, second)
		if got := p.read("one.out"); !bytes.Equal(got, content[1:]) {
			t.Error("it has another content")
		}
		p.noStrays()
	})
}

// What does not tile the whole is no result.
func TestTampered(t *testing.T) {
	p := folder(t)
	trials(p, 33<<20)
	edit := func(name, from, to string) {
		t.Helper()
		b := string(p.read(name))
		if !strings.Contains(b, from) {
			t.Fatalf("%s has no %s: %s", name, from, b)
		}
		os.WriteFile(filepath.Join(p.dir, name), []byte(strings.Replace(b, from, to, 1)), 0o600)
	}
	for i, c := range []struct {
		kind           Kind
		file, from, to string
		want           Problem
	}{
		{Encrypt, "000001.done", `"content": 2097152`, `"content": 2097151`, Damaged},
		{Encrypt, "000001.done", `"part": 1`, `"part": 2`, Damaged},
		{Encrypt, "000001.done", `"job": "`, `"job": "0`, Damaged},
		{Encrypt, "000001.done", `"volume"`, `"volumes"`, Damaged},
		{Encrypt, "000001.done", "}", "}}", Damaged},
		{Encrypt, "000001.done", "}\n}", "}\n} {}", Damaged},
		{Encrypt, "000001.done", `"identity": "`, `"identity": "AAAA`, Damaged},
		{Verify, "000001.done", `"chunks_authentic": 256`, `"chunks_authentic": 255`, Missing},
		{Verify, "000001.done", `"chunks_authentic": 256`, `"chunks_authentic": -256`, Damaged},
		{Verify, "000001.done", `"chunks_authentic": 256`, `"chunks_authentic": 1e300`, Damaged},
		{Verify, "000001.done", `"findings": null`, `"findings": [{"clause": "CHUNK-1", "severity": "violation", "offset": 8192, "length": 9000000000000000000, "message": ""}]`, Damaged},
		{Verify, "000001.done", `"findings": null`, `"coding": {"clause": "ZSTD-1", "severity": "violation", "offset": 8192, "length": 1, "message": "\u001b[2J"}, "findings": null`, Damaged},
		{Verify, "000001.done", `"findings": null`, `"chunks_authentic": 255, "chunks_failed": 1, "findings": [{"clause": "CHUNK-1", "severity": "violation", "offset": 8192, "length": 1, "message": "\u009b2J"}]`, Damaged},
		{Scrub, "000000.done", `"scrubbed"`, `"verified"`, Damaged},
		{Scrub, "000000.done", `"chunks_checked": 529`, `"chunks_checked": 528`, Missing},
		{Scrub, "000000.done", `"chunks_checked": 529`, `"chunks_unchecked": 529`, Damaged},
		{Scrub, "000000.done", `"size": `, `"size": 1`, Damaged},
	} {
		job := "job" + string(rune('a'+i))
		j, s := p.planned(c.kind, trial{kind: c.kind}.source(), job, map[Kind]int64{Encrypt: 2 << 20, Verify: 2, Scrub: 1}[c.kind], 0)
		for k := range j.Parts {
			if err := p.part(j, s, k); err != nil {
				t.Fatal(err)
			}
		}
		edit(job+"/"+c.file, c.from, c.to)
		_, err := p.again(j).Finish(t.Context(), s, nil)
		problem(t, err, c.want, "")
		if done, _ := j.has(finishedName); done {
			t.Errorf("%s is finished", job)
		}
	}
	// A volume that is not there, or is another one.
	for job, spoil := range map[string]func(j *Job){
		"gone": func(*Job) { os.Remove(filepath.Join(p.dir, "gone.out.000002")) },
		"swapped": func(*Job) {
			os.Rename(filepath.Join(p.dir, "swapped.out.000002"), filepath.Join(p.dir, "swapped.out.000003"))
		},
	} {
		j, s := p.planned(Encrypt, "plain", job, 2<<20, 0)
		for k := range j.Parts {
			if err := p.part(j, s, k); err != nil {
				t.Fatal(err)
			}
		}
		spoil(j)
		if _, err := p.again(j).Finish(t.Context(), s, nil); err == nil {
			t.Errorf("%s: a set without a volume was finished", job)
		}
		if _, err := os.Stat(filepath.Join(p.dir, job+".out.index")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is an index: %v", job, err)
		}
	}
	// A plan that names a key of another kind.
	mac := &Secret{MACKey: make([]byte, macKeySize)}
	mine := &Secret{Identity: newIdentity(t)}
	verify, own := p.planned(Verify, "x", "verifykey", 2, 0)
	edit("verifykey/"+planName, own.public(), mac.public())
	problem(t, p.part(verify, mac, 0), OtherKey, "")
	set, own := p.planned(Encrypt, "plain", "setkey", 2<<20, 0)
	edit("setkey/"+planName, own.public(), mine.public())
	_, err := p.again(set).Finish(t.Context(), mine, nil)
	problem(t, err, OtherKey, "")
	// A failure that would be success.
	if err := set.Fail(1, &Failure{Exit: 3, What: "damaged"}); err != nil {
		t.Fatal(err)
	}
	failed, whole := "setkey/"+partName(1, failedSuffix), p.read("setkey/"+partName(1, failedSuffix))
	for from, to := range map[string]string{`"exit": 3`: `"exit": 256`, `"exit": 3,`: "", `"part": 1`: `"part": 2`} {
		edit(failed, from, to)
		problem(t, p.part(set, own, 1), Damaged, filepath.Base(failed))
		p.write(failed, whole)
	}
	// A plan that no planner makes.
	decrypt, _ := p.planned(Decrypt, "x", "plan", 2, 0)
	encrypt, _ := p.planned(Encrypt, "plain", "seal", 2<<20, 0)
	for _, c := range []struct {
		job      *Job
		from, to string
		want     Problem
	}{
		{decrypt, `"bulla_job": 1`, `"bulla_job": 2`, Newer},
		{decrypt, `"bulla_job": 1`, `"bulla_job": 0`, Newer},
		{decrypt, `"bulla_job": 1`, `"bulla_job": 2, "more": 3`, Newer},
		{decrypt, `"parts": 2`, `"parts": 3`, Damaged},
		{decrypt, `"parts": 2`, `"parts": 2000000000`, Damaged},
		{decrypt, `"parts": 2`, `"parts": -1`, Damaged},
		{decrypt, `"work": `, `"work": 1`, Damaged},
		{decrypt, `"kind": "decrypt"`, `"kind": "verify"`, Damaged},
		{decrypt, `"kind": "decrypt"`, `"kind": "mow"`, Damaged},
		{decrypt, `"id": "`, `"id": "../`, Damaged},
		{decrypt, `"piece": 67108864`, `"piece": 1`, Damaged},
		{decrypt, `"cuts": [`, `"cuts": [1,`, Damaged},
		{decrypt, "\n}\n", "\n}\n1", Damaged},
		{decrypt, `"work"`, `"walk"`, Damaged},
		{verify, `"findings": []`, `"findings": [{"suffix": "", "clause": "HEAD-1", "severity": "violation", "offset": 0, "length": 1, "message": "\u001b[2J"}]`, Damaged},
		{encrypt, `"set_key": "age1pq1`, `"set_key": "age1pq1q`, Damaged},
		{encrypt, `"set_key": "age1pq1`, `"set_key": "`, Damaged},
		{encrypt, `"set_id": "`, `"set_id": "0`, Damaged},
		{encrypt, `"volume_size": 2097152`, `"volume_size": 2097151`, Damaged},
		{encrypt, `"level": 0`, `"level": 20`, Damaged},
		{encrypt, `"level": 0`, `"level": -1`, Damaged},
		{encrypt, `"suite": 0`, `"suite": 3`, Damaged},
	} {
		name := filepath.Base(c.job.Name) + "/" + planName
		whole := p.read(name)
		edit(name, c.from, c.to)
		_, err := Open(p.run(), c.job.Name)
		problem(t, err, c.want, "")
		p.write(name, whole)
	}
}

func TestPartOf(t *testing.T) {
	for text, want := range map[string]int{
		"SLURM_ARRAY_TASK_ID=3": 3, "JOB_COMPLETION_INDEX=0": 0, "PARALLEL_SEQ=1": 0, "AWS_BATCH_JOB_ARRAY_INDEX=12": 12, "BATCH_TASK_INDEX=4": 4, "CLOUD_RUN_TASK_INDEX=4": 4,
		"NOMAD_ALLOC_INDEX=7": 7, "PBS_ARRAY_INDEX=9": 9, "SLURM_ARRAY_TASK_ID=3 PARALLEL_SEQ=4": 3,
		"": -1, "PARALLEL_SEQ=0": -1, "SLURM_ARRAY_TASK_ID=x": -1, "SLURM_ARRAY_TASK_ID=-1": -1, "SLURM_ARRAY_TASK_ID=3 PARALLEL_SEQ=3": -1, "PBS_ARRAY_INDEX=99999999999999999999": -1,
	} {
		env := make(map[string]string)
		for _, v := range strings.Fields(text) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		got, err := PartOf(func(name string) string { return env[name] })
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: part %d, want %d (%v)", text, got, want, err)
		}
	}
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		parts []int
		want  string
	}{{nil, ""}, {[]int{0}, "0"}, {[]int{0, 1, 2}, "0-2"}, {[]int{1, 3, 4, 9}, "1,3-4,9"}} {
		if got := List(c.parts); got != c.want {
			t.Errorf("%v: %s", c.parts, got)
		}
	}
}

func TestSecret(t *testing.T) {
	id := newIdentity(t)
	mac := make([]byte, macKeySize)
	entropy.Default().Fill("test", mac)
	for _, s := range []*Secret{{Job: "x", Identity: id}, {Job: "x", MACKey: mac}} {
		text := s.Encode()
		got, err := ParseSecret(text)
		if err != nil || got.public() != s.public() || strings.Contains(string(text), s.public()) {
			t.Errorf("%v", err)
		}
		for _, bad := range [][]byte{nil, []byte("# x\n"), text[:len(text)-3], append(slices.Clone(text), text...), append(slices.Clone(text), 'x'), make([]byte, MaxSecret+1)} {
			if _, err := ParseSecret(bad); err != ErrNoSecret {
				t.Errorf("%d bytes: %v", len(bad), err)
			}
		}
	}
}

// Whatever a plan and receipts say, they are refused or end in a report, in bounded time and
// memory.
func FuzzPlan(f *testing.F) {
	for _, p := range []Plan{
		{Version: 1, ID: "a", Kind: Encrypt, Parts: 2, Work: 3 << 20, Source: Source{Size: 3 << 20}, Encrypt: &EncryptPlan{Set: "4a47d90a8d2061cf2b4ae864", VolumeSize: 2 << 20}},
		{Version: 1, ID: "a", Kind: Verify, Parts: 2, Work: 16 << 20, Verify: &Report{Checks: []stream.Outcome{{Clause: format.CHUNK1, Result: stream.Passed}}}},
		{Version: 1, ID: "a", Kind: Decrypt, Parts: 1, Work: 5, Decrypt: &DecryptPlan{Cuts: []int64{0, 5}, Piece: leastPart}},
		{Version: 1, ID: "a", Kind: Scrub, Parts: 2, Work: 5, Scrub: &Source{}},
	} {
		plan, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		for _, r := range []string{
			`{"job":"a","part":1,"verified":[{"number":0,"head_size":8192,"chunks_authentic":1,"chunks_failed":2,"findings":[{"clause":"CHUNK-1","offset":8192,"length":131104}]}]}`,
			`{"job":"a","part":0,"scrubbed":{"size":5,"damages":[{"offset":1,"length":2}]}}`, `{"job":"a","part":0,"volume":{"file":".x.held","size":1,"identity":"","content":1}}`,
		} {
			f.Add(plan, []byte(r))
		}
	}
	f.Fuzz(func(t *testing.T, plan, receipt []byte) {
		j := &Job{Plan: new(Plan)}
		if decode(plan, j.Plan) != nil || j.check() != nil {
			return
		}
		for i := range min(j.Parts, 3) {
			if s := j.Share(i); s < 0 || s > j.Work {
				t.Fatalf("part %d has %d bytes of %d", i, s, j.Work)
			}
		}
		r := new(Receipt)
		if decode(receipt, r) != nil || !j.sound(r) {
			return
		}
		if j.Kind == Verify {
			j.merged([]*Receipt{r}) // which ends
		}
	})
}

// What holds a job's key is written in one way but for its comments, and what does not is told
// without a word of it.
func FuzzSecret(f *testing.F) {
	id, _ := keyslot.GenerateIdentity(nil)
	for _, s := range []*Secret{{Job: "x", Identity: id}, {Job: "x", MACKey: make([]byte, macKeySize)}} {
		f.Add(s.Encode())
		f.Add(bytes.ToUpper(s.Encode()))
	}
	f.Add([]byte(macKeyPrefix))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSecret(text)
		if err != nil {
			if err != ErrNoSecret || s != nil {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseSecret(s.Encode())
		if err != nil || again.public() != s.public() || len(text) > MaxSecret || (s.Identity == nil) == (s.MACKey == nil) {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
	})
}
