package main

import (
	"context"
	"errors"
	"fmt"

	"bulla/internal/console"
	"bulla/keyslot/agekey"
)

// A person is who sits at the terminal, as keys that ask need one: see agekey.UI.
type person struct {
	*console.Terminal
	con *console.Console
}

// unanswered words why a person gave no answer: there is none to ask for what, or
// none was given.
func unanswered(err error, what, none, hint string) error {
	switch {
	case errors.Is(err, console.ErrNoTerminal):
		return &failure{exit: exitNoKey, err: err, what: "cannot ask for " + what + ": there is no terminal", hint: hint}
	case errors.Is(err, console.ErrNoAnswer):
		return &failure{exit: exitNoKey, err: err, what: none, hint: "type it and press Enter"}
	}
	return err
}

// forKey words err for questions that a key asks, which only a person can answer.
func forKey(what string, err error) error {
	return unanswered(err, what, "no answer was given for "+what, "run it at a terminal, or use a key that asks nothing")
}

func (p person) Passphrase(ctx context.Context, what string) ([]byte, error) {
	b, err := p.Secret(ctx, "Passphrase of "+what+": ")
	return b, forKey("the passphrase of "+what, err)
}

func (p person) Message(plugin, message string) error {
	p.con.Line("bulla: age-plugin-" + plugin + ": " + message)
	return nil
}

func (p person) Value(ctx context.Context, plugin, prompt string, secret bool) (string, error) {
	what := "what age-plugin-" + plugin + " wants to know"
	prompt = "age-plugin-" + plugin + ": " + prompt + ": "
	if secret {
		b, err := p.Secret(ctx, prompt)
		return string(b), forKey(what, err)
	}
	line, err := p.Line(ctx, prompt)
	return line, forKey(what, err)
}

func (p person) Confirm(ctx context.Context, plugin, prompt, yes, no string) (bool, error) {
	what := "what age-plugin-" + plugin + " wants to know"
	prompt = "age-plugin-" + plugin + ": " + prompt + "\n"
	if no == "" {
		_, err := p.Line(ctx, prompt+"Press Enter: "+yes+" ")
		return err == nil, forKey(what, err)
	}
	for {
		answer, err := p.Line(ctx, fmt.Sprintf("%s  1  %s\n  2  %s\n1 or 2: ", prompt, yes, no))
		if err != nil || answer == "1" || answer == "2" {
			return answer == "1", forKey(what, err)
		}
	}
}

func (p person) Waiting(plugin string) {
	p.con.Line("bulla: waiting for age-plugin-" + plugin + " (its device may want to be touched)")
}

var _ agekey.UI = person{}
