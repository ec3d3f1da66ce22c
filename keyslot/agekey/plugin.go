package agekey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"bulla/format"
	"bulla/internal/safetext"
)

// A plugin is a program age-plugin-NAME on the path, which wraps and unwraps
// age's file key and may ask the user by way of its client: this package. It
// sees the file key, and so can read what it helps to open.

// A PluginMissingError reports that a plugin is not on the path.
type PluginMissingError struct{ Name string }

func (e *PluginMissingError) Error() string {
	return fmt.Sprintf("age-plugin-%s is not on the path", e.Name)
}

const pluginIdentityPrefix = "AGE-PLUGIN-"

// parsePlugin reads a plugin's recipient, without running the plugin.
func parsePlugin(s string, ui UI) (*Recipient, error) {
	r, err := plugin.NewRecipient(s, nil)
	if err != nil {
		return nil, errRecipient // err may quote s
	}
	return &Recipient{
		canonical: s,
		class:     format.Neutral,
		size:      PluginBodySize,
		to: func(ctx context.Context) age.Recipient {
			c := &pluginClient{ctx: ctx, name: r.Name(), protocol: "recipient-v1", person: ui}
			r, err := plugin.NewRecipient(s, c.ui())
			if err != nil {
				panic("internal error: a plugin recipient no longer parses")
			}
			return &pluginRecipient{r, c}
		},
	}, nil
}

// A pluginRecipient is a plugin's recipient whose errors are fit to be shown.
type pluginRecipient struct {
	*plugin.Recipient
	client *pluginClient
}

func (r *pluginRecipient) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	stanzas, labels, err := r.Recipient.WrapWithLabels(fileKey)
	return stanzas, labels, r.client.explain(err)
}

// parsePluginIdentity reads a plugin's identity, without running the plugin.
func parsePluginIdentity(s string, ui UI) (*Identity, error) {
	i, err := plugin.NewIdentity(s, nil)
	if err != nil {
		return nil, errors.New("malformed plugin identity") // err may quote s
	}
	return &Identity{interactive: true, with: func(ctx context.Context) age.Identity {
		c := &pluginClient{ctx: ctx, name: i.Name(), protocol: "identity-v1", person: ui}
		i, err := plugin.NewIdentity(s, c.ui())
		if err != nil {
			panic("internal error: a plugin identity no longer parses")
		}
		return identityFunc(func(stanzas []*age.Stanza) ([]byte, error) {
			fileKey, err := i.Unwrap(stanzas)
			return fileKey, c.explain(err)
		})
	}}, nil
}

// A pluginClient is the user's side of one run of a plugin.
type pluginClient struct {
	ctx      context.Context
	name     string
	protocol string // of age, that it is run with
	person   UI
	failed   error // the first question that got no answer
}

// ui connects the plugin's questions with the person.
func (c *pluginClient) ui() *plugin.ClientUI {
	return &plugin.ClientUI{
		DisplayMessage: func(name, message string) error {
			return c.note(c.person.Message(name, safetext.OneLine(message)))
		},
		RequestValue: func(name, prompt string, secret bool) (string, error) {
			value, err := c.person.Value(c.ctx, name, safetext.OneLine(prompt), secret)
			return value, c.note(err)
		},
		Confirm: func(name, prompt, yes, no string) (bool, error) {
			choice, err := c.person.Confirm(c.ctx, name, safetext.OneLine(prompt), safetext.OneLine(yes), safetext.OneLine(no))
			return choice, c.note(err)
		},
		WaitTimer: c.person.Waiting,
	}
}

// note keeps the error of a question, of which a plugin learns no more than
// that it failed.
func (c *pluginClient) note(err error) error {
	if c.failed == nil {
		c.failed = err
	}
	return err
}

// explain makes the error of a run fit to be shown: what a plugin says is text
// from outside, and why a question failed is more than it knows. An identity that
// does not match is left as it is, nil too.
func (c *pluginClient) explain(err error) error {
	if err == nil || errors.Is(err, age.ErrIncorrectIdentity) {
		return err
	}
	if missing := new(plugin.NotFoundError); errors.As(err, &missing) {
		return &PluginMissingError{missing.Name}
	}
	e := &PluginError{Name: c.name, Said: safetext.OneLine(strings.TrimPrefix(err.Error(), c.name+" plugin: ")), Err: c.failed}
	if c.failed == nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE)) {
		e.Said, e.crashed = "it ended before it had answered", c.protocol
	}
	return e
}

// A PluginError is what a plugin said of its failure, or that it crashed.
type PluginError struct {
	Name string
	Said string // in one line, without control characters
	Err  error  // a question of the plugin's that got no answer; may be nil

	crashed string // the protocol that it broke off; "" if it did not
}

func (e *PluginError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("age-plugin-%s: %v (%s)", e.Name, e.Err, e.Said)
	}
	return fmt.Sprintf("age-plugin-%s: %s", e.Name, e.Said)
}

// Unwrap returns e.Err.
func (e *PluginError) Unwrap() error { return e.Err }

// Hint says where to look. What a plugin writes to standard error, age's client
// throws away.
func (e *PluginError) Hint() string {
	if e.crashed != "" {
		return fmt.Sprintf("to see why, run: age-plugin-%s --age-plugin=%s </dev/null", e.Name, e.crashed)
	}
	return "the words are the plugin's: see that its device is there and that age works with it"
}
