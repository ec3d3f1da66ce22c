package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"bulla/internal/once"
)

var (
	// ErrNoTerminal means that there is nobody to ask.
	ErrNoTerminal = errors.New("there is no terminal")

	// ErrNoAnswer means that the person ended the input (Ctrl-D) instead of
	// answering.
	ErrNoAnswer = errors.New("there was no answer")
)

// maxAnswer is how many bytes one line of an answer can have. Terminals end a line
// sooner.
const maxAnswer = 64 << 10

// A Terminal is the controlling terminal, whatever standard input, output and
// error are connected to. It asks one question at a time and is safe for
// concurrent use.
type Terminal struct {
	con *Console
	mu  sync.Mutex
}

// Terminal is the controlling terminal that c is also seen on.
func (c *Console) Terminal() *Terminal { return &Terminal{con: c} }

// A tty is the controlling terminal, opened.
type tty struct{ in, out *os.File }

func (t *tty) close() {
	t.in.Close()
	if t.out != t.in {
		t.out.Close()
	}
}

// Secret asks for something that does not show on the screen. The result is the
// caller's. The error is ErrNoTerminal, ErrNoAnswer, the cause of ctx's end or one
// of reading. However it ends, the terminal is as it was before it returns.
func (t *Terminal) Secret(ctx context.Context, prompt string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tty, err := openTTY()
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer tty.close()
	t.con.End()
	// Before the prompt: people who see it may type at once.
	restore, err := tty.hush(prompt)
	if err != nil {
		return nil, ErrNoTerminal
	}
	io.WriteString(tty.out, prompt)
	b, err := tty.readLine(ctx)
	restore()
	io.WriteString(tty.out, "\n")
	return b, err
}

// Line asks for a line that does show. Errors are as those of Secret.
func (t *Terminal) Line(ctx context.Context, prompt string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tty, err := openTTY()
	if err != nil {
		return "", ErrNoTerminal
	}
	defer tty.close()
	t.con.End()
	io.WriteString(tty.out, prompt)
	b, err := tty.readLine(ctx)
	return string(b), err
}

// Show writes to the terminal and nowhere else.
func (t *Terminal) Show(text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	tty, err := openTTY()
	if err != nil {
		return ErrNoTerminal
	}
	defer tty.close()
	_, err = io.WriteString(tty.out, text)
	return err
}

// readLine reads a line, without its end. When ctx ends it no longer waits: the
// read goes on until the program ends.
func (t *tty) readLine(ctx context.Context) ([]byte, error) {
	return once.Await(ctx, func() ([]byte, error) { return readLine(t.in) })
}

// readLine takes no byte beyond the line's end, which belongs to the next question.
func readLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, maxAnswer) // never moved: what is typed is in memory once
	for b := make([]byte, 1); ; {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			return line, nil
		case n == 1 && len(line) == maxAnswer:
			clear(line)
			return nil, fmt.Errorf("reading from the terminal: more than %d bytes", maxAnswer)
		case n == 1:
			line = append(line, b[0])
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, ErrNoAnswer
		case errors.Is(err, io.EOF):
			return line, nil
		case err != nil:
			clear(line)
			return nil, fmt.Errorf("reading from the terminal: %w", err)
		}
	}
}

// An UnansweredError is a question of a key that was not answered.
type UnansweredError struct {
	For string // what was asked for
	Err error  // ErrNoTerminal or ErrNoAnswer
}

func (e *UnansweredError) Error() string { return fmt.Sprintf("cannot ask for %s: %v", e.For, e.Err) }
func (e *UnansweredError) Unwrap() error { return e.Err }

// unanswered says for what err was no answer.
func unanswered(what string, err error) error {
	if errors.Is(err, ErrNoTerminal) || errors.Is(err, ErrNoAnswer) {
		return &UnansweredError{what, err}
	}
	return err
}

// What follows asks on behalf of keys: see agekey.UI. Errors are those of Secret, as
// [*UnansweredError] where there was no answer.

// Passphrase asks for the passphrase of what.
func (t *Terminal) Passphrase(ctx context.Context, what string) ([]byte, error) {
	b, err := t.Secret(ctx, "Passphrase of "+what+": ")
	return b, unanswered("the passphrase of "+what, err)
}

// Message shows what a plugin has to say.
func (t *Terminal) Message(plugin, message string) error {
	t.con.Line("bulla: age-plugin-" + plugin + ": " + message)
	return nil
}

// Waiting says that a plugin has kept silent for some time.
func (t *Terminal) Waiting(plugin string) {
	t.con.Line("bulla: waiting for age-plugin-" + plugin + " (its device may want to be touched)")
}

// Value asks for a value that a plugin needs.
func (t *Terminal) Value(ctx context.Context, plugin, prompt string, secret bool) (answer string, err error) {
	prompt = "age-plugin-" + plugin + ": " + prompt + ": "
	if secret {
		var b []byte
		b, err = t.Secret(ctx, prompt)
		answer = string(b)
	} else {
		answer, err = t.Line(ctx, prompt)
	}
	return answer, unanswered(wish(plugin), err)
}

// Confirm has a person choose between yes and no, the texts of two answers, or, if
// no is empty, agree to yes.
func (t *Terminal) Confirm(ctx context.Context, plugin, prompt, yes, no string) (bool, error) {
	prompt = "age-plugin-" + plugin + ": " + prompt + "\n"
	if no == "" {
		_, err := t.Line(ctx, prompt+"Press Enter: "+yes+" ")
		return err == nil, unanswered(wish(plugin), err)
	}
	for {
		answer, err := t.Line(ctx, fmt.Sprintf("%s  1  %s\n  2  %s\n1 or 2: ", prompt, yes, no))
		if err != nil || answer == "1" || answer == "2" {
			return answer == "1", unanswered(wish(plugin), err)
		}
	}
}

func wish(plugin string) string { return "what age-plugin-" + plugin + " wants to know" }
