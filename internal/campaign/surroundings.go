//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kills ends runs at any time.
func kills(c *campaign) (int, func(*trial)) {
	return c.pick(3, 100) * len(verbs), func(t *trial) {
		v := &verbs[t.number%len(verbs)]
		t.did = "bulla " + v.args + ", killed"
		l := t.lab(v.needs()...)
		defer l.close()
		r := l.interrupted(v, syscall.SIGKILL)
		l.after(v, r)
		l.again(v, r)
	}
}

// interrupted runs v and sends it a signal some time later. The code is -1 if that ended it.
func (l *lab) interrupted(v *verb, sig syscall.Signal) result {
	cmd := l.command(nil, v.args)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		l.fail("it does not start: %v", err)
		return result{}
	}
	time.Sleep(time.Duration(l.rand.IntN(60_000)) * time.Microsecond)
	cmd.Process.Signal(sig)
	cmd.Wait()
	return l.judge(result{cmd.ProcessState.ExitCode(), errs.String(), nil})
}

// limits has the system refuse room, descriptors and standard streams.
func limits(c *campaign) (int, func(*trial)) {
	full := exec.Command("unshare", "-rm", "true").Run() == nil
	if !full {
		fmt.Println("limits: no full disks: unshare -rm does not work here")
	}
	var scripts []string
	for _, kB := range []int{0, 4, 64, 200, 303, 304, 400} {
		scripts = append(scripts, fmt.Sprintf("ulimit -f %d; ", kB*2)) // of 512 bytes
		if full {
			scripts = append(scripts, fmt.Sprintf("full %d", kB))
		}
	}
	for n := 9; n < 16; n++ { // the Go runtime itself takes a few
		scripts = append(scripts, fmt.Sprintf("ulimit -n %d; ", n))
	}
	for _, fds := range []string{"<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", "<&- 2>&-", "</dev/null >/dev/full 2>/dev/full"} {
		scripts = append(scripts, "exec "+fds+"; ")
	}
	kinds := len(verbs) * len(scripts)
	return c.pick(kinds/3, kinds), func(t *trial) {
		kind := t.number
		if !c.long {
			kind = t.number*3 + t.rand.IntN(3)
		}
		v, script := &verbs[kind%len(verbs)], scripts[kind/len(verbs)%len(scripts)]
		t.did = "bulla " + v.args + ", after " + script
		l := t.lab(v.needs()...)
		defer l.close()
		if kB, ok := strings.CutPrefix(script, "full "); ok {
			l.fullDisk(v, kB)
			return
		}
		r := l.run([]string{"sh", "-c", script + `exec "$@"`, "sh"}, v.args, nil)
		l.after(v, r)
		l.clean(v)
	}
}

// clean checks that a run which ended by itself has left nothing unfinished.
func (l *lab) clean(v *verb) {
	for _, e := range must(os.ReadDir(l.dir)) {
		if strings.Contains(e.Name(), "partial") && !strings.Contains(v.args, "--resume") {
			l.fail("%s is left", e.Name())
		}
	}
}

// fullDisk runs v with its output on a file system with so many kB of room.
func (l *lab) fullDisk(v *verb, kB string) {
	if v.out == "" {
		l.void = true
		return
	}
	os.Mkdir(l.path("small"), 0o700)
	script := `mount -t tmpfs -o size=` + kB + `k none small || exit 99
if [ ` + kB + ` = 0 ]; then head -c 1G /dev/zero >small/filler 2>/dev/null; fi
"$@"; code=$?; rm -f small/filler; cp -a small copy; exit $code`
	if kB == "0" {
		script = strings.Replace(script, "size=0k", "size=4k", 1) // 0 is no limit
	}
	r := l.run([]string{"unshare", "-rm", "sh", "-c", script, "sh"}, strings.Replace(v.args, " out", " small/out", 1), nil)
	moved := *v
	moved.out = filepath.Join("copy", "out")
	moved.check = strings.Replace(v.check, " out", " copy/out", 1)
	l.after(&moved, r)
	for _, e := range must(os.ReadDir(l.path("copy"))) {
		if e.Name() != "out" && !strings.Contains(v.args, "--resume") {
			l.fail("exit code %d, and %s is left on the full disk: %s", r.code, e.Name(), r.said)
		}
	}
}

// pipes has signals, and pipes that are slow, broken or end early.
func pipes(c *campaign) (int, func(*trial)) {
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1}
	return c.pick(60, 2_000), func(t *trial) {
		v := &verbs[t.rand.IntN(len(verbs))]
		l := t.lab(v.needs()...)
		defer l.close()
		switch t.number % 4 {
		case 0:
			sig := signals[t.rand.IntN(len(signals))]
			t.did = fmt.Sprintf("bulla %s, %v", v.args, sig)
			r := l.interrupted(v, sig)
			l.after(v, r)
			if r.code >= 0 && r.code != 0 && r.code != 128+int(sig) && sig != syscall.SIGUSR1 {
				l.fail("exit code %d: %s", r.code, r.said)
			}
			if r.code >= 0 || sig == syscall.SIGINT {
				l.clean(v)
			}
		case 1: // a source that comes in drops
			t.did = "decrypt from a slow pipe"
			r := l.run(nil, "decrypt -q --kek kek -o out", &drops{t.scene["c"], t})
			l.after(&verb{args: t.did, out: "out"}, r)
			if r.code != 0 {
				l.fail("exit code %d: %s", r.code, r.said)
			}
		case 2: // a source that ends early
			at := t.rand.IntN(len(t.scene["z"]))
			t.did = fmt.Sprintf("decrypt from a pipe that ends at %d", at)
			r := l.run(nil, "decrypt -q --kek kek -o out", &drops{t.scene["z"][:at], t})
			l.after(&verb{args: t.did, out: "out"}, r)
			if r.code == 0 {
				l.fail("exit code 0")
			}
		case 3: // a reader that has seen enough
			at := t.rand.IntN(250_000)
			t.did = fmt.Sprintf("cat into a pipe that is closed at %d", at)
			cmd := l.command([]string{"sh", "-c", `("$@"; echo $? >code) | head -c ` + fmt.Sprint(at) + ` >got`, "sh"}, "cat -q --kek kek c")
			l.put("c")
			l.put("kek")
			cmd.Run()
			got, _ := os.ReadFile(l.path("got"))
			code, _ := os.ReadFile(l.path("code"))
			if !bytes.Equal(got, t.scene["plain"][:at]) || string(code) != "141\n" && string(code) != "0\n" {
				l.fail("%d bytes came, exit code %s", len(got), code)
			}
		}
	}
}

// drops gives its bytes in pieces of any size, with pauses now and then.
type drops struct {
	rest []byte
	t    *trial
}

func (d *drops) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	if d.t.rand.IntN(8) == 0 {
		time.Sleep(time.Millisecond)
	}
	n := copy(p, d.rest[:min(len(d.rest), 1+d.t.rand.IntN(20_000))])
	d.rest = d.rest[n:]
	return n, nil
}

// agree compares the two readers over mutants, which the tests of the vectors do.
func agree(c *campaign) (int, func(*trial)) {
	return 1, func(t *trial) {
		n := c.pick(500, 200_000)
		t.did = fmt.Sprintf("go test -run TestReadersAgree, with %d mutants", n)
		cmd := exec.Command("go", "test", "-count=1", "-timeout=6h", "-run", "TestReadersAgree", "./internal/vectors")
		cmd.Dir, cmd.Env = c.root, append(os.Environ(), fmt.Sprintf("BULLA_MUTANTS=%d", n))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.fail("%v\n%s", err, out)
		}
	}
}
