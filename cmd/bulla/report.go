package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"bulla/internal/storage"
)

// warn says what is amiss and does not keep the program from its work.
func (a *app) warn(what, hint string) {
	switch {
	case a.quiet:
	case a.json:
		a.con.Line(encodeJSON(struct {
			Warning string `json:"warning"`
			Hint    string `json:"hint,omitempty"`
		}{what, hint}))
	default:
		a.con.Line("bulla: warning: " + what)
		if hint != "" {
			a.con.Line("bulla: hint: " + hint)
		}
	}
}

// note says, with -v, what was done.
func (a *app) note(format string, args ...any) {
	if a.verbose && !a.json {
		a.con.Line("bulla: " + fmt.Sprintf(format, args...))
	}
}

// fail says what went wrong and returns the exit code.
func (a *app) fail(err error) int {
	f := explain(err)
	a.con.End()
	switch {
	case a.json:
		a.con.Line(encodeJSON(struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Exit  int    `json:"exit"`
		}{f.what, f.hint, f.exit}))
	case !f.silent:
		a.con.Line("bulla: error: " + firstLine(f.what))
		if f.hint != "" {
			a.con.Line("bulla: hint: " + f.hint)
		}
	case a.verbose:
		a.con.Line("bulla: " + f.what)
	}
	return f.exit
}

// printf writes to standard output. An error sticks and becomes the run's, when
// all else is done.
func (a *app) printf(format string, args ...any) {
	if a.outErr != nil {
		return
	}
	if _, err := fmt.Fprintf(storage.Patient(a.out), format, args...); err != nil {
		a.outErr = withHint(err, "make room where standard output goes; only this report is missing, files that were written are complete")
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
func (a *app) printJSON(v any) error {
	a.printf("%s\n", encodeJSON(v))
	return a.outErr
}

func encodeJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("internal error: " + err.Error()) // only of types that are ours
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plural is a number of things: "1 key", "2 days", "3 identities", "4 passes".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if stem, ok := strings.CutSuffix(word, "y"); ok && word != "key" && word != "day" {
		word = stem + "ie"
	} else if strings.HasSuffix(word, "s") {
		word += "e"
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// result says with --json what was done, unless the data went where it would be said.
func (a *app) result(out *output, v any) error {
	if a.json && !out.IsStandardOutput() {
		a.printJSON(v)
	}
	return a.outErr
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
