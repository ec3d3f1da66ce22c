//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bulla/format"
)

// A lab is a folder of its own for one trial, with the files of the scene in it.
type lab struct {
	*trial
	dir    string
	before map[string][]byte // the files that were there when the verb began
	held   []string          // and the outputs, without a name yet, of a job that was planned
	said   []byte            // what it says if nothing is done to it
	mute   bool              // standard output is closed, which Go takes for /dev/null
}

// A result is how a run ended.
type result struct {
	code int
	said string // on standard error
	out  []byte // on standard output
}

// setUp makes the scene, by the program itself: the folder that every run begins with.
func (c *campaign) setUp() error {
	c.scene = make(map[string][]byte)
	dir := filepath.Join(c.dir, "scene")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	write := func(name string, b []byte) { os.WriteFile(filepath.Join(dir, name), b, 0o600) }
	plain := text(7, 300_000)
	write("plain", plain)
	write("kek", bytes.Repeat([]byte{0x80}, 32))
	write("kek2", bytes.Repeat([]byte{0x81}, 32))
	commands := `encrypt -q --kek kek -o c plain; encrypt -q -z --kek kek -o z plain; encrypt -q --kek kek --kek kek2 -o both plain
encrypt -q --kek kek --volume-size 3M -o s large; encrypt -q --kek kek --parity 20% -o damaged plain; encrypt -q --kek kek -o torn plain
encrypt -q --kek kek -o other otherplain; keygen -q -o key; encrypt -q --kek kek --parity 20% -o p plain; encrypt -q --kek kek -o m medium`
	write("large", text(8, 4<<20))
	write("medium", text(10, format.SegmentSize+format.ChunkSize))
	write("otherplain", text(9, 300_000))
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, c.env(dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s %v: %w: %s", filepath.Base(name), args, err, out)
		}
		return nil
	}
	for _, line := range strings.FieldsFunc(commands, func(r rune) bool { return r == ';' || r == '\n' }) {
		if err := run(c.bulla, strings.Fields(line)...); err != nil {
			return err
		}
	}
	err := errors.Join(run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ssh"),
		run("tar", "--transform", "s,plain,out,", "-cf", "tar", "plain"), run(c.bulla, "encrypt", "-q", "--kek", "kek", "-o", "t", "tar"))
	if err != nil {
		return err
	}
	spoil := func(name string, at int) {
		path := filepath.Join(dir, name)
		b := must(os.ReadFile(path))
		clear(b[(at+len(b))%len(b):][:600])
		os.WriteFile(path, b, 0o600)
	}
	spoil("torn", -600)
	spoil("damaged", 100_000)
	for _, e := range must(os.ReadDir(dir)) {
		if e.Type().IsRegular() {
			c.scene[e.Name()] = must(os.ReadFile(filepath.Join(dir, e.Name())))
		}
	}
	return nil
}

func (c *campaign) env(dir string) []string {
	return append(os.Environ(), "BULLA_CONFIG_DIR="+filepath.Join(dir, ".config"), "BULLA_TPM="+filepath.Join(dir, "no-tpm"))
}

// begin makes the folder for v, up to where v itself is run.
func (t *trial) begin(v *verb) *lab {
	l := &lab{trial: t, dir: must(os.MkdirTemp(t.dir, t.part))}
	l.prepare(v)
	return l
}

// prepare puts into the folder the files of the scene that runs of v name, with the parts and
// the parity files that belong to them, and makes the first runs.
func (l *lab) prepare(v *verb) {
	named := strings.FieldsFunc(v.args+" "+v.first+" "+v.check+" kek kek2", func(r rune) bool { return r == ' ' || r == ';' })
	for name, b := range l.scene {
		if owner, _, _ := strings.Cut(name, "."); slices.Contains(named, owner) {
			os.WriteFile(l.path(name), b, 0o600)
		}
	}
	for _, args := range runsOf(v.first) {
		if r := l.run(nil, args, nil); r.code != 0 {
			l.fail("bulla %s ends with %d: %s", args, r.code, r.said)
		}
	}
	if v.says == same {
		l.said = l.run(nil, v.args, nil).out
	}
	l.before = l.files()
	maps.DeleteFunc(l.before, func(name string, _ []byte) bool { // the output of a job is no input
		held := strings.Contains(name, ".held")
		if held {
			l.held = append(l.held, name)
		}
		return held
	})
}

// files is all that the folder has.
func (l *lab) files() map[string][]byte {
	all := make(map[string][]byte)
	filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(l.dir, path)
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(name, ".config") && !strings.HasPrefix(name, "tree") {
			all[name], err = os.ReadFile(path)
		}
		return err
	})
	return all
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) close() { os.RemoveAll(l.dir) }

// words is the command line of args.
func (l *lab) words(args string) []string {
	key, _, _ := bytes.Cut(l.scene["key"][bytes.Index(l.scene["key"], []byte("age1pq")):], []byte("\n"))
	year := time.Now().UTC().Year()
	return strings.Fields(strings.NewReplacer("RECIPIENT", string(key), "YEAR", strconv.Itoa(year), "NEXT", strconv.Itoa(year+1)).Replace(args))
}

// command is bulla in the folder, run by another program if there is one.
func (l *lab) command(by []string, args string) *exec.Cmd {
	line := append(append(slices.Clone(by), l.bulla), l.words(args)...)
	cmd := exec.CommandContext(context.Background(), line[0], line[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = l.dir, l.env(l.dir), time.Minute
	return cmd
}

// run runs it to its end.
func (l *lab) run(by []string, args string, stdin io.Reader) result {
	cmd := l.command(by, args)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		l.fail("it does not start: %v", err)
	}
	return l.judge(result{cmd.ProcessState.ExitCode(), errs.String(), out.Bytes()})
}

// judge checks what holds of every run: it ends as the documentation says, and does not
// blame itself.
func (l *lab) judge(r result) result {
	l.runs.Add(1)
	for _, word := range []string{"panic:", "goroutine ", "fatal error:", "internal error", "report it"} {
		if strings.Contains(r.said, word) {
			l.fail("%s in what it said: %.2000s", word, r.said)
		}
	}
	if r.code == 2 {
		l.fail("exit code 2: %s", r.said)
	}
	return r
}

// after judges what a run of v has left, given how it ended.
func (l *lab) after(v *verb, r result) {
	for name, was := range l.before {
		if b, err := os.ReadFile(l.path(name)); !slices.Contains(strings.Fields(v.changes), name) && (err != nil || !bytes.Equal(b, was)) {
			l.fail("it harmed %s: %v", name, err)
		}
	}
	l.works(v.keeps, r)
	if v.says != "" && r.code == 0 && !l.mute && (v.says == same && !bytes.Equal(r.out, l.said) || v.says != same && !regexp.MustCompile(v.says).Match(r.out)) {
		l.fail("exit code 0, and that is not what it has to say: %q", r.out)
	}
	if r.code == 0 || v.out != "" && l.there(v.out) {
		l.done(v, r)
	}
	if r.code > 0 && r.code != 6 && v.out != "" && l.there(v.out) && !strings.Contains(r.said, "complete") && !strings.Contains(r.said, "may not be safe") && !strings.Contains(r.said, "may lose it") {
		l.fail("exit code %d, and %s has its name: %s", r.code, v.out, r.said)
	}
}

// works makes runs that have to succeed after r, or to fail if they begin with "!", or to end as
// they like with "?". What cat gives is the plaintext.
func (l *lab) works(runs string, r result) bool {
	for _, args := range runsOf(runs) {
		args, not := strings.CutPrefix(args, "! ")
		args, either := strings.CutPrefix(args, "? ")
		c := l.run(nil, args, nil)
		if (c.code == 0) == not && !either || strings.HasPrefix(args, "cat -q -o - ") && !not && !bytes.Equal(c.out, l.scene["plain"]) {
			l.fail("exit code %d: %s\n     and then bulla %s ends with %d: %s", r.code, r.said, args, c.code, c.said)
			return false
		}
	}
	return true
}

// done judges the output of a run, whole or not at all.
func (l *lab) done(v *verb, r result) {
	if !l.works(v.check, r) || v.plain == "" {
		return
	}
	name, of, _ := strings.Cut(v.plain, "=")
	path := l.path(name)
	if st, err := os.Stat(path); err == nil && st.IsDir() { // of extract
		path = filepath.Join(path, "out")
		if _, err := os.Stat(path); err != nil && r.code != 0 {
			return
		}
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, l.scene[of]) {
		l.fail("exit code %d, and the output is %d bytes, %v, not the plaintext: %s", r.code, len(b), err, r.said)
	}
}

func (l *lab) there(name string) bool {
	st, err := os.Lstat(l.path(name))
	if err != nil || !st.IsDir() {
		return err == nil
	}
	_, err = os.Lstat(filepath.Join(l.path(name), "out"))
	return err == nil
}
