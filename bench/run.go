//go:build unix

package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A place is where files lie: on a disk, or in memory. A disk may be slowed down to write at most
// rate bytes a second.
type place struct {
	name, dir string
	rate      int64 // 0: as it is
}

// A run is what a command took.
type run struct {
	took, cpu time.Duration
	peak      int64 // bytes of memory of the largest process
	output    int64 // bytes of the file "out"
}

// in runs the cases of one place and gives each to done. One that fails is left out,
// and what the error returned is about.
func (p place) in(n int64, filter *regexp.Regexp, done func(Case)) error {
	var wanted []pair
	for _, c := range cases(p.name, n) {
		if c.name = p.name + "/" + c.name; filter.MatchString(c.name) {
			wanted = append(wanted, c)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(p.dir, "bulla-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer once(dir, "fusermount3 -q -u -z m; gpgconf --kill gpg-agent") // whether they run or not
	var lines strings.Builder
	for _, c := range wanted {
		fmt.Fprintln(&lines, c.ours, c.theirs)
	}
	if err := prepare(dir, n, lines.String()); err != nil {
		return err
	}
	if p.rate > 0 {
		undo, err := slow(dir, p.rate)
		if err != nil {
			for _, c := range wanted {
				done(Case{Name: c.name, Table: c.table, LeftOut: err.Error()})
			}
			return nil
		}
		defer undo()
	}
	var failed []error
	for _, c := range wanted {
		result, err := c.compare(dir)
		if err != nil {
			result.LeftOut = "it failed"
			failed = append(failed, fmt.Errorf("%s: %w", c.name, err))
		}
		done(result)
	}
	return errors.Join(failed...)
}

// prepare builds the command into dir, makes a key, n random bytes, and the inputs that lines name.
func prepare(dir string, n int64, lines string) error {
	if err := build(dir); err != nil {
		return err
	}
	in, err := os.Create(filepath.Join(dir, "in"))
	if err != nil {
		return err
	}
	_, err = io.CopyN(in, rand.Reader, n)
	if err := errors.Join(err, in.Close()); err != nil {
		return err
	}
	var needed []string
	for _, i := range slices.Backward(inputs(n)) { // each is made of earlier ones
		if strings.Contains(lines, i.name) && (i.tool == "" || missing(i.tool) == "") {
			needed = append(needed, i.line)
			lines += i.line
		}
	}
	needed = append(needed, "bulla keygen -o key 2>/dev/null && bulla keygen -y key >key.pub")
	for _, line := range slices.Backward(needed) {
		if _, err := once(dir, line); err != nil {
			return err
		}
	}
	return nil
}

// build builds the command into dir.
func build(dir string) error {
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bulla"), "bulla/cmd/bulla")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the README has it
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the command: %w: %s", err, out)
	}
	return nil
}

// compare times the two commands in turn. The first round warms up and does not count.
func (p pair) compare(dir string) (Case, error) {
	c := Case{Name: p.name, Table: p.table, AtLeast: p.goal, RateAbove: p.rate}
	for tool := range strings.FieldsSeq(p.tool) {
		if c.LeftOut = missing(tool); c.LeftOut != "" {
			return c, nil
		}
	}
	st, err := os.Stat(filepath.Join(dir, cmp.Or(p.input, "in")))
	if err != nil {
		return c, err
	}
	c.Size = st.Size()
	var runs [2][]run
	for i := range *rounds + 1 {
		for k, line := range []string{p.ours, p.theirs} {
			r, err := once(dir, line)
			if err != nil {
				return c, err
			}
			if i > 0 {
				runs[k] = append(runs[k], r)
			}
		}
	}
	c.compared(sideOf(p.ours, runs[0]), sideOf(p.theirs, runs[1]))
	return c, nil
}

// once runs a command line in dir, where no output is.
func once(dir, line string, env ...string) (run, error) {
	old, _ := filepath.Glob(filepath.Join(dir, "out*")) // and the parts of a set
	for _, name := range old {
		if err := os.RemoveAll(name); err != nil {
			return run{}, err
		}
	}
	if mounted := filepath.Join(dir, "m", "in"); strings.Contains(line, "m/in") {
		exec.Command("dd", "if="+mounted, "iflag=nocache", "count=0", "status=none").Run() // what the kernel keeps of a mount
	}
	syscall.Sync() // earlier runs' writes are not this one's
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"),
		"BULLA_CONFIG_DIR="+dir, "GNUPGHOME="+filepath.Join(dir, "gnupg"), "RCLONE_CONFIG="+filepath.Join(dir, "rclone.conf"))
	cmd.Env = append(cmd.Env, env...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	r := run{took: time.Since(start)}
	if err != nil {
		return r, fmt.Errorf("%s: %w: %s", line, err, out)
	}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	r.peak = int64(usage.Maxrss) << 10 // its type varies
	if st, err := os.Stat(filepath.Join(dir, "out")); err == nil && st.Mode().IsRegular() {
		r.output = st.Size()
	}
	return r, nil
}
