//go:build unix

package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestDescriptor(t *testing.T) {
	dir := t.TempDir()
	links := 0
	link := func(to string) string {
		links++
		name := filepath.Join(dir, fmt.Sprint("link", links))
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	type want struct {
		n  int
		ok bool
	}
	cases := map[string]want{
		"/dev/stdin":                     {0, true},
		"/dev/stdout":                    {1, true},
		"/dev//stderr":                   {2, true},
		"/dev/fd/0":                      {0, true},
		"/dev/fd/63":                     {63, true}, // open or not
		"/dev/../dev/fd/4":               {4, true},
		link("/dev/stdin"):               {0, true},
		link(link("/dev/fd/12")):         {12, true},
		"":                               {},
		"-":                              {},
		"stdin":                          {},
		"0":                              {},
		"/dev/null":                      {},
		"/dev/fd":                        {},
		"/dev/fd/":                       {},
		"/dev/fd/-1":                     {},
		"/dev/fd/+1":                     {},
		"/dev/fd/01":                     {},
		"/dev/fd/1x":                     {},
		"/dev/fd/9999999999999999999999": {},
		filepath.Join(dir, "0"):          {},
	}
	if runtime.GOOS == "linux" {
		pid := os.Getpid()
		cases["/proc/self/fd/0"] = want{0, true}
		cases["/proc/thread-self/fd/7"] = want{7, true}
		cases[fmt.Sprintf("/proc/%d/fd/3", pid)] = want{3, true}
		cases[fmt.Sprintf("/proc/%d/task/%d/fd/3", pid, pid)] = want{3, true}
		cases["/proc/1/fd/3"] = want{} // of another process
		fds := filepath.Join(dir, "fds")
		if err := os.Symlink("/proc/self/fd", fds); err != nil {
			t.Fatal(err)
		}
		cases[filepath.Join(fds, "5")] = want{5, true}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	cases[loop] = want{}
	for name, want := range cases {
		if n, ok := descriptor(name); ok != want.ok || ok && n != want.n {
			t.Errorf("%q: descriptor %d, %v; want %v", name, n, ok, want)
		}
	}
}

// TestInherited runs itself with descriptor 3 and without it, with a file of its
// own open.
func TestInherited(t *testing.T) {
	const env = "TEST_STORAGE_INHERITED"
	if os.Getenv(env) != "" {
		own, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		defer own.Close()
		run := &Run{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
		r, w, err := os.Pipe() // starts the runtime's poller
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		for n := -2; n < 10; n++ { // its own files get the lowest numbers
			f, err := run.OpenDescriptor(n)
			if err != nil {
				if !errors.Is(err, ErrNotInherited) {
					t.Errorf("%d: %v", n, err)
				}
				continue
			}
			if n > 2 {
				text, err := io.ReadAll(f)
				fmt.Printf("%d has %q, %v\n", n, text, err)
			}
			f.Close()
		}
		return
	}
	for n := 3; n < 10; n++ { // what the test itself was passed is not for the program
		syscall.CloseOnExec(n)
	}
	for _, passed := range []bool{true, false} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestInherited$")
		cmd.Env = append(os.Environ(), env+"=1")
		want := ""
		if passed {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			w.WriteString("secret")
			w.Close()
			defer r.Close()
			cmd.ExtraFiles = []*os.File{r}
			want = "3 has \"secret\", <nil>\n"
		}
		out, err := cmd.CombinedOutput()
		has, _, pass := strings.Cut(string(out), "PASS\n") // with -cover there is more to come
		if err != nil || has != want || !pass {
			t.Errorf("with descriptor 3 %v: %v, %q", passed, err, out)
		}
	}
}
