//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A verb is a run of bulla that writes something, in a folder like the scene.
type verb struct {
	args  string
	reads []string // files that stay as they are
	out   string   // what it makes; "" if it changes a file in place
	opens string   // the file that it changes in place, which opens at any time
	check string   // another run, which ends with 0 if the work was done; "" if out is a plaintext
	plain string   // that plaintext; "plain" if empty
}

var verbs = []verb{
	{args: "encrypt -q --kek kek -o out plain", reads: []string{"plain", "kek"}, out: "out", check: "verify -q --kek kek out"},
	{args: "encrypt -q -z --verify --kek kek -o out plain", reads: []string{"plain", "kek"}, out: "out", check: "verify -q --kek kek out"},
	{args: "encrypt -q --force --kek kek -o out plain", reads: []string{"plain", "kek"}, out: "out", check: "verify -q --kek kek out"},
	{args: "decrypt -q --kek kek -o out c", reads: []string{"c", "kek"}, out: "out"},
	{args: "decrypt -q --resume --kek kek -o out z", reads: []string{"z", "kek"}, out: "out"},
	{args: "cat -q --kek kek -o out s", reads: []string{"s", "s.000000", "s.000001", "s.000002", "s.index", "kek"}, out: "out", plain: "large"},
	{args: "extract -q --kek kek t out", reads: []string{"t", "kek"}, out: "out"},
	{args: "salvage -q --kek kek -o out c", reads: []string{"c", "kek"}, out: "out"},
	{args: "head export -q --kek kek -o out c", reads: []string{"c"}, out: "out", check: "inspect -q out"},
	{args: "parity create -q -o out c", reads: []string{"c"}, out: "out", check: "scrub -q --parity-file out c"},
	{args: "repair -q -o out damaged", reads: []string{"damaged", "damaged.parity"}, out: "out", check: "verify -q --kek kek out"},
	{args: "sign -q --key ssh c", reads: []string{"c", "ssh"}, out: "c.sig", check: "sign --statement c"},
	{args: "grant -q --range 100-2000 -r RECIPIENT -o out --kek kek c", reads: []string{"c", "kek"}, out: "out", check: "inspect -q out"},
	{args: "keygen -q -o out", out: "out", check: "keygen -y out"},
	{args: "recipients add -q --open-kek kek --kek kek2 c", opens: "c", check: "verify -q --kek kek2 c"},
	{args: "recipients remove -q --open-kek kek --kek kek2 both", opens: "both", check: "verify -q --kek kek both"},
	{args: "recipients repair -q --kek kek torn", opens: "torn", check: "verify -q --kek kek torn"},
	{args: "repair -q --kek kek -i key damaged", reads: []string{"damaged.parity", "kek"}, check: "verify -q --kek kek damaged"},
}

// A lab is a folder of its own for one trial, with the files of the scene in it.
type lab struct {
	*trial
	dir string
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
encrypt -q --kek kek -o other otherplain; keygen -q -o key`
	write("large", text(8, 4<<20))
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

// lab makes the folder of a trial, with some files of the scene in it.
func (t *trial) lab(names ...string) *lab {
	l := &lab{t, must(os.MkdirTemp(t.dir, t.part))}
	for _, name := range names {
		l.put(name)
	}
	return l
}

func (l *lab) put(name string) { os.WriteFile(l.path(name), l.scene[name], 0o600) }

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) close() { os.RemoveAll(l.dir) }

// needs are the files that a verb begins with.
func (v *verb) needs() []string {
	names := append(slices.Clone(v.reads), "kek", "kek2", "key", "damaged.parity")
	if v.opens != "" {
		names = append(names, v.opens)
	}
	if v.check == "verify -q --kek kek damaged" {
		names = append(names, "damaged")
	}
	return names
}

// words is the command line of args.
func (l *lab) words(args string) []string {
	key, _, _ := bytes.Cut(l.scene["key"][bytes.Index(l.scene["key"], []byte("age1pq")):], []byte("\n"))
	return strings.Fields(strings.ReplaceAll(args, "RECIPIENT", string(key)))
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
	for _, name := range v.reads {
		if b, err := os.ReadFile(l.path(name)); err != nil || !bytes.Equal(b, l.scene[name]) {
			l.fail("it harmed %s, which it reads: %v", name, err)
		}
	}
	if v.opens != "" {
		if c := l.run(nil, "cat -q -o - --kek kek "+v.opens, nil); c.code != 0 || !bytes.Equal(c.out, l.scene["plain"]) {
			l.fail("%s does not open any more: %s", v.opens, c.said)
		}
	}
	if r.code == 0 || v.out != "" && l.there(v.out) {
		l.done(v, r)
	}
	if r.code > 0 && v.out != "" && l.there(v.out) && !strings.Contains(r.said, "complete") && !strings.Contains(r.said, "may not be safe") && !strings.Contains(r.said, "may lose it") {
		l.fail("exit code %d, and %s has its name: %s", r.code, v.out, r.said)
	}
}

// done judges the output of a run, whole or not at all.
func (l *lab) done(v *verb, r result) {
	if v.check != "" {
		if c := l.run(nil, v.check, nil); c.code != 0 {
			l.fail("exit code %d, and not all of it is there: %s%s", r.code, r.said, c.said)
		}
		return
	}
	want := l.scene[cmp.Or(v.plain, "plain")]
	path := l.path(v.out)
	if st, err := os.Stat(path); err == nil && st.IsDir() { // of extract
		path = filepath.Join(path, "out")
		if _, err := os.Stat(path); err != nil && r.code != 0 {
			return
		}
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
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
