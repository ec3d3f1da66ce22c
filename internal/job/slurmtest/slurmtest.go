//go:build unix

// Package slurmtest starts a real Slurm for tests, on this host: a daemon that authenticates
// (munged), one that decides (slurmctld) and one that runs tasks (slurmd).
package slurmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Cluster is one that runs, with a node that has processors for eight tasks, whatever the host has.
type Cluster struct {
	Env []string // what commands of Slurm need besides

	t   testing.TB
	dir string
}

const conf = `ClusterName=bulla
SlurmctldHost=%s(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=%s
SlurmUser=%s
SlurmdUser=%[3]s
StateSaveLocation=%s
SlurmdSpoolDir=%s
SlurmctldPidFile=%s
SlurmdPidFile=%s
SlurmctldPort=%d
SlurmdPort=%d
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
MailProg=/bin/true
NodeName=bulla NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES
`

// Start starts one, which ends with the test, or skips the test where there is none to be started.
func Start(t testing.TB) *Cluster {
	t.Helper()
	for _, name := range []string{"munged", "slurmctld", "slurmd"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not here, so Slurm is not tested", name)
			}
			t.Skipf("%s is not here", name)
		}
	}
	dir, err := os.MkdirTemp("", "bulla-slurm-") // not too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &Cluster{t: t, dir: dir, Env: []string{"SLURM_CONF=" + filepath.Join(dir, "slurm.conf")}}
	user := c.configure()
	at := func(name string) string { return filepath.Join(dir, name) }
	c.daemon("munged", "--foreground", "--force", "--key-file="+at("munge.key"), "--socket="+at("munge"), "--pid-file="+at("munged.pid"),
		"--log-file="+at("munged.log"), "--seed-file="+at("seed"))
	c.wait("munged listens", func() bool { _, err := os.Stat(at("munge")); return err == nil })
	c.daemon("slurmctld", "-D")
	c.daemon("slurmd", "-D", "-N", "bulla")
	c.wait("Slurm is idle", func() bool {
		out, _ := c.command(context.Background(), "sinfo", "-h", "-o", "%t")
		return out == "idle"
	})
	t.Cleanup(func() { // before the daemons end: none leaves a task
		c.command(context.Background(), "scancel", "--user="+user)
		c.wait("Slurm has no job", func() bool {
			out, err := c.command(context.Background(), "squeue", "-h")
			return err != nil || out == ""
		})
	})
	return c
}

// configure writes what the daemons read, and returns the user that they run as: this one.
func (c *Cluster) configure() string {
	c.t.Helper()
	at := func(name string) string { return filepath.Join(c.dir, name) }
	host, err := os.Hostname()
	if err != nil {
		c.t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	me, err := user.Current()
	if err != nil {
		c.t.Fatal(err)
	}
	random, err := os.Open("/dev/urandom")
	if err != nil {
		c.t.Fatal(err)
	}
	defer random.Close()
	key := make([]byte, 1024)
	if _, err := io.ReadFull(random, key); err != nil {
		c.t.Fatal(err)
	}
	text := fmt.Sprintf(conf, host, at("munge"), me.Username, at("state"), at("spool"), at("ctld.pid"), at("d.pid"), c.port(0), c.port(1))
	err = errors.Join(os.Mkdir(at("state"), 0o700), os.Mkdir(at("spool"), 0o755), os.Chmod(c.dir, 0o711),
		os.WriteFile(at("slurm.conf"), []byte(text), 0o644), os.WriteFile(at("munge.key"), key, 0o400))
	if err != nil {
		c.t.Fatal(err)
	}
	return me.Username
}

// port is the n-th of two that nobody listens on, nor is given before a daemon does: it is none of
// those that systems choose, and other processes try others.
func (c *Cluster) port(n int) int {
	for i := range 50 {
		port := 5000 + (os.Getpid()*100+2*i+n)%5000
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			l.Close()
			return port
		}
	}
	c.t.Fatal("no free port")
	return 0
}

// daemon starts a program that ends with the test.
func (c *Cluster) daemon(name string, args ...string) {
	c.t.Helper()
	log, err := os.Create(filepath.Join(c.dir, name+".out"))
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	c.t.Cleanup(func() {
		log.Close()
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		if b, err := os.ReadFile(log.Name()); err == nil && c.t.Failed() {
			c.t.Logf("%s: %s", name, b[max(0, len(b)-2000):])
		}
	})
}

func (c *Cluster) wait(what string, ok func() bool) {
	c.t.Helper()
	for range 1800 { // three minutes
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.t.Errorf("waited in vain until %s", what)
	if what != "Slurm has no job" {
		c.t.FailNow()
	}
}

func (c *Cluster) command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), c.Env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Run submits a script from dir, waits until all of its tasks have ended, and returns what they
// printed. It fails if one of them did. It may be called concurrently.
func (c *Cluster) Run(ctx context.Context, dir string, env []string, script string) (string, error) {
	submit := exec.CommandContext(ctx, "sbatch", "--parsable", script)
	submit.Dir, submit.Env = dir, append(slices.Clone(env), c.Env...)
	out, err := submit.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("sbatch: %w", err)
	}
	id := strings.TrimSpace(string(out))
	for failed := 0; ; { // sbatch --wait would look every few seconds
		left, err := c.command(ctx, "squeue", "-h", "-j", id)
		if ctx.Err() != nil {
			return left, context.Cause(ctx)
		}
		if left == "" || strings.Contains(left, "Invalid job id") {
			break
		} else if err != nil {
			if failed++; failed == 20 { // a busy daemon may not answer in time
				return left, err
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	states, err := c.command(ctx, "scontrol", "show", "job", id)
	for field := range strings.FieldsSeq(states) {
		if code, ok := strings.CutPrefix(field, "ExitCode="); ok && code != "0:0" {
			err = errors.Join(err, fmt.Errorf("exit code %s", code))
		}
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "slurm-"+id+"_*.out"))
	var all strings.Builder
	for _, name := range logs {
		b, _ := os.ReadFile(name)
		all.Write(b)
	}
	return all.String(), err
}
