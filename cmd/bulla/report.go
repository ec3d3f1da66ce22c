package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// A console is standard error: lines, and below them one that is overwritten in
// place to show progress. It is safe for concurrent use. That standard error
// cannot be written to is nothing that anybody could be told.
type console struct {
	mu    sync.Mutex
	w     *os.File
	shown int // columns of the line that is overwritten, 0 if there is none
}

// line writes a line.
func (c *console) line(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.w, c.erase()+s+"\n")
}

// status shows s in place of what the last call showed. With last, it stays and
// what comes next begins below it.
func (c *console) status(s string, last bool) {
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

// end leaves the overwritten line as it is, if there is one.
func (c *console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown > 0 {
		c.shown = 0
		io.WriteString(c.w, "\n")
	}
}

func (c *console) erase() string {
	if c.shown == 0 {
		return ""
	}
	s := "\r" + strings.Repeat(" ", c.shown) + "\r"
	c.shown = 0
	return s
}

// warn says what is amiss and does not keep the program from its work.
func (a *app) warn(what, hint string) {
	switch {
	case a.quiet:
	case a.json:
		a.con.line(encodeJSON(struct {
			Warning string `json:"warning"`
			Hint    string `json:"hint,omitempty"`
		}{what, hint}))
	default:
		a.con.line("bulla: warning: " + what)
		if hint != "" {
			a.con.line("bulla: hint: " + hint)
		}
	}
}

// note says, with -v, what was done.
func (a *app) note(format string, args ...any) {
	if a.verbose && !a.json {
		a.con.line("bulla: " + fmt.Sprintf(format, args...))
	}
}

// fail says what went wrong and returns the exit code.
func (a *app) fail(err error) int {
	f := explain(err)
	a.con.end()
	switch {
	case a.json:
		a.con.line(encodeJSON(struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Exit  int    `json:"exit"`
		}{f.what, f.hint, f.exit}))
	case !f.silent:
		a.con.line("bulla: error: " + firstLine(f.what))
		if f.hint != "" {
			a.con.line("bulla: hint: " + f.hint)
		}
	case a.verbose:
		a.con.line("bulla: " + f.what)
	}
	return f.exit
}

// printf writes to standard output. An error sticks and becomes the run's.
func (a *app) printf(format string, args ...any) {
	if a.outErr == nil {
		_, a.outErr = fmt.Fprintf(a.out, format, args...)
	}
}

// Results is standard output for cobra, which does not look whether help could be
// written: errors stick.
type results struct{ *app }

func (r results) Write(p []byte) (int, error) {
	r.printf("%s", p)
	return len(p), r.outErr
}

// printJSON writes v as one line to standard output.
func (a *app) printJSON(v any) { a.printf("%s\n", encodeJSON(v)) }

func encodeJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("internal error: " + err.Error()) // only of types that are ours
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plural is a number of things: "1 key", "2 keys", "3 identities", "4 passes".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok && word != "key" {
		word = stem + "ie"
	} else if strings.HasSuffix(word, "s") {
		word += "e"
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// bytesText is a number of bytes for people: "1.5 GiB".
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return plural(int(n), "byte")
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}
