package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A recipient and an identity of age-plugin-test.
const (
	pluginRecipient = "age1test1w3jhxaqsdwg9s"
	pluginIdentity  = "AGE-PLUGIN-TEST-1W3JHXAQFP4L50"
)

// TestPlugin opens a file with a plugin that asks.
func TestPlugin(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), "text")
	write(t, filepath.Join(dir, "key"), pluginIdentity+"\n")
	if c := start(t, dir, nil, "encrypt", "-r", pluginRecipient, "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	for _, try := range []struct {
		pin, choice string
		exit        int
		says        string
	}{
		{"1234", "1", exitOK, ""},
		{"1234", "2", exitNoKey, "well, then not"},
		{"4321", "", exitNoKey, "wrong PIN"},
	} {
		s := newScreen(t)
		c := s.run(dir, "decrypt", "--force", "-i", "key", "-o", "out", "plain.bulla")
		c.begin()
		s.answer("age-plugin-test: name: ", "joe")
		s.answer("age-plugin-test: PIN: ", try.pin)
		if try.choice != "" {
			s.answer("1 or 2: ", "neither")
			s.answer("1 or 2: ", try.choice)
		}
		if got := c.code(); got != try.exit || !strings.Contains(c.errs.String(), try.says) {
			t.Errorf("%s, %s: exit code %d: %s", try.pin, try.choice, got, c.errs.String())
		}
		if !strings.Contains(c.errs.String(), "bulla: age-plugin-test: hello") || strings.Contains(c.errs.String(), "\x1b") {
			t.Errorf("it said %q", c.errs.String())
		}
		if strings.Contains(s.text(), try.pin) {
			t.Errorf("the PIN is on the screen: %q", s.text())
		}
	}
}

// TestPluginWithoutTerminal has a plugin ask where nobody is.
func TestPluginWithoutTerminal(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), "text")
	write(t, filepath.Join(dir, "key"), pluginIdentity+"\n")
	if c := start(t, dir, nil, "encrypt", "-r", pluginRecipient, "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	c := detached(t, dir, "decrypt", "-i", "key", "-o", "out", "plain.bulla")
	if got := c.code(); got != exitNoKey {
		t.Errorf("exit code %d", got)
	}
	if got := c.errs.String(); !strings.Contains(got, "cannot ask for what age-plugin-test wants to know: there is no terminal") {
		t.Errorf("it said %q", got)
	}
	if got := names(t, dir); got != "key plain plain.bulla" {
		t.Errorf("the directory holds %s", got)
	}
}
