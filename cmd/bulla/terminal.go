package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"bulla/keyslot/agekey"
)

// A person sits at the controlling terminal, whatever standard input, output
// and error are connected to. Who waits for an answer is not interrupted by a
// context: the run as a whole is (see interruptible).
type person struct {
	app *app
	mu  sync.Mutex
}

func (a *app) person() *person { return &person{app: a} }

// A tty is the controlling terminal, opened.
type tty struct{ in, out *os.File }

func (t *tty) close() {
	t.in.Close()
	if t.out != t.in {
		t.out.Close()
	}
}

var errNoTerminal = &failure{exit: exitNoKey, what: "cannot ask for the passphrase: there is no terminal",
	hint: "say where it comes from with --passphrase-file, --passphrase-fd, --passphrase-command or $" + envPassphrase}

// forKey words err for questions that a key asks, which only a person can answer.
func forKey(what string, err error) error {
	if err == errNoTerminal {
		return &failure{exit: exitNoKey, what: "cannot ask for " + what + ": there is no terminal",
			hint: "run it at a terminal, or use a key that asks nothing"}
	}
	return err
}

// secret asks for something that does not show on the screen. The result is the
// caller's.
func (p *person) secret(prompt string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, err := openTTY()
	if err != nil {
		return nil, errNoTerminal
	}
	defer t.close()
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, errNoTerminal
	}
	done := p.app.left.add(func() {
		term.Restore(fd, before)
		io.WriteString(t.out, "\n")
	})
	defer done()
	p.app.con.end()
	// Before the prompt: who sees it may type at once.
	if err := echoOff(fd); err != nil {
		return nil, errNoTerminal
	}
	defer term.Restore(fd, before)
	io.WriteString(t.out, prompt)
	b, err := term.ReadPassword(fd)
	io.WriteString(t.out, "\n")
	if errors.Is(err, io.EOF) {
		return nil, noPassphrase("type it and press Enter", "no passphrase was given")
	}
	if err != nil {
		return nil, fmt.Errorf("reading from the terminal: %w", err)
	}
	return b, nil
}

// show writes to the terminal.
func (p *person) show(text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, err := openTTY()
	if err != nil {
		return errNoTerminal
	}
	defer t.close()
	_, err = io.WriteString(t.out, text)
	return err
}

// line asks for a line that does show.
func (p *person) line(prompt string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, err := openTTY()
	if err != nil {
		return "", errNoTerminal
	}
	defer t.close()
	io.WriteString(t.out, prompt)
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := t.in.Read(b)
		if n == 1 && b[0] == '\n' {
			return string(stripLineEnd(append(line, '\n'))), nil
		}
		if n == 1 {
			line = append(line, b[0])
		}
		if err != nil {
			return "", fmt.Errorf("reading from the terminal: %w", err)
		}
	}
}

// The rest is what keys that ask need: see agekey.UI.

func (p *person) Passphrase(_ context.Context, what string) ([]byte, error) {
	b, err := p.secret("Passphrase of " + what + ": ")
	return b, forKey("the passphrase of "+what, err)
}

func (p *person) Message(plugin, message string) error {
	p.app.con.line("bulla: age-plugin-" + plugin + ": " + message)
	return nil
}

func (p *person) Value(_ context.Context, plugin, prompt string, secret bool) (string, error) {
	what := "what age-plugin-" + plugin + " wants to know"
	prompt = "age-plugin-" + plugin + ": " + prompt + ": "
	if secret {
		b, err := p.secret(prompt)
		return string(b), forKey(what, err)
	}
	line, err := p.line(prompt)
	return line, forKey(what, err)
}

func (p *person) Confirm(_ context.Context, plugin, prompt, yes, no string) (bool, error) {
	what := "what age-plugin-" + plugin + " wants to know"
	prompt = "age-plugin-" + plugin + ": " + prompt + "\n"
	if no == "" {
		_, err := p.line(prompt + "Press Enter: " + yes + " ")
		return err == nil, forKey(what, err)
	}
	for {
		answer, err := p.line(fmt.Sprintf("%s  1  %s\n  2  %s\n1 or 2: ", prompt, yes, no))
		if err != nil || answer == "1" || answer == "2" {
			return answer == "1", forKey(what, err)
		}
	}
}

func (p *person) Waiting(plugin string) {
	p.app.con.line("bulla: waiting for age-plugin-" + plugin + " (its device may want to be touched)")
}

var _ agekey.UI = (*person)(nil)
