// Package console is how the command speaks with the person in front of it.
//
//	Console   standard error: lines, and one below them that is overwritten
//	Progress  how far a piece of work has come, in that line
//	Terminal  questions at the controlling terminal: passphrases, PINs, choices; those of keys
//	          and of their plugins, too
//	Map       which part of a file is lost, as one line
//	Bytes     sizes, ranges and durations as people write and read them
//
// What is shown here has to be safe for a terminal already: see package safetext.
package console

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// A Console is standard error: lines, and below them one that is overwritten in
// place to show progress. It is safe for concurrent use. Errors of writing to it
// are ignored: there is nowhere to report them.
type Console struct {
	mu    sync.Mutex
	w     *os.File
	shown int // columns of the line that is overwritten, 0 if there is none
}

// New returns a Console that writes to w.
func New(w *os.File) *Console { return &Console{w: w} }

// Line writes a line.
func (c *Console) Line(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.w, c.erase()+s+"\n")
}

// Status shows s in place of what the last call showed. With last, it stays and
// what comes next begins below it.
func (c *Console) Status(s string, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	columns := len([]rune(s))
	// One write, and spaces where the old line was longer: nothing flickers,
	// and it takes no terminal that knows how to erase.
	out := "\r" + s + strings.Repeat(" ", max(0, c.shown-columns))
	c.shown = columns
	if last {
		out += "\n"
		c.shown = 0
	}
	io.WriteString(c.w, out)
}

// End leaves the overwritten line as it is, if there is one.
func (c *Console) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown > 0 {
		c.shown = 0
		io.WriteString(c.w, "\n")
	}
}

func (c *Console) erase() string {
	if c.shown == 0 {
		return ""
	}
	s := "\r" + strings.Repeat(" ", c.shown) + "\r"
	c.shown = 0
	return s
}

// Columns is how many columns of a line can be used: one less than the terminal
// has, since some wrap in the last, or otherwise if there is no terminal.
func (c *Console) Columns(otherwise int) int {
	if w, _, err := term.GetSize(int(c.w.Fd())); err == nil && w > 0 {
		return w - 1
	}
	return otherwise
}

// IsTerminal reports whether the console is seen by a person at once.
func (c *Console) IsTerminal() bool { return term.IsTerminal(int(c.w.Fd())) }
