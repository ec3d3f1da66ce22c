package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"bulla/internal/mount"
	"bulla/internal/safetext"
)

type mountFlags struct {
	randomFlags
	background bool
}

func mountCommand(a *app) *cobra.Command {
	m := &mountFlags{}
	cmd := newVerb("mount FILE DIR", "Show what a file holds as a directory, read-only", takes(2, 2, "the name of a file, and of a directory to show it at", "bulla mount backup.tar.bulla DIR"),
		func(cmd *cobra.Command, args []string) error {
			if m.background && os.Getenv(envShows) == "" {
				return a.inBackground(cmd.Context())
			}
			return a.mount(cmd, m, args[0], args[1])
		})
	cmd.Flags().BoolVar(&m.background, "background", false, "return when it is shown, and print the number of the process that shows it")
	m.randomFlags.register(a, cmd)
	m.grantFlag.register(cmd)
	return cmd
}

// shown is what mount --json says.
type shown struct {
	safetext.InputField
	Directory safetext.Name `json:"directory"`
	PID       int           `json:"pid"`
}

func (a *app) mount(cmd *cobra.Command, m *mountFlags, name, dir string) error {
	_, err := os.ReadDir(dir) // what the kernel knows of it without asking does not tell
	if errors.Is(err, syscall.ENOTCONN) {
		return refuse("fusermount3 -u "+safetext.Shell(dir)+" takes it away", "a run of bulla that was killed left a mount at %s", safetext.Name(dir))
	} else if err != nil {
		return withHint(err, "name an empty directory")
	}
	l, err := a.look(cmd, &m.randomFlags, name)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	defer a.left.Add(func() { <-ended })() // however this program ends, it does not before it is unmounted
	defer close(ended)
	err = mount.Show(cmd.Context(), dir, "bulla:"+filepath.Base(l.from.in.path), l.tree, l.tell, func() {
		switch {
		case a.json:
			a.printJSON(shown{l.from.in.given.AsInput(), safetext.Name(dir), os.Getpid()})
		case m.background:
			a.printf("%d\n", os.Getpid())
		}
		if m.background {
			mount.LeaveTerminal()
			a.out.Close() // which the other process waits for
		}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return &failure{exit: exitUnsupported, err: err, what: "this system has no mount", hint: "bulla serve shows it in a browser"}
	} else if err != nil {
		return &failure{exit: exitIO, err: err, what: fmt.Sprintf("cannot mount at %s: %v", safetext.Name(dir), firstLine(err.Error())),
			hint: "it takes /dev/fuse, and fusermount3 unless you are root: install fuse3; bulla serve shows it in a browser instead"}
	}
	return context.Cause(cmd.Context())
}

// envShows tells a process that another waits for it to show something, until its
// standard output ends.
const envShows = "BULLA_SHOWS"

// inBackground runs this command line again, in a process that goes on: it asks what
// there is to ask, prints its result, and lets go of the terminal.
func (a *app) inBackground(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, a.args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), envShows+"=1")
	if a.envPassphrase != "" {
		cmd.Env = append(cmd.Env, envPassphrase+"="+a.envPassphrase)
	}
	if cmd.Stdin, cmd.Stderr = a.in, io.MultiWriter(a.err); isRegular(a.err) {
		cmd.Stderr = a.err // for what it has to say later
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })()
	var result bytes.Buffer
	io.Copy(&result, out)
	if result.Len() == 0 { // it has said why
		cmd.Wait()
		return &failure{exit: max(exitIO, cmd.ProcessState.ExitCode()), what: "nothing is shown", silent: true}
	}
	a.printf("%s", result.Bytes())
	return a.outErr
}

func isRegular(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
}
