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
	return c.pick(1, 50) * len(verbs), func(t *trial) {
		v := &verbs[t.number%len(verbs)]
		t.did = "bulla " + v.args + ", killed"
		l := t.begin(v)
		defer l.close()
		r := l.interrupted(v, syscall.SIGKILL)
		l.after(v, r)
		l.again(v, r)
	}
}

// interrupted runs v and sends it a signal some time later. The code is -1 if that ended it.
func (l *lab) interrupted(v *verb, sig syscall.Signal) result {
	cmd := l.command(nil, v.args)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		l.fail("it does not start: %v", err)
		return result{}
	}
	time.Sleep(time.Duration(l.rand.IntN(60_000)) * time.Microsecond)
	cmd.Process.Signal(sig)
	if sig == syscall.SIGSTOP {
		time.Sleep(5 * time.Millisecond)
		cmd.Process.Signal(syscall.SIGCONT)
	}
	cmd.Wait()
	return l.judge(result{cmd.ProcessState.ExitCode(), errs.String(), out.Bytes()})
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
	const share = 9 // of which the short form tries one
	return c.pick(kinds/share, kinds), func(t *trial) {
		kind := t.number
		if !c.long {
			kind = t.number*share + t.rand.IntN(share)
		}
		v, script := &verbs[kind%len(verbs)], scripts[kind/len(verbs)%len(scripts)]
		t.did = "bulla " + v.args + ", after " + script
		if t.void = !c.long && strings.HasPrefix(v.args, "job run") && t.rand.IntN(4) > 0; t.void { // it tries again for seconds
			return
		}
		if kB, ok := strings.CutPrefix(script, "full "); ok {
			t.fullDisk(v, kB)
			return
		}
		l := t.begin(v)
		defer l.close()
		l.mute = strings.Contains(script, ">&-")
		r := l.run([]string{"sh", "-c", script + `exec "$@"`, "sh"}, v.args, nil)
		l.after(v, r)
		l.clean(v)
	}
}

// fullDisk runs v in a folder on a file system that has so many kB of room left.
func (t *trial) fullDisk(v *verb, kB string) {
	const script = `kB=$1; shift
mkdir ../disk && mount -t tmpfs none ../disk && cp -a . ../disk && mount --move ../disk . && cd "$PWD" &&
	mount -o remount,size=$(($(df -k --output=used . | tail -n1) + kB))k . || exit 99
"$@"; code=$?; cp -a . ../after && exit $code`
	outside := must(os.MkdirTemp(t.dir, t.part))
	defer os.RemoveAll(outside)
	l := &lab{trial: t, dir: filepath.Join(outside, "folder")}
	os.Mkdir(l.dir, 0o700)
	l.prepare(v)
	r := l.run([]string{"unshare", "-rm", "sh", "-c", script, "sh", kB}, v.args, nil)
	if r.code == 99 {
		l.fail("no full disk: %s", r.said)
	}
	os.RemoveAll(l.dir)
	if err := os.Rename(filepath.Join(outside, "after"), l.dir); err != nil {
		l.fail("%v: %s", err, r.said)
	}
	l.after(v, r)
	l.clean(v)
}

// pipes has signals, and pipes that are slow, broken or end early.
func pipes(c *campaign) (int, func(*trial)) {
	return c.pick(60, 3_000), func(t *trial) {
		[]func(*trial){signals, slowly, endsEarly, seenEnough}[t.number%4](t)
	}
}

// signals ends a run by one, or only has it wait.
func signals(t *trial) {
	v := &verbs[t.rand.IntN(len(verbs))]
	l := t.begin(v)
	defer l.close()
	sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGSTOP}[t.rand.IntN(6)]
	t.did = fmt.Sprintf("bulla %s, %v", v.args, sig)
	r := l.interrupted(v, sig)
	l.after(v, r)
	if r.code > 0 && (sig == syscall.SIGSTOP || r.code != 128+int(sig) && sig != syscall.SIGUSR1) {
		l.fail("exit code %d: %s", r.code, r.said)
	}
	if r.code >= 0 || sig == syscall.SIGINT {
		l.clean(v)
	}
}

// slowly has a source that comes in drops.
func slowly(t *trial) {
	v := []struct {
		source string
		verb
	}{
		{"c", verb{args: "decrypt -q --kek kek -o out", out: "out", plain: "out=plain"}},
		{"z", verb{args: "decrypt -q --kek kek -o out -", out: "out", plain: "out=plain"}},
		{"plain", verb{args: "encrypt -q --kek kek -o out", out: "out", check: "verify -q --kek kek out"}},
		{"plain", verb{args: "encrypt -q -z --parity 20% --kek kek -o out", out: "out", check: "verify -q --kek kek out;scrub -q out"}},
		{"large", verb{args: "encrypt -q --volume-size 3M --kek kek -o s2", out: "s2.index", check: "verify -q --kek kek s2"}},
		{"c", verb{args: "verify --kek kek", says: ": ok: "}},
	}[t.rand.IntN(6)]
	l := t.begin(&v.verb)
	defer l.close()
	t.did = "bulla " + v.args + ", from a slow pipe"
	r := l.run(nil, v.args, &drops{t.scene[v.source], t})
	l.after(&v.verb, r)
	if r.code != 0 {
		l.fail("exit code %d: %s", r.code, r.said)
	}
}

// endsEarly has a source whose end is missing.
func endsEarly(t *trial) {
	l := t.begin(new(verb))
	defer l.close()
	at := t.rand.IntN(len(t.scene["z"]))
	t.did = fmt.Sprintf("decrypt from a pipe that ends at %d", at)
	r := l.run(nil, "decrypt -q --kek kek -o out", &drops{t.scene["z"][:at], t})
	if r.code == 0 || l.there("out") {
		l.fail("exit code %d: %s", r.code, r.said)
	}
}

// seenEnough has a reader that goes away.
func seenEnough(t *trial) {
	v := &verbs[t.rand.IntN(len(verbs))]
	for v.says != same {
		v = &verbs[t.rand.IntN(len(verbs))]
	}
	l := t.begin(v)
	defer l.close()
	at := t.rand.IntN(len(l.said) + 1)
	t.did = fmt.Sprintf("bulla %s into a pipe that is closed at %d", v.args, at)
	cmd := l.command([]string{"sh", "-c", `("$@"; echo $? >code) | head -c ` + fmt.Sprint(at) + ` >got`, "sh"}, v.args)
	cmd.Run()
	l.runs.Add(1)
	got, _ := os.ReadFile(l.path("got"))
	code, _ := os.ReadFile(l.path("code"))
	if !bytes.Equal(got, l.said[:at]) || string(code) != "141\n" && string(code) != "0\n" {
		l.fail("%d bytes came, exit code %s", len(got), code)
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
