package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bulla/format"
	"bulla/internal/interrupt"
	"bulla/internal/storage"
	"bulla/keyslot"
)

// tests are those of this process, which the programs that they run are copies of.
type tests struct{ *testing.M }

// Run runs them so that a program finds no signal ignored, as SIGHUP is under nohup:
// what is caught here has its default action there.
func (m tests) Run() int {
	for _, sig := range interrupt.Signals {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	return m.M.Run()
}

func TestMain(m *testing.M) {
	// Under the race detector every process would sleep for a second at its end.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	testscript.Main(tests{m}, map[string]func(){
		"bulla": func() {
			a := newApp(stdio{os.Stdin, os.Stdout, os.Stderr})
			if os.Getenv("TEST_REAL_PASSPHRASE_COST") == "" {
				a.passphraseCost = &keyslot.PassphraseOptions{KiB: 32, Passes: 1}
			}
			if at, err := time.Parse(time.RFC3339, os.Getenv("TEST_NOW")); err == nil {
				a.now = func() time.Time { return at }
			}
			code := a.run(os.Args[1:])
			if code == exitInterrupted {
				interrupt.Die()
			}
			os.Exit(code)
		},
		"bulla-main":      main,
		"age-plugin-test": agePluginTest,
	})
}

// TestScript runs one scenario for each file of testdata/script. Beside the
// usual commands there are
//
//	exit CODE PROG ARGS…   runs a program that must end with that code
//	flip FILE OFFSET       changes one bit; a negative offset counts from the end
//	cut FILE SIZE          truncates; a negative size counts from the end
//	graft FILE PLACE FROM  puts FROM's head or tail (PLACE) in the place of FILE's
//	zeros FILE SIZE        makes a file of zero bytes
//	size FILE SIZE         checks a size
//	mode FILE MODE         checks the permissions, in octal digits
//	only DIR NAME…         checks that a directory holds these names and no others
//	holding FILE           waits until an unfinished FILE is there
//	tpm WHAT               starts an emulated TPM, or does something to it
//	loop FILE              makes a block device of a file, $LOOP
//	https                  serves the folder as $HTTPS
//	s3 [FLAG…]             starts an S3 server with the bucket s3://bucket, a folder in $S3DIR
//	s3 lock KEY            locks s3://locked/KEY
//
// and the conditions root, mounts (it may make mounts of its own), loops (it may
// make block devices) and missing:PROG.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("BULLA_CONFIG_DIR", filepath.Join(e.WorkDir, ".config"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("BULLA_TPM", filepath.Join(e.WorkDir, "no-tpm"))                         // not the machine's own
			e.Setenv("AGE", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p") // a recipient
			reader, err := filepath.Abs("../../spec/reader/bulla.mjs")
			e.Setenv("READER", reader) // which node runs
			return err
		},
		Condition: func(name string) (bool, error) {
			if tool, ok := strings.CutPrefix(name, "missing:"); ok {
				return missing(t, tool), nil
			}
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "mounts":
				return canMount(t), nil
			case "loops":
				return canLoop(t), nil
			}
			return false, fmt.Errorf("no condition is called %s", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit":    exitCmd,
			"flip":    flipCmd,
			"cut":     cutCmd,
			"graft":   graftCmd,
			"zeros":   zerosCmd,
			"size":    sizeCmd,
			"mode":    modeCmd,
			"only":    onlyCmd,
			"holding": holdingCmd,
			"tpm":     tpmCmd(t),
			"loop":    loopCmd,
			"https":   httpsCmd,
			"s3":      s3Cmd(t),
		},
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
	})
}

// missing reports whether a program is not here. Where tests run for everybody it
// must be.
func missing(t *testing.T, tool string) bool {
	_, err := exec.LookPath(tool)
	if err != nil && os.Getenv("CI") == "true" {
		t.Errorf("%s is not here, so what it is needed for is not tested", tool)
	}
	return err != nil
}

// canMount reports whether scripts may mount file systems, in a namespace of
// their own. Where tests run for everybody they must.
func canMount(t *testing.T) bool {
	if runtime.GOOS != "linux" {
		return false
	}
	ok := exec.Command("unshare", "-rm", "true").Run() == nil
	if !ok && os.Getenv("CI") == "true" {
		t.Error("unshare -rm does not work here, so full and read-only disks are not tested")
	}
	return ok
}

// canLoop reports whether scripts may make block devices of files. Where tests run
// for everybody they must.
func canLoop(t *testing.T) bool {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return false
	}
	ok := exec.Command("losetup", "--find").Run() == nil
	if !ok && os.Getenv("CI") == "true" {
		t.Error("losetup finds no device here, so failing devices are not tested")
	}
	return ok
}

// loopCmd makes a block device of a file. What the file loses afterwards, the
// device cannot read: it fails as a disk with bad sectors does.
func loopCmd(ts *testscript.TestScript, _ bool, args []string) {
	out, err := exec.Command("losetup", "--find", "--show", ts.MkAbs(args[0])).Output()
	ts.Check(err)
	device := strings.TrimSpace(string(out))
	ts.Defer(func() { exec.Command("losetup", "--detach", device).Run() })
	ts.Setenv("LOOP", device)
}

// exitCmd runs a program, through env so that it is found like every other, and
// checks how it ends.
func exitCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE PROG ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := err.(*exec.ExitError); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func number(ts *testscript.TestScript, s string) int64 {
	n, err := strconv.ParseInt(s, 0, 64)
	ts.Check(err)
	return n
}

func flipCmd(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	at := number(ts, args[1])
	if at < 0 {
		at += int64(len(b))
	}
	b[at] ^= 0x10
	ts.Check(os.WriteFile(name, b, 0o600))
}

func cutCmd(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	n := number(ts, args[1])
	if n < 0 {
		st, err := os.Stat(name)
		ts.Check(err)
		n += st.Size()
	}
	ts.Check(os.Truncate(name, n))
}

// graftCmd puts the head or the tail of a file in the place of another's.
func graftCmd(ts *testscript.TestScript, _ bool, args []string) {
	to, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	from, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	h, err := format.ParseHead(from)
	ts.Check(err)
	n := h.HeadSize()
	if args[1] == "head" {
		copy(to, from[:n])
	} else {
		copy(to[len(to)-n:], from[len(from)-n:])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), to, 0o600))
}

func zerosCmd(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), make([]byte, number(ts, args[1])), 0o600))
}

func sizeCmd(ts *testscript.TestScript, _ bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if want := number(ts, args[1]); st.Size() != want {
		ts.Fatalf("%s has %d bytes, want %d", args[0], st.Size(), want)
	}
}

func modeCmd(ts *testscript.TestScript, _ bool, args []string) {
	if runtime.GOOS == "windows" {
		return
	}
	st, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(st.Mode().Perm()), 8); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

func onlyCmd(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := append([]string{}, args[1:]...)
	if got := strings.Join(names, " "); got != strings.Join(want, " ") {
		ts.Fatalf("%s holds %s, want %s", args[0], got, strings.Join(want, " "))
	}
}

// holdingCmd waits until a run in the background has begun to write a file.
func holdingCmd(ts *testscript.TestScript, _ bool, args []string) {
	for range 12_000 { // two minutes
		st, err := os.Stat(storage.PartialPath(ts.MkAbs(args[0])))
		if err == nil && st.Size() > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("nothing is writing %s", args[0])
}
