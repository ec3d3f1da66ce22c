package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecipientsPrompts changes the passphrase of a file: the old and the new are
// asked for in so many words.
func TestRecipientsPrompts(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plain"), "text")
	write(t, filepath.Join(dir, "old"), "correct horse")
	write(t, filepath.Join(dir, "new"), "battery staple")
	if c := start(t, dir, nil, "encrypt", "--passphrase-file", "old", "-o", "f", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	before, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	const opens, makes, again = "Passphrase that opens the file now: ", "New passphrase (leave it empty to have one made): ", "New passphrase once more: "
	unchanged := func() {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || !bytes.Equal(b, before) {
			t.Errorf("the file has changed: %v", err)
		}
	}
	begin := func() (*screen, *command) {
		s := newScreen(t)
		c := s.run(dir, "recipients", "add", "-p", "--replace", "1", "f")
		c.begin()
		return s, c
	}

	s, c := begin()
	s.answer(opens, "wrong")
	if got := c.code(); got != exitNoKey || !strings.Contains(c.errs.String(), "wrong passphrase for f") || strings.Contains(s.text(), "New") {
		t.Errorf("wrong passphrase: exit code %d: %s", got, c.errs.String())
	}
	unchanged()

	s, c = begin()
	s.answer(opens, "correct horse")
	s.answer(makes, "battery staple")
	s.answer(again, "battery stable")
	if got := c.code(); got != exitRefused || !strings.Contains(c.errs.String(), "the two passphrases differ") {
		t.Errorf("two that differ: exit code %d: %s", got, c.errs.String())
	}
	unchanged()

	s, c = begin()
	s.answer(opens, "correct horse")
	s.sees(makes)
	waitFor(t, "it asks without echo", func() bool { return !s.echoes() })
	s.keys.Write([]byte{3})
	if got := c.code(); got != exitInterrupted || !s.echoes() {
		t.Errorf("Ctrl-C: exit code %d: %s", got, c.errs.String())
	}
	unchanged()

	s, c = begin()
	s.answer(opens, "correct horse")
	s.answer(makes, "battery staple")
	s.answer(again, "battery staple")
	if got := c.code(); got != 0 || !strings.Contains(c.errs.String(), "not revocation") {
		t.Fatalf("exit code %d: %s", got, c.errs.String())
	}
	if strings.Contains(s.text(), "horse") || strings.Contains(s.text(), "staple") {
		t.Errorf("a passphrase is on the screen: %q", s.text())
	}
	for name, want := range map[string]int{"old": exitNoKey, "new": exitOK} {
		if c := start(t, dir, nil, "decrypt", "--passphrase-file", name, "--force", "-o", "out", "f"); c.code() != want {
			t.Errorf("the %s passphrase: %s", name, c.errs.String())
		}
	}
}

// TestRecipientsAskNobody has the file opened by a key: then nobody is asked for
// the old passphrase, and without a terminal a new one cannot be had.
func TestRecipientsAskNobody(t *testing.T) {
	dir := workDir(t)
	write(t, filepath.Join(dir, "plain"), "text")
	if c := start(t, dir, nil, "encrypt", "-o", "f", "plain"); c.code() != 0 {
		t.Fatal(c.errs.String())
	}
	s := newScreen(t)
	c := s.run(dir, "recipients", "add", "-p", "f")
	c.begin()
	s.answer("New passphrase (leave it empty to have one made): ", "")
	if got := c.code(); got != 0 {
		t.Fatalf("exit code %d: %s", got, c.errs.String())
	}
	s.sees("Write it down now")
	if strings.Contains(s.text(), "opens the file now") {
		t.Errorf("it asked for a passphrase that it had no need of: %q", s.text())
	}
	if c := detached(t, dir, "recipients", "add", "-p", "f"); c.code() != exitNoKey || !strings.Contains(c.errs.String(), "there is no terminal") {
		t.Errorf("without a terminal: %s", c.errs.String())
	}
}
