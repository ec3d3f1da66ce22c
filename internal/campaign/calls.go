//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The calls by which files are read and written. Each is made to fail, or to be the last
// that the run makes, where it concerns a file in the folder of the trial.
var (
	callNames = []string{"openat", "newfstatat", "fstat", "flock", "fcntl", "lseek", "read", "pread64", "write", "pwrite64", "ftruncate",
		"fsync", "syncfs", "sync_file_range", "fallocate", "mkdirat", "renameat2", "renameat", "linkat", "unlinkat", "utimensat", "fchmod", "getdents64", "close"}
	faults  = []string{"error=EIO", "error=ENOSPC", "signal=SIGKILL"}
	callMax = 40 // of a kind, at most

	// The Go runtime and the sources of entropy make the others, too: of these, only those
	// on files whose names are known can fail.
	ownCalls = []string{"flock", "ftruncate", "fsync", "syncfs", "sync_file_range", "fallocate", "mkdirat", "renameat2", "renameat", "linkat", "unlinkat", "utimensat", "fchmod"}
)

// calls has every system call of every verb fail, one a run.
func calls(c *campaign) (int, func(*trial)) {
	if err := exec.Command("strace", "-o", os.DevNull, "true").Run(); err != nil {
		fmt.Println("calls: strace is needed:", err)
		c.failures.Add(1)
		return 0, nil
	}
	if os.Geteuid() != 0 { // bulla lets no other process of its user look into it
		fmt.Println("calls: not tried: strace has to be root's to see what is opened")
		return 0, nil
	}
	const share = 29 // of which the short form tries one
	kinds := len(verbs) * len(callNames) * len(faults)
	n := c.pick(kinds/share, kinds)
	return n, func(t *trial) {
		kind := t.number
		if !c.long { // some of each, and others with another seed
			kind = t.number*share + t.rand.IntN(share)
		}
		v := &verbs[kind%len(verbs)]
		call, fault := callNames[kind/len(verbs)%len(callNames)], faults[kind/len(verbs)/len(callNames)%len(faults)]
		for nth := 1; nth <= t.pick(2, callMax) && t.failCall(v, call, fault, nth); nth++ {
		}
	}
}

// failCall runs v with the nth of a kind of call failing, and reports whether there was one.
func (t *trial) failCall(v *verb, call, fault string, nth int) bool {
	l := t.begin(v)
	defer l.close()
	t.did = fmt.Sprintf("bulla %s, %s:%s:when=%d", v.args, call, fault, nth)
	log := filepath.Join(l.dir, ".strace")
	by := []string{"strace", "-f", "-qq", "-o", log, "-e", fmt.Sprintf("inject=%s:%s:when=%d", call, fault, nth)}
	if !slices.Contains(ownCalls, call) {
		for _, name := range l.names(v) {
			by = append(by, "-P", name, "-P", filepath.Join(l.dir, name))
		}
	}
	r := l.run(by, v.args, nil)
	trace, _ := os.ReadFile(log)
	killed := strings.Contains(string(trace), "killed by SIGKILL")
	if !strings.Contains(string(trace), "(INJECTED)") && !killed {
		if r.code != 0 {
			t.fail("exit code %d, and nothing failed: %s", r.code, r.said)
		}
		return false
	}
	if killed {
		r.code = -1
	}
	l.after(v, r)
	if strings.Contains(r.said, "another run") && call != "close" { // one that fails is not made at all, and what is locked stays so
		t.fail("that is not what happened: %s", r.said)
	}
	l.again(v, r)
	return true
}

// names are the files that v may touch, and the folders, as far as they are known.
func (l *lab) names(v *verb) []string {
	names := []string{".", "j", "damaged.undo"}
	for name := range l.before {
		names = append(names, name)
	}
	for _, out := range []string{v.out, "s2", "s2.000000", "s2.000001", "s2.000002"} {
		if out != "" && (out == v.out || strings.Contains(v.args, "s2") || strings.Contains(v.first, "s2")) {
			dir, base := filepath.Split(out)
			names = append(names, out, dir+"."+base+".partial", dir+".bulla-"+base+".partial")
		}
	}
	return names
}

// again runs v once more after a run that ended early: it does the work, and cleans up.
func (l *lab) again(v *verb, r result) {
	if r.code >= 0 || v.out != "" && l.there(v.out) {
		return
	}
	next := l.run(nil, v.args, nil)
	if next.code != 0 && v.resume != "" {
		next = l.run(nil, v.resume, nil)
	}
	if next.code != 0 && v.clears != "" {
		for _, name := range strings.Fields(v.clears) {
			os.Remove(l.path(name))
		}
		next = l.run(nil, v.args, nil)
	}
	if next.code != 0 {
		l.fail("the next run ends with %d: %s", next.code, next.said)
	}
	l.after(v, next)
	l.clean(v)
}

// clean checks that nothing unfinished is left.
func (l *lab) clean(v *verb) {
	for name := range l.files() {
		if strings.Contains(v.args, "--resume") {
			continue
		}
		if _, was := l.before[name]; !was && !slices.Contains(l.held, name) && (strings.Contains(name, "partial") || strings.Contains(name, ".held")) {
			l.fail("%s is left", name)
		}
	}
}
