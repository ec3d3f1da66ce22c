package console

import (
	"os"

	"golang.org/x/sys/windows"
)

// openTTY opens the console.
func openTTY() (*tty, error) {
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		in.Close()
		return nil, err
	}
	return &tty{in, out}, nil
}

// InForeground reports that Ctrl-C reaches every program of a console: nothing else
// is a SIGINT here.
func InForeground() bool { return true }

// hush keeps a console from showing what is typed until restore is called.
func (t *tty) hush(string) (restore func(), err error) {
	in := windows.Handle(t.in.Fd())
	var before uint32
	if err := windows.GetConsoleMode(in, &before); err != nil {
		return nil, err
	}
	const line = windows.ENABLE_PROCESSED_INPUT | windows.ENABLE_LINE_INPUT
	if err := windows.SetConsoleMode(in, before&^windows.ENABLE_ECHO_INPUT|line); err != nil {
		return nil, err
	}
	return func() { windows.SetConsoleMode(in, before) }, nil
}
