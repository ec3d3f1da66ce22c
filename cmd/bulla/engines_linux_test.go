package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bulla/internal/job/slurmtest"
	"bulla/internal/storage/s3/s3test"
)

// Engines run jobs of every kind, on files in a folder and in a bucket. Each part is run by two
// tasks at a time, and tasks are killed at random: 20 in all, or 200 with BULLA_LONG=1. What comes
// out is what one process makes, byte for byte and finding for finding.
func TestEngines(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	engines := map[string]engine{"slurm": slurmtest.Start(t).Run, "parallel": runParallel}
	if missing(t, "parallel") {
		delete(engines, "parallel")
	}
	kills := 2 // of each of 16 jobs
	if os.Getenv("BULLA_LONG") == "1" {
		kills = 13
	}
	var killed atomic.Int64
	for _, place := range []string{"folder", "bucket"} {
		y := newYard(t, place)
		var all sync.WaitGroup
		for name, run := range engines {
			for _, kind := range []string{"encrypt", "verify", "decrypt", "scrub"} {
				all.Go(func() {
					t.Run(place+"/"+name+"/"+kind, func(t *testing.T) {
						(&yardJob{yard: y, t: t, kind: kind, engine: name, run: run}).wreck(kills, &killed)
					})
				})
			}
		}
		all.Wait()
		if t.Failed() {
			return
		}
		for name, run := range engines {
			t.Run(place+"/"+name+"/for good", func(t *testing.T) { (&yardJob{yard: y, t: t, engine: name, run: run}).failForGood() })
		}
	}
	t.Logf("%d tasks were killed", killed.Load())
	if n := int64(kills * 8 * len(engines)); killed.Load() < n {
		t.Errorf("%d tasks were killed, and should have been %d", killed.Load(), n)
	}
}

// An engine runs a script, to its end, in a folder that is there for that, and returns what it
// printed.
type engine func(ctx context.Context, dir string, env []string, script string) (string, error)

func runParallel(ctx context.Context, dir string, env []string, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", script)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A yard is a place with files that jobs are on, and what one process says of them.
type yard struct {
	dir string // where the scripts run
	at  string // the folder or bucket, with / at its end
	in  string // the folder where its files are
	env []string
	n   atomic.Int64

	verify, scrub oneProcess
	volumes       []int64 // sizes of the volumes of the set
}

type oneProcess struct {
	code int
	out  string
}

const (
	yardSize   = 50<<20 + 12345
	yardLarge  = 257 << 20 // two windows of a parity file of 100 %
	yardVolume = "16M"
)

func newYard(t *testing.T, place string) *yard {
	t.Helper()
	y := &yard{dir: workDir(t), env: append(os.Environ(), "BULLA_JOBS=1")}
	y.env = append(y.env, envConfigDir+"="+filepath.Join(y.dir, ".config"))
	if place == "bucket" {
		srv := s3test.Start(t)
		y.at, y.in = "s3://bucket/", filepath.Join(srv.Dir, "bucket")
		y.env = append(y.env, s3test.Env(srv.URL)...)
	} else {
		y.in = t.TempDir()
		y.at = y.in + "/"
	}
	plain := make([]byte, yardSize)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(plain)
	if err := os.WriteFile(filepath.Join(y.in, "plain"), plain, 0o644); err != nil {
		t.Fatal(err)
	}
	y.must(t, "encrypt", "-q", "-o", y.at+"sealed", y.at+"plain")
	y.must(t, "encrypt", "-q", "--volume-size", yardVolume, "-o", y.at+"set", y.at+"plain")
	y.volumes = y.setSizes(t, "set")
	large := filepath.Join(y.dir, "large")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, yardLarge); err != nil {
		t.Fatal(err)
	}
	y.must(t, "encrypt", "-q", "--no-sync", "-o", filepath.Join(y.in, "large"), large)
	y.must(t, "parity", "create", "-q", "--no-sync", "--percent", "100", "-o", filepath.Join(y.in, "large.parity"), filepath.Join(y.in, "large"))
	y.damage(t, "large", 100_000, 30<<20, yardLarge-100_000)
	sealed, err := os.ReadFile(filepath.Join(y.in, "sealed"))
	if err == nil {
		err = os.WriteFile(filepath.Join(y.in, "damaged"), sealed, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	y.damage(t, "damaged", 100_000, 9<<20, 9<<20+70_000, 33<<20, yardSize-1000) // in several parts, and after the last segment
	y.verify.code, y.verify.out, _ = y.bulla(t, "verify", "--json", y.at+"damaged")
	y.scrub.code, y.scrub.out, _ = y.bulla(t, "scrub", "--json", y.at+"large")
	if y.verify.code != exitBad || strings.Count(y.verify.out, "CHUNK-1") < 5 || y.scrub.code != exitBad {
		t.Fatalf("one process: %+v, %+v", y.verify, y.scrub)
	}
	return y
}

// damage changes a bit at each of these offsets of a file.
func (y *yard) damage(t *testing.T, name string, at ...int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(y.in, name), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, off := range at {
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
}

// bulla runs a command.
func (y *yard) bulla(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("bulla", args...)
	cmd.Dir, cmd.Env = y.dir, y.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func (y *yard) must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := y.bulla(t, args...)
	if code != 0 {
		t.Fatalf("bulla %q: exit code %d: %s%s", args, code, out, errs)
	}
	return out
}

// setSizes is how long the parts of a set are, which there must be no more of.
func (y *yard) setSizes(t *testing.T, root string) (sizes []int64) {
	t.Helper()
	entries, err := os.ReadDir(y.in)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), root)
		if !ok || suffix != "" && suffix[0] != '.' {
			continue
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"", ".index", ".000000", ".000001", ".000002", ".000003"}; !slices.Contains(want, suffix) {
			t.Errorf("there is %s", e.Name())
		}
		sizes = append(sizes, info.Size())
	}
	if len(sizes) != 6 {
		t.Errorf("the set %s has %d parts", root, len(sizes))
	}
	return sizes
}

// A yardJob is one that is run, and everything is done to it that must do no harm.
type yardJob struct {
	*yard
	t            *testing.T
	kind, engine string
	run          engine

	job, made string
}

// wreck runs such a job until so many of its tasks were killed.
func (j *yardJob) wreck(kills int, killed *atomic.Int64) {
	t := j.t
	for left, tries := kills, 0; left > 0; tries++ {
		if tries == 20 {
			t.Fatalf("%d more tasks ended before they were killed", left)
		}
		before := left
		left = j.once(left)
		killed.Add(int64(before - left))
		if t.Failed() {
			return
		}
	}
}

// once runs a job of that kind to its end, and kills up to that many tasks of it.
func (j *yardJob) once(kills int) (left int) {
	t := j.t
	number := j.n.Add(1)
	j.job, j.made = fmt.Sprintf("%sjob-%d-", j.at, number), fmt.Sprintf("made-%d-", number)
	key := filepath.Join(t.TempDir(), "key")
	args := map[string][]string{
		"encrypt": {"--volume-size", yardVolume, "--job-key", key, "-o", j.at + j.made, j.at + "plain"},
		"verify":  {"--parts", "6", "--job-key", key, j.at + "damaged"},
		"decrypt": {"--parts", "6", "--job-key", key, "-o", j.at + j.made, j.at + "sealed"},
		"scrub":   {"--parts", "6", j.at + "large"},
	}[j.kind]
	j.must(t, append([]string{"job", j.kind, "-q", "--into", j.job}, args...)...)
	script := filepath.Join(t.TempDir(), "script")
	text := j.must(t, "job", "script", j.engine, "--at-once", "1", "--job-key", key, j.job)
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	parts := j.status().Parts
	for round := 0; ; round++ {
		if round == 100 {
			t.Fatal("it never gets done")
		}
		over, stop := context.WithCancel(t.Context())
		var killer, runs sync.WaitGroup
		killer.Go(func() { kills = j.kill(over, kills) })
		for range 2 { // each part twice at once
			dir := t.TempDir()
			runs.Go(func() {
				if out, err := j.run(t.Context(), dir, j.env, script); err != nil && round > 50 {
					t.Logf("%v: %s", err, out)
				}
			})
		}
		runs.Wait()
		stop()
		killer.Wait()
		s := j.status()
		if len(s.Failed) > 0 || s.Done+len(s.Missing) != parts || s.Finished {
			t.Fatalf("after a run: %+v", s)
		}
		if len(s.Missing) == 0 {
			break
		}
		if code, _, errs := j.bulla(t, "job", "finish", "--job-key", key, j.job); code != exitRefused || !strings.Contains(errs, "missing") {
			t.Fatalf("it can be finished without parts %v: %d, %s", s.Missing, code, errs)
		}
	}
	if out, err := j.run(t.Context(), t.TempDir(), j.env, script); err != nil {
		t.Fatalf("a run of what is done: %v: %s", err, out)
	}
	j.finish(key)
	return kills
}

// failForGood runs a job whose parts cannot be done: the engine says so, they are not tried again,
// and the job is not finished.
func (j *yardJob) failForGood() {
	t := j.t
	j.job, j.made = j.at+"bad-"+j.engine, "bad-made-"+j.engine
	key := filepath.Join(t.TempDir(), "key")
	j.must(t, "job", "decrypt", "-q", "--into", j.job, "--parts", "3", "--job-key", key, "-o", j.at+j.made, j.at+"damaged")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte(j.must(t, "job", "script", j.engine, "--job-key", key, j.job)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := j.run(t.Context(), t.TempDir(), j.env, script); err == nil {
		t.Fatalf("the engine says that all is well: %s", out)
	}
	before := j.status()
	if before.Failures == 0 || before.Failed[0].Exit != exitBad {
		t.Fatalf("what failed: %+v", before)
	}
	source := filepath.Join(j.in, "damaged")
	if err := os.Rename(source, source+".away"); err != nil { // an attempt would say so
		t.Fatal(err)
	}
	out, err := j.run(t.Context(), t.TempDir(), j.env, script)
	if rerr := os.Rename(source+".away", source); rerr != nil {
		t.Fatal(rerr)
	}
	if after := j.status(); err == nil || strings.Count(out, "failed before, for good") < before.Failures || strings.Contains(out, "no such file") || after.Failures != before.Failures {
		t.Errorf("%v: %s\nfailed: %+v", err, out, after.Failed)
	}
	if code, _, errs := j.bulla(t, "job", "finish", "--job-key", key, j.job); code != exitRefused || !strings.Contains(errs, fmt.Sprintf("part %d failed", before.Failed[0].Part)) {
		t.Errorf("finish: exit code %d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(j.in, j.made)); err == nil {
		t.Error("there is an output")
	}
}

// kill kills tasks of the job at random moments, until over or there were enough.
func (j *yardJob) kill(over context.Context, kills int) (left int) {
	for kills > 0 && over.Err() == nil {
		time.Sleep(time.Millisecond)
		entries, _ := os.ReadDir("/proc")
		for _, i := range rand.Perm(len(entries)) {
			pid, err := strconv.Atoi(entries[i].Name())
			if err != nil || !j.isTask(pid) {
				continue
			}
			p, err := os.FindProcess(pid) // which now means this one, whatever happens
			if err != nil {
				continue
			}
			time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
			if j.isTask(pid) && p.Kill() == nil {
				kills--
			}
			p.Release()
			break
		}
	}
	return kills
}

// isTask reports whether a process does a part of the job.
func (j *yardJob) isTask(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	return err == nil && len(args) > 3 && filepath.Base(args[0]) == "bulla" && args[1] == "job" && args[2] == "run" && args[len(args)-1] == j.job &&
		j.ours(pid)
}

// ours reports whether a process was started by this test: a bucket has the same name in others.
func (j *yardJob) ours(pid int) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(env, []byte("\x00"+envConfigDir+"="+filepath.Join(j.dir, ".config")+"\x00"))
}

func (j *yardJob) status() (s jobStatus) {
	j.t.Helper()
	if err := json.Unmarshal([]byte(j.must(j.t, "job", "status", "--json", j.job)), &s); err != nil {
		j.t.Fatal(err)
	}
	return s
}

// finish finishes the job, and compares what it made with what one process makes.
func (j *yardJob) finish(key string) {
	t := j.t
	code, out, errs := j.bulla(t, "job", "finish", "--json", "--job-key", key, j.job)
	want := map[string]oneProcess{"verify": j.verify, "scrub": j.scrub}[j.kind]
	if code != want.code || want.out != "" && facts(t, out) != facts(t, want.out) {
		t.Fatalf("exit code %d: %s%s\none process: %d: %s", code, out, errs, want.code, want.out)
	}
	if s := j.status(); !s.Finished || s.Done != s.Parts {
		t.Errorf("when it is finished: %+v", s)
	}
	made := filepath.Join(j.in, j.made)
	switch j.kind {
	case "encrypt":
		j.must(t, "verify", "-q", j.at+j.made)
		j.must(t, "decrypt", "-q", "-o", filepath.Join(j.dir, j.made), j.at+j.made)
		if sizes := j.setSizes(t, j.made); !slices.Equal(sizes, j.volumes) {
			t.Errorf("the parts of the set have %d bytes, those of one process %d", sizes, j.volumes)
		}
		made = filepath.Join(j.dir, j.made)
		fallthrough
	case "decrypt":
		if !sameFile(t, made, filepath.Join(j.in, "plain")) {
			t.Error("it is not what one process makes")
		}
		os.Remove(made)
	}
	if left := everyFile(t, j.in, "."+j.made); len(left) > 0 { // what is not whole
		t.Errorf("left: %q", left)
	}
	if strings.HasPrefix(j.at, "s3:") {
		if left := j.must(t, "storage", "uploads", j.at+j.made); left != "" {
			t.Errorf("left: %s", left)
		}
	}
}

// facts is a report without what two runs differ in.
func facts(t *testing.T, report string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(report), &m); err != nil {
		t.Fatalf("%v: %s", err, report)
	}
	for _, name := range []string{"time", "command"} {
		delete(m, name)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// everyFile is the names in a folder with that prefix.
func everyFile(t *testing.T, dir, prefix string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	f, err := os.Open(a)
	if err != nil {
		t.Error(err)
		return false
	}
	defer f.Close()
	g, err := os.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(f, x)
		m, err2 := io.ReadFull(g, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false
		}
		if err != nil || err2 != nil {
			return err != nil && err2 != nil
		}
	}
}
