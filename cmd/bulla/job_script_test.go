//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bulla/format"
	"bulla/internal/job"
)

// writePlan writes the plan of a job root/name that no planner need make, on files in root/data.
func writePlan(t *testing.T, root, name string, change func(*job.Plan)) string {
	t.Helper()
	p := &job.Plan{Version: job.Version, Program: "test", ID: "0123456789abcdef01234567", Kind: job.Scrub, Parts: 20, Work: 1000,
		Source: job.Source{Name: root + "/data/x.bulla", Size: 1000}, Scrub: &job.Source{Name: root + "/data/x.bulla.parity", Size: 100}}
	change(p)
	text, err := json.Marshal(p)
	dir := filepath.Join(root, name)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plan.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// verifying makes it one whose tasks need a key.
func verifying(p *job.Plan) {
	p.Kind, p.Scrub, p.Verify, p.Key = job.Verify, nil, new(job.Report), "age1pq1"
	p.Work = 20 * format.SegmentSize
}

// stored has all files in a bucket.
func stored(p *job.Plan) { p.Source.Name = "s3://bucket/it's $(HOME) \u2028" }

// TestKubernetesManifest compares manifests with those in testdata/kubernetes at the top, which
// the test there decodes as Kubernetes does.
func TestKubernetesManifest(t *testing.T) {
	golden := filepath.Join("..", "..", "testdata", "kubernetes")
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ENDPOINT_URL", "https://store.example/a?b=$(C)\"")
	odd := "/data/a b'c\"d\ne{}$(HOME)$é: #"
	for name, c := range map[string]struct {
		plan func(*job.Plan)
		args []string
		in   string // what JOB is called there
	}{
		"claim.yaml":  {func(*job.Plan) {}, nil, "/data/job"},
		"odd.yaml":    {func(*job.Plan) {}, []string{"--at-once", "3"}, odd},
		"bucket.yaml": {func(p *job.Plan) { verifying(p); stored(p) }, nil, "/data/job"},
		"many.yaml": {func(p *job.Plan) { p.Parts = 100_001; p.Scrub.Name = "s3://bucket/p" },
			[]string{"--at-once", "20000"}, "/data/job"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			at := writePlan(t, root, c.in, c.plan)
			args := []string{"job", "script", "kubernetes", "--image", "registry.example/bulla:1", "--mount", "archive:" + root + "/data", at}
			code, got, errs := runIn(t, root, append(args, c.args...)...)
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			got = strings.ReplaceAll(got, root, "")
			path := filepath.Join(golden, name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("it is not what is in %s (%v); run with -update if it is meant to be:\n%s", path, err, got)
			}
		})
	}
}

// What a script has of names is what a shell makes of it again, whatever they are.
func TestScriptQuotes(t *testing.T) {
	dir := t.TempDir()
	fake := filepath.Join(dir, "bin")
	os.Mkdir(fake, 0o755)
	if err := os.WriteFile(filepath.Join(fake, "bulla"), []byte("#!/bin/sh\nprintf '%s\\0' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "a b", "it's", `"`, "a\nb\n\nrm -rf x", "$(id)`id`$HOME", "{}{1}{#}{= $_=1 =}", `a\`, "-x", "é*?[a]~!&|;<>()", "#", "{2}\t{..}"} {
		at := writePlan(t, dir, name, verifying)
		for _, engine := range []string{"slurm", "parallel"} {
			code, text, errs := runIn(t, dir, "job", "script", engine, "--job-key", at+".key", at)
			if code != 0 {
				t.Fatalf("%q: exit code %d: %s", name, code, errs)
			}
			if engine == "parallel" {
				if missing(t, "parallel") {
					continue
				}
				text = strings.Replace(text, "seq 0 19 ", "seq 7 7 ", 1)
			}
			cmd := exec.Command("sh", "-s")
			cmd.Stdin = strings.NewReader(text)
			cmd.Env = append(os.Environ(), "PATH="+fake+":"+os.Getenv("PATH"), "SLURM_ARRAY_TASK_ID=5", "BULLA_FIRST=2")
			out, err := cmd.Output()
			want := map[string]string{"slurm": "", "parallel": "-j\x001\x00"}[engine]
			want = "job\x00run\x00" + want + "--job-key\x00" + at + ".key\x00--part\x007\x00" + at + "\x00"
			if err != nil || string(out) != want {
				t.Errorf("%s, %q: %v, %q", engine, name, err, out)
			}
		}
	}
}

// What cannot be in a script is refused.
func TestScriptRefusals(t *testing.T) {
	dir := t.TempDir()
	at := func(name string, change func(*job.Plan)) string {
		return writePlan(t, dir, name, change)
	}
	good := at("good", verifying)
	for _, c := range []struct {
		args string
		job  string
		exit int
		want string
	}{
		{"slurm", at("\x1b]0;", verifying), exitUsage, "no script can have the name"},
		{"parallel", at("\xff", verifying), exitUsage, "no script can have the name"},
		{"slurm --job-key \x01", good, exitUsage, "no script can have the name"},
		{"slurm", at("id", func(p *job.Plan) { p.ID = "x\nreboot" }), exitBad, "damaged"},
		{"slurm", filepath.Join(dir, "nowhere"), exitUsage, "there is no job"},
		{"condor", good, exitUsage, "there is no script for condor"},
		{"slurm --at-once -1", good, exitUsage, "--at-once"},
		{"slurm --image x", good, exitUsage, "are for kubernetes"},
		{"parallel --mount a:/b", good, exitUsage, "are for kubernetes"},
		{"kubernetes", good, exitUsage, "needs a container image"},
		{"kubernetes --image x", good, exitUsage, "no pod has"},
		{"kubernetes --image x --mount a", good, exitUsage, "invalid --mount"},
		{"kubernetes --image x --mount a:b", good, exitUsage, "invalid --mount"},
		{"kubernetes --image x --mount :/data", good, exitUsage, "invalid --mount"},
		{"kubernetes --image x --mount a:/data/x.bulla/..", good, exitUsage, "no pod has " + dir},
	} {
		code, out, errs := runIn(t, dir, append(append([]string{"job", "script"}, strings.Split(c.args, " ")...), c.job)...)
		if code != c.exit || out != "" || !strings.Contains(errs, c.want) || !strings.Contains(errs, "hint") {
			t.Errorf("%q %q: exit code %d, want %d: %s%s", c.args, c.job, code, c.exit, out, errs)
		}
	}
}
