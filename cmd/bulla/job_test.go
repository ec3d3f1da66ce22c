package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// filesOfJobs calls do with each file of the jobs below some folders, in one line.
func filesOfJobs(t *testing.T, folders []string, do func(kind string, text []byte)) {
	t.Helper()
	for _, dir := range folders {
		files, err := filepath.Glob(filepath.Join(dir, "jobs", "*", "*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			kind := filepath.Base(name)
			if kind != "plan.json" {
				kind = kind[strings.LastIndexByte(kind, '.')+1:]
			}
			text, err := os.ReadFile(name)
			if kind == "grant" {
				continue
			}
			var line bytes.Buffer
			if err = errors.Join(err, json.Compact(&line, text)); err != nil {
				t.Fatal(name, err)
			}
			do(kind, line.Bytes())
		}
	}
}

// A jobTest has a folder for jobs, and keys.
type jobTest struct {
	*testing.T
	dir string
	env []string
}

func newJobTest(t *testing.T) *jobTest {
	dir := t.TempDir()
	j := &jobTest{t, dir, append(os.Environ(), envConfigDir+"="+filepath.Join(dir, ".config"), "BULLA_TPM="+filepath.Join(dir, "none"))}
	for _, name := range []string{"SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "PARALLEL_SEQ"} {
		j.env = append(j.env, name+"=")
	}
	j.run(0, "keygen", "--default")
	return j
}

func (j *jobTest) command(args ...string) *exec.Cmd {
	cmd := exec.Command("bulla", args...)
	cmd.Dir, cmd.Env = j.dir, j.env
	return cmd
}

// run runs bulla, which ends with that code, and returns what it writes to both streams.
func (j *jobTest) run(exit int, args ...string) (stdout, stderr string) {
	j.Helper()
	cmd := j.command(args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exit {
		j.Errorf("%q: exit code %d, want %d: %s%s", args, code, exit, out.Bytes(), err.Bytes())
	}
	return out.String(), err.String()
}

func (j *jobTest) write(name string, b []byte) {
	j.Helper()
	if err := os.WriteFile(filepath.Join(j.dir, name), b, 0o600); err != nil {
		j.Fatal(err)
	}
}

func (j *jobTest) read(name string) []byte {
	j.Helper()
	b, err := os.ReadFile(filepath.Join(j.dir, name))
	if err != nil {
		j.Fatal(err)
	}
	return b
}

// Every misuse has its line, its hint and its exit code.
func TestJobMisuse(t *testing.T) {
	t.Parallel()
	j := newJobTest(t)
	j.write("plain", bytes.Repeat([]byte("0123456789abcdef"), 3<<20)) // 48 MiB
	j.run(0, "encrypt", "-o", "x.bulla", "plain")
	j.run(0, "keygen", "-o", "other")
	j.run(0, "job", "verify", "--parts", "3", "--into", "job", "x.bulla")
	j.run(0, "job", "verify", "--parts", "3", "--into", "job2", "x.bulla")
	j.run(0, "job", "encrypt", "--volume-size", "40M", "--into", "set", "-o", "set.bulla", "plain")
	j.run(0, "job", "decrypt", "--parts", "1", "--into", "done", "-o", "done.out", "x.bulla")
	j.run(0, "job", "run", "done", "--part", "0")
	j.run(0, "job", "finish", "done")
	if !bytes.Equal(j.read("done.out"), j.read("plain")) {
		t.Error("it is decrypted to something else")
	}
	os.Mkdir(filepath.Join(j.dir, "newer"), 0o700)
	j.write("newer/plan.json", bytes.Replace(j.read("job/plan.json"), []byte(`"bulla_job": 1`), []byte(`"bulla_job": 2`), 1))
	os.Mkdir(filepath.Join(j.dir, "broken"), 0o700)
	j.write("broken/plan.json", []byte("{"))
	j.write("ours.out", nil)
	for _, c := range []struct {
		exit       int
		args       string
		what, hint string
	}{
		{exitUsage, "job run none --part 0", "there is no job in none", "--into JOB plans one"},
		{exitUsage, "job status none", "there is no job in none", "check the name"},
		{exitUsage, "job finish none", "there is no job in none", "check the name"},
		{exitUsage, "job run job", "which part of job to do: no engine says", "--part K"},
		{exitUsage, "job run job --part 3", "has no part 3, only 0 to 2", "numbered from 0"},
		{exitUsage, "job run job --part -1", "has no part -1", "numbered from 0"},
		{exitNoKey, "job run job --part 0 --job-key job2.jobkey", "the key is not that of the job in job", "--job-key"},
		{exitNoKey, "job run job --part 0 --job-key other", "the key is not that of the job in job", "--job-key"},
		{exitNoKey, "job run job --part 0 --job-key set.jobkey", "the key is not that of the job in job", "--job-key"},
		{exitNoKey, "job finish set --job-key job.jobkey", "the key is not that of the job in set", "--job-key"},
		{exitUsage, "job run job --part 0 --job-key plain", "it is not the key of a job", "made with the job"},
		{exitIO, "job run job --part 0 --job-key missing", "cannot open missing", "--job-key names it"},
		{exitRefused, "job finish job", "parts 0-2 are missing", "bulla job run"},
		{exitRefused, "job finish done", "is finished already", "nothing left"},
		{exitRefused, "job verify --into job --job-key k x.bulla", "job has a job already", "--into"},
		{exitRefused, "job verify --into job x.bulla", "job.jobkey exists", "--job-key"},
		{exitUnsupported, "job run newer --part 0", "of version 2, which this program does not know", "newer bulla"},
		{exitUnsupported, "job status newer", "of version 2", "newer bulla"},
		{exitBad, "job status broken", "plan.json in broken is damaged", "anew"},
		{exitNoKey, "job verify --into job3 -i other x.bulla", "the key does not open x.bulla", "-i FILE"},
		{exitUsage, "job verify x.bulla", "the job needs a place", "--into JOB"},
		{exitUsage, "job verify --into job3 --parts 0 x.bulla", "invalid --parts 0", "1 to"},
		{exitUsage, "job encrypt --into job3 plain", "a part is a volume", "--volume-size 64G"},
		{exitUsage, "job verify --into job3 -", "cannot be read by many machines", "name a file"},
		{exitIO, "job verify --into job3 missing.bulla", "cannot open missing.bulla", ""},
		{exitRefused, "job decrypt --into job3 -o ours.out x.bulla", "ours.out exists", ""},
		{exitRefused, "job encrypt --into job3 --volume-size 40M -o set.bulla plain", "set.bulla exists", ""},
		{exitIO, "job scrub --into job3 x.bulla", "cannot open x.bulla.parity", "--parity-file"},
		{exitUsage, "job verify --into https://example.org/job3 x.bulla", "can only be read", ""},
		{exitUsage, "job mow", "job has no verb mow", ""},
		{exitUsage, "job run", "run takes a job", "for example"},
	} {
		_, says := j.run(c.exit, strings.Fields(c.args)...)
		line, hint, _ := strings.Cut(says, "\n")
		if !strings.Contains(line, c.what) || !strings.HasPrefix(hint, "bulla: hint: ") || !strings.Contains(hint, c.hint) || strings.Count(says, "\n") != 2 {
			t.Errorf("%s: %s", c.args, says)
		}
	}
	for _, name := range []string{"job3", "job3.jobkey"} {
		if exists(filepath.Join(j.dir, name)) {
			t.Errorf("%s is left", name)
		}
	}
	if st, err := os.Stat(filepath.Join(j.dir, "job.jobkey")); err != nil || st.Mode().Perm() != 0o600 {
		t.Error("the key of a job is not for its owner alone", err)
	}
	if names, _ := filepath.Glob(filepath.Join(j.dir, "*", "*.failed")); len(names) > 0 {
		t.Errorf("misuse was taken for a failure of a part: %q", names)
	}
	// A source that changed is: it is noted, and not tried again before it is asked for.
	now := time.Now().Add(time.Hour)
	os.Chtimes(filepath.Join(j.dir, "x.bulla"), now, now)
	for _, says := range []string{"has changed since the job in job was planned", "part 1 failed before, for good: "} {
		if _, got := j.run(exitRefused, "job", "run", "job", "--part", "1"); !strings.Contains(got, says) {
			t.Error(got)
		}
	}
	if _, says := j.run(exitRefused, "job", "finish", "job"); !strings.Contains(says, "part 1 failed: ") || !strings.Contains(says, "--again") {
		t.Error(says)
	}
	if says, _ := j.run(0, "job", "status", "job"); !strings.Contains(says, "0 of 3 parts done, 1 failed") || !strings.Contains(says, "part 1 failed (exit code 5): ") {
		t.Error(says)
	}
	// What fails as a disk does is tried again, and is not for good.
	os.Rename(filepath.Join(j.dir, "x.bulla"), filepath.Join(j.dir, "away"))
	if _, says := j.run(exitIO, "job", "run", "job", "--part", "2"); strings.Count(says, "bulla: warning: ") != 2 || exists(filepath.Join(j.dir, "job", "000002.failed")) {
		t.Error(says)
	}
}

// job status says the truth before the first part, after a run was killed, between the parts and
// after the end; and what was killed leaves nothing then.
func TestJobStatus(t *testing.T) {
	t.Parallel()
	j := newJobTest(t)
	j.write("plain", bytes.Repeat([]byte("0123456789abcdef"), 8<<20)) // 128 MiB
	j.run(0, "job", "encrypt", "--volume-size", "60M", "--into", "job", "-o", "set.bulla", "plain")
	status := func(done, missing, end string) {
		t.Helper()
		says, _ := j.run(0, "job", "status", "job")
		if !strings.Contains(says, done+" of 3 parts done, 0 failed") || strings.Contains(says, "missing: ") != (missing != "") || !strings.Contains(says, "missing: "+missing) && missing != "" || !strings.Contains(says, end) {
			t.Errorf("%s, want %s done, %s missing, %s", says, done, missing, end)
		}
	}
	status("0", "0-2", "128.0 MiB left")
	held := func() []string {
		names, _ := filepath.Glob(filepath.Join(j.dir, ".set.bulla.000001.*.held"))
		return names
	}
	done := filepath.Join(j.dir, "job", "000001.done")
	for tries := 0; ; tries++ { // until it is killed while it writes
		if tries == 20 {
			t.Fatal("no run was killed while it wrote")
		}
		cmd := j.command("job", "run", "job", "--part", "1", "-j", "1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 60_000 && len(held()) == 0 && !exists(done); n++ {
			time.Sleep(time.Millisecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
		if len(held()) > 0 && !exists(done) {
			break
		}
		for _, name := range append(held(), done, filepath.Join(j.dir, "set.bulla.000001")) { // it was quicker
			os.Remove(name)
		}
	}
	status("0", "0-2", "left")
	j.run(0, "job", "run", "job", "--part", "2")
	j.env = append(j.env, "SLURM_ARRAY_TASK_ID=0")
	j.run(0, "job", "run", "job")
	status("2", "1", "left")
	j.run(0, "job", "run", "job", "--part", "1")
	status("3", "", "bulla job finish makes the result")
	j.run(0, "job", "finish", "job")
	status("3", "", "job: finished")
	if names := held(); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
	j.run(0, "verify", "set.bulla")
	j.run(0, "decrypt", "-o", "again", "set.bulla")
	if !bytes.Equal(j.read("again"), j.read("plain")) {
		t.Error("the set holds something else")
	}
}

// A job on a damaged file says what verify and scrub say.
func TestJobReports(t *testing.T) {
	t.Parallel()
	j := newJobTest(t)
	j.write("plain", bytes.Repeat([]byte("0123456789abcdef"), 3<<20))
	j.run(0, "encrypt", "--parity", "5", "-o", "x.bulla", "plain")
	whole := j.read("x.bulla")
	for name, places := range map[string][]int{"sound": nil, "chunks": {5000, 9_000_000, 9_070_000, -5000}, "head": {100, 20_000_000}, "no head": {100, -100}} {
		b := bytes.Clone(whole)
		exit := 0
		for _, at := range places {
			b[(at+len(b))%len(b)] ^= 1
			exit = exitBad
		}
		j.write(name, b)
		for verb, of := range map[string][]string{"verify": {name}, "scrub": {name, "--parity-file", "x.bulla.parity"}} {
			job := strings.ReplaceAll(name, " ", "") + verb
			j.run(0, append([]string{"job", verb, "--parts", "4", "--into", job}, of...)...)
			for part := range 4 {
				if out, err := j.command("job", "run", job, "--part", string(rune('0'+part))).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("has no part")) {
					t.Errorf("%s: %s", job, out)
				}
			}
			of[0] = filepath.Join(j.dir, name)
			if verb == "scrub" {
				of[2] = filepath.Join(j.dir, of[2])
			}
			want, wants := j.run(exit, append([]string{verb, "--json"}, of...)...)
			got, says := j.run(exit, "job", "finish", job, "--json")
			var w, g map[string]any
			if err := errors.Join(json.Unmarshal([]byte(want), &w), json.Unmarshal([]byte(got), &g)); err != nil {
				t.Fatal(err)
			}
			for _, own := range []string{"command", "time"} {
				delete(w, own)
				delete(g, own)
			}
			if !reflect.DeepEqual(w, g) || says != wants {
				t.Errorf("%s: %s%s\nof one process: %s%s", job, got, says, want, wants)
			}
		}
	}
}
