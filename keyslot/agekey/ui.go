package agekey

import (
	"context"
	"errors"
)

// A UI asks the person at the terminal. Its methods are called one at a time but
// for Waiting, and not always from the goroutine that called into this package.
// What a plugin says comes without control characters.
//
// Where a UI is expected, nil stands for nobody: messages are dropped, and every
// question fails with [ErrNoUI].
type UI interface {
	// Passphrase asks for the passphrase of what, such as `identity file "k"`.
	// The result is the caller's. It should return when ctx is done.
	Passphrase(ctx context.Context, what string) ([]byte, error)

	// Message shows what a plugin has to say.
	Message(plugin, message string) error

	// Value asks for a value on behalf of a plugin; a secret one must not
	// show on the screen. It should return when ctx is done.
	Value(ctx context.Context, plugin, prompt string, secret bool) (string, error)

	// Confirm lets the person choose between yes and no, the texts of the two
	// answers; no may be empty, and then the only way is yes or an error. It
	// should return when ctx is done.
	Confirm(ctx context.Context, plugin, prompt, yes, no string) (bool, error)

	// Waiting is called when a plugin has kept silent for some seconds: it may
	// be waiting for a touch of its device. It is called from a goroutine of
	// its own, beside other methods.
	Waiting(plugin string)
}

// ErrNoUI is the answer of a UI that is nil.
var ErrNoUI = errors.New("there is nobody to ask")

// nobody is the UI that nil stands for.
type nobody struct{}

func (nobody) Passphrase(context.Context, string) ([]byte, error) { return nil, ErrNoUI }
func (nobody) Message(string, string) error                       { return nil }
func (nobody) Waiting(string)                                     {}
func (nobody) Value(context.Context, string, string, bool) (string, error) {
	return "", ErrNoUI
}
func (nobody) Confirm(context.Context, string, string, string, string) (bool, error) {
	return false, ErrNoUI
}

func orNobody(ui UI) UI {
	if ui == nil {
		return nobody{}
	}
	return ui
}
