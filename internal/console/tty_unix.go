//go:build unix

package console

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// openTTY opens the controlling terminal.
func openTTY() (*tty, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &tty{f, f}, nil
}

// InForeground reports whether Ctrl-C at the terminal reaches this program, and
// with it every command that it runs.
func InForeground() bool {
	t, err := openTTY()
	if err != nil {
		return false
	}
	defer t.close()
	return inForeground(int(t.in.Fd()))
}

func inForeground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// suspendTime is how long the process may take to stop after it was told to. In
// a process group that no shell controls it does not stop at all.
const suspendTime = 100 * time.Millisecond

// hush keeps a terminal from showing what is typed until restore is called. A
// process that is stopped meanwhile (Ctrl-Z) leaves the terminal as it was; when it
// goes on (fg), the terminal is quiet again and shows the prompt again.
func (t *tty) hush(prompt string) (restore func(), err error) {
	fd := int(t.in.Fd())
	// A process in the background stops here until it is brought to the
	// foreground. Only then are the terminal's modes not its shell's own.
	drain(fd)
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermios, &quiet); err != nil {
		return nil, err
	}
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	stops := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGTSTP) { // where job control is off it stays off
		signal.Notify(stops, syscall.SIGTSTP)
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				return
			case <-goesOn:
			case <-stops:
				unix.IoctlSetTermios(fd, setTermios, before)
				suspend(goesOn)
			}
			drain(fd) // as above
			unix.IoctlSetTermios(fd, setTermios, &quiet)
			io.WriteString(t.out, "\r"+prompt)
		}
	}()
	return func() {
		signal.Stop(goesOn)
		signal.Stop(stops)
		close(over)
		<-ended
		if inForeground(fd) { // else the modes are another program's
			unix.IoctlSetTermios(fd, setTermios, before)
		}
	}, nil
}

// suspend stops the process and returns when it goes on. It is SIGTTIN that stops
// it, as nothing catches that: Go cannot give SIGTSTP its default action back once
// it was caught. Unlike SIGSTOP, both leave a process alone that no shell could
// wake.
func suspend(goesOn chan os.Signal) {
	syscall.Kill(syscall.Getpid(), syscall.SIGTTIN)
	select {
	case <-goesOn:
	case <-time.After(suspendTime):
	}
}
