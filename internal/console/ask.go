package console

import (
	"context"
	"errors"
	"fmt"
)

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
