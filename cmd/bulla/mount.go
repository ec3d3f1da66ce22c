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
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/archive"
	"bulla/internal/mount"
	"bulla/internal/safetext"
	"bulla/stream"
)

type mountFlags struct {
	randomFlags
	whole      bool
	background bool
}

func mountCommand(a *app) *cobra.Command {
	m := &mountFlags{}
	cmd := &cobra.Command{
		Use:   "mount FILE DIR",
		Short: "Show what a file holds as a directory, read-only",
		Long: `Show the members of the tar or zip in FILE at DIR, an empty directory, or, if FILE
holds no archive, its plaintext as one file. Nothing can be written there, and
only you can read it. Plaintext is kept in memory, never on a disk.

It is shown until Ctrl-C, or: fusermount3 -u DIR. Files that are open then cannot
be read any more. What is damaged cannot be read (an I/O error), all else can;
a message says what it is, once for each file.

Files belong to you, with the permissions and times that the archive has. Links
lead to where they say, which may be outside of DIR. It needs FUSE: fuse3 on
Linux, macFUSE, or fusefs of FreeBSD.`,
		Example: `  bulla mount backup.tar.bulla /mnt/backup
  bulla mount --background disk.img.bulla mnt && fdisk -l mnt/disk.img`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("for example: bulla mount backup.tar.bulla DIR", "mount takes the name of a file, and of a directory to show it at")
			}
			return notEmpty(cmd, args)
		},
		ValidArgsFunction: completeContainers,
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.background && os.Getenv(envShows) == "" {
				return a.inBackground(cmd.Context())
			}
			return a.mount(cmd, m, args[0], args[1])
		},
	}
	cmd.Flags().BoolVar(&m.whole, "whole", false, "show the plaintext as one file, even if it is an archive")
	cmd.Flags().BoolVar(&m.background, "background", false, "return when it is shown, and print the number of the process that shows it")
	m.randomFlags.register(a, cmd)
	return cmd
}

// openTree opens what is in a file as a tree, to be looked at by many at once: the
// archive in it, or if there is none, or all of it is wanted, a single file.
func (a *app) openTree(cmd *cobra.Command, f *randomFlags, whole bool, name string) (*randomAccess, *archive.FS, error) {
	if err := f.workFlags.check(cmd); err != nil {
		return nil, nil, err
	}
	r, err := a.openRandom(cmd.Context(), f, name, func(*input) error { return nil })
	if err != nil {
		return nil, nil, err
	}
	tree, err := archive.Open(r, max(r.size, archive.UnknownSize))
	if unknown := errors.As(err, new(*archive.UnknownError)); (unknown || whole) && r.size >= 0 {
		var when time.Time
		if st := r.in.Info(); st != nil {
			when = st.ModTime()
		}
		tree, err = archive.Single(strings.TrimSuffix(filepath.Base(string(r.in.given)), containerSuffix), r, r.size, when), nil
	}
	if err == nil {
		_, err = tree.Lstat(".") // reads all headers, which takes long
	}
	if err != nil {
		r.Close()
		return nil, nil, archiveError(r, err)
	}
	return r, tree, nil
}

// Faults tells once of each path what is wrong with it, and keeps what is damaged.
type faults struct {
	app  *app
	from *randomAccess
	mu   sync.Mutex
	told map[string]bool
	bad  map[int64]*stream.ChunkError // by index
}

// tell tells and returns what err is.
func (f *faults) tell(path string, err error) string {
	what := firstLine(explain(archiveError(f.from, err)).what)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.told) < 1000 && !f.told[path] { // more nobody reads
		f.told[path] = true
		f.app.warn(safetext.Printable(path)+": "+what, "")
	}
	if e, ok := errors.AsType[*stream.ChunkError](err); ok && len(f.bad) < 1000 {
		f.bad[e.Index] = e
	}
	return what
}

func (a *app) faultsOf(r *randomAccess) *faults {
	return &faults{app: a, from: r, told: make(map[string]bool), bad: make(map[int64]*stream.ChunkError)}
}

// shown is what mount --json says.
type shown struct {
	safetext.InputField
	Directory safetext.Name `json:"directory"`
	PID       int           `json:"pid"`
}

func (a *app) mount(cmd *cobra.Command, m *mountFlags, name, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, syscall.ENOTCONN) {
		return refuse("fusermount3 -u "+safetext.Shell(dir)+" takes it away", "a run of bulla that was killed left a mount at %s", safetext.Name(dir))
	} else if err != nil {
		return withHint(err, "name an empty directory")
	}
	r, tree, err := a.openTree(cmd, &m.randomFlags, m.whole, name)
	if err != nil {
		return err
	}
	at, err := mount.Mount(dir, "bulla:"+filepath.Base(r.in.path), tree, a.faultsOf(r).tell)
	if err != nil {
		r.Close()
		return a.cannotMount(dir, err)
	}
	defer a.left.Add(func() { at.Unmount() })()
	if a.json {
		a.printJSON(shown{r.in.given.AsInput(), safetext.Name(dir), os.Getpid()})
	} else if m.background {
		a.printf("%d\n", os.Getpid())
	} else {
		a.note("%s is shown at %s", r.in.name, safetext.Name(dir))
	}
	if m.background {
		mount.LeaveTerminal()
		a.out.Close() // which the other process waits for
	}
	ended := make(chan struct{})
	go func() { at.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-cmd.Context().Done():
		err = at.Unmount()
	}
	return err
}

// cannotMount words why a mount failed.
func (a *app) cannotMount(dir string, err error) error {
	f := &failure{exit: exitIO, err: err, what: fmt.Sprintf("cannot mount at %s: %v", safetext.Name(dir), strings.TrimSpace(err.Error())),
		hint: "it takes /dev/fuse, and fusermount3 unless you are root: install fuse3; bulla serve shows it in a browser instead"}
	if errors.Is(err, errors.ErrUnsupported) {
		f.exit, f.what, f.hint = exitUnsupported, "there is no mount on this system", "bulla serve shows it in a browser"
	}
	return f
}

func regular(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode().IsRegular()
}

// envShows tells a process that another waits for it to show something, and ends when
// its standard output does.
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
	if cmd.Stdin, cmd.Stderr = a.in, io.MultiWriter(a.err); regular(a.err) {
		cmd.Stderr = a.err // for what it has to say later
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	var result bytes.Buffer
	io.Copy(&result, out)
	if result.Len() == 0 {
		cmd.Wait()
		return &failure{exit: max(exitIO, cmd.ProcessState.ExitCode()), what: "the process in the background has ended", silent: true}
	}
	a.printf("%s", result.Bytes())
	return a.outErr
}
