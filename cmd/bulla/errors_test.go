package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/interrupt"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/origin"
	"bulla/stream"
)

// TestExplain goes through every kind of error that the packages below return:
// each has its exit code, one line of what happened and one line of hint.
func TestExplain(t *testing.T) {
	parse := func(kind error, c format.Clause, reason string) error {
		return &format.ParseError{Clause: c, Field: "field", Offset: 7, Kind: kind, Reason: reason}
	}
	foreign := func(seems format.Foreign, reason string) error {
		return &format.ParseError{Clause: format.HEAD1, Kind: seems, Reason: reason}
	}
	noKey := func(named int, slots, tried []format.SlotType, causes ...error) error {
		return &keysError{&stream.NoKeyError{Slots: slots, Tried: tried, Identities: named, Causes: causes}, &identities{named: named}}
	}
	hpke, pass, kek := format.SlotHPKE, format.SlotPassphrase, format.SlotKEK
	types := func(t ...format.SlotType) []format.SlotType { return t }
	path := func(op string, err error) error { return &fs.PathError{Op: op, Path: "dir/.x.partial", Err: err} }

	for _, c := range []struct {
		err  error
		exit int
		what string
		hint string
	}{
		{foreign(format.ForeignOther, "it looks like a gzip file"), 7, "x is not a bulla file: it looks like a gzip file", "bulla opens what"},
		{foreign(format.ForeignLost, "no copy of a head"), 3, "x has no head at either end", "bulla repair repairs it if there is a parity file; else a head"},
		{foreign(format.ForeignShredded, "it was destroyed by bulla shred"), 7, "x is not a bulla file: it was destroyed by bulla shred", "no key opens it any more"},
		{&origin.Error{Clause: origin.ORIGIN8, Reason: "other"}, 3, "x: other [ORIGIN-8]", "do not use it; what a disk has damaged bulla repair repairs"},
		{foreign(format.ForeignAge, "it looks like an age file"), 7, "x is not a bulla file", "age -d"},
		{foreign(format.ForeignConverted, "it looks like text in UTF-16: a shell"), 7, "x is not a bulla file", "binary"},
		{parse(format.ErrTruncated, format.HEAD4, "the input is empty"), 3, "x is truncated: the input is empty", "get another copy"},
		{parse(format.ErrDamaged, format.HEAD5, "sum"), 3, "x is damaged: ", "--head FILE"},
		{parse(format.ErrDamaged, format.TAIL1, "sum"), 3, "x is damaged: ", "get another copy"},
		{parse(format.ErrMalformed, format.HEAD9, "generation"), 3, "x: malformed: ", "get another copy"},
		{parse(format.ErrForged, format.HEAD13, "MAC"), 3, "x: forged: ", "recipients repair"},
		{parse(format.ErrUnsupported, format.HEAD2, "version"), 7, "x: unsupported: ", "newer bulla"},
		{&stream.ChunkError{Index: 4, Offset: 10, Length: 20}, 3, "x: chunk 4 (bytes 10 to 29) failed authentication [CHUNK-1]: damaged", "bulla repair repairs it if there is a parity file; else get another copy of the file; bulla salvage recovers"},
		{&stream.TruncatedError{Chunks: 3, Offset: 99}, 3, "x is truncated at byte 99: its end is missing, the 3 chunks before are authentic", "bulla salvage"},
		{&stream.TrailingError{Offset: 99}, 3, "x has data after its end at byte 99", "appended"},
		{&stream.LimitError{Clause: format.PASS5, Reason: "too much"}, 7, "x: too much [PASS-5]", "do not trust"},
		{&stream.LimitError{Clause: format.SET24, Reason: "too many"}, 7, "x: too many [SET-24]", "larger volumes with --volume-size"},
		{&stream.LimitError{Clause: format.SET9, Reason: "no volume"}, 7, "x: no volume [SET-9]", "--volume-size"},
		{&stream.LimitError{Clause: format.WRAP1, Reason: "changed too often"}, 7, "x: changed too often [WRAP-1]", "encrypt it again"},
		{path("open", syscall.ELOOP), 1, "cannot open dir/x: too many levels", "leads back to itself"},
		{&fs.PathError{Op: "open", Path: "http://h/x", Err: fs.ErrNotExist}, 1, "cannot open http://h/x", "https://"},
		{stream.ErrMixedLabels, 5, "a plugin's recipient must not stand beside", "alone"},
		{stream.ErrTooManyPassphrases, 7, "x: a container has at most 8 passphrases", "--replace"},
		{fmt.Errorf("recipient 1: age slot: %w", &agekey.PluginError{Name: "x", Said: "no device"}), 1, "x: recipient 1: age slot: age-plugin-x: no device", "the words are the plugin's"},
		{format.ErrMixedClasses, 5, "post-quantum and classical recipients", "--allow-classical"},

		{noKey(0, types(hpke), nil), 4, "no key to open x with (its slots: 1 hpke)", "-i FILE"},
		{noKey(0, types(pass), types(pass)), 4, "wrong passphrase for x", "keyboard"},
		{noKey(1, types(hpke, hpke, kek), types(hpke)), 4, "the key does not open x (its slots: 2 hpke, 1 kek)", "--kek FILE"},
		{noKey(2, types(hpke, pass), types(hpke)), 4, "none of 2 keys opens x (its slots: 1 hpke, 1 passphrase)", "-p"},
		{noKey(1, types(hpke, pass), types(hpke, pass)), 4, "neither the passphrase nor a key of 1 identity opens x", "keyboard"},
		{noKey(1, types(hpke), types(hpke), errors.New("first\nsecond")), 4, "the key does not open x (its slots: 1 hpke); first", "-i FILE"},
		{noKey(1, types(hpke), nil, &agekey.PluginMissingError{Name: "yubikey"}), 4, "the key does not open x", "install age-plugin-yubikey"},
		{noKey(1, types(hpke), nil, fmt.Errorf("key: %w", agekey.ErrWrongPassphrase)), 4, "the key does not open x", "passphrase of the key"},
		{noKey(0, types(pass), types(pass), fmt.Errorf("slot: %w", keyslot.ErrEmptyPassphrase)), 4, "the passphrase is empty", "where it comes from"},
		{noKey(1, types(pass), types(pass), fmt.Errorf("slot: %w", (&passphraseFlags{}).unanswered(console.ErrNoTerminal))), 4, "cannot ask for the passphrase: there is no terminal", "--passphrase-file"},

		{fmt.Errorf("passphrase slot: %w", &keyslot.MemoryError{Need: 256 << 20, Limit: 128 << 20}), 7, "a passphrase takes 256 MiB of memory here, and the limit is 128 MiB", "memory.max"},
		{noKey(1, types(pass, hpke), types(pass, hpke), fmt.Errorf("slot 1: %w", &keyslot.MemoryError{Need: 256 << 20, Limit: 128 << 20})), 7, "a passphrase takes 256 MiB", "memory.max"},
		{&entropy.RequireError{Source: "tpm", Reason: "none", Hint: "buy one"}, 9, `required entropy source "tpm"`, "buy one"},
		{&entropy.RequireError{Source: "tpm", Reason: "none"}, 9, `required entropy source "tpm"`, "--require tpm"},
		{&entropy.UnknownSourceError{Name: "unqiue"}, 64, `no entropy source is called "unqiue"`, "did you mean unique?"},
		{&keyslot.LineError{Line: 3, Err: errors.New("wrong")}, 64, "x: line 3: wrong", "bulla help keys"},
		{fmt.Errorf("k: %w", keyslot.ErrUnknownKey), 64, "x: k: not a key of a known kind", "bulla help keys"},
		{fmt.Errorf("k: %w", keyslot.ErrSecretKey), 64, "x: k: this is a secret key", "keygen"},
		{fmt.Errorf("k: %w", keyslot.ErrNoKeys), 64, "x: k: no key", "bulla help keys"},
		{fmt.Errorf("p: %w", keyslot.ErrEmptyPassphrase), 4, "the passphrase is empty", "where it comes from"},
		{fmt.Errorf("r: %w", &agekey.PluginMissingError{Name: "tpm"}), 7, "age-plugin-tpm is not on the path", "install"},

		{path("write", syscall.ENOSPC), 1, "cannot write dir/x: no space left on device", "make room"},
		{path("write", syscall.EDQUOT), 1, "cannot write dir/x: ", "make room"},
		{path("open", fs.ErrNotExist), 1, "cannot open dir/x: file does not exist", "check the name"},
		{path("open", fs.ErrPermission), 1, "cannot open dir/x: permission denied", "who may read and write"},
		{new(app).unreadable("dir/x", path("open", fs.ErrPermission)), 1, "cannot open dir/x: permission denied", "check who may read it"},
		{path("open", syscall.EROFS), 1, "cannot open dir/x: ", "who may read and write"},
		{path("open", syscall.ENOTDIR), 1, "cannot open dir/x: ", "part of the path"},
		{path("read", syscall.EISDIR), 1, "cannot read dir/x: ", "not a directory"},
		{path("open", syscall.ENAMETOOLONG), 1, "cannot open dir/x: ", "shorter name"},
		{path("sync", syscall.EINVAL), 1, "cannot sync dir/x: ", "--no-sync"},
		{path("seek", syscall.EINVAL), 1, "cannot seek dir/x: ", "source or the destination"},
		{path("sync", syscall.EIO), 1, "cannot sync dir/x: ", "source or the destination"},
		{&os.LinkError{Op: "rename", Old: ".y.partial", New: "y", Err: syscall.EXDEV}, 1, "cannot give y its name: ", "spans file systems"},
		{path("read", syscall.EIO), 1, "cannot read dir/x: ", "source or the destination"},
		{&os.LinkError{Op: "rename", Old: ".y.partial", New: "y", Err: syscall.EIO}, 1, "cannot give y its name: ", "source or the destination"},
		{io.ErrUnexpectedEOF, 1, "x: unexpected EOF", "became shorter"},
		{errors.New("something else"), 1, "x: something else", "report it"},
	} {
		p := explain(about("x", c.err))
		if p.exit != c.exit || !strings.HasPrefix(p.what, c.what) || !strings.Contains(p.hint, c.hint) || p.silent {
			t.Errorf("%#v\n is explained with %d %q and %q,\n want %d %q… and …%q…", c.err, p.exit, p.what, p.hint, c.exit, c.what, c.hint)
		}
		if p.hint == "" || strings.Contains(p.hint, "\n") || strings.Contains(p.what, "\n") {
			t.Errorf("%v: not a line each: %q, %q", c.err, p.what, p.hint)
		}
	}
}

// What came through a pipe cannot be salvaged, nor opened by its other end.
func TestExplainPipes(t *testing.T) {
	for _, c := range []struct {
		err  error
		hint string
	}{
		{&stream.ChunkError{Index: 4}, hintCopy},
		{&stream.TruncatedError{Chunks: 3}, hintCopy},
		{&format.ParseError{Clause: format.HEAD5, Kind: format.ErrDamaged}, "if it came through a pipe, open it as a file: the copy of the head at its end may serve"},
	} {
		if p := explain(about(stdinName, c.err)); p.hint != c.hint {
			t.Errorf("%v: the hint is %q", c.err, p.hint)
		}
	}
}

func TestExplainSilently(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
	}{
		{&interrupt.Error{Signal: syscall.SIGTERM}, 143},
		{fmt.Errorf("reading: %w", &interrupt.Error{Signal: syscall.SIGINT}), 130},
		{&fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, 141},
	} {
		if p := explain(about("x", c.err)); p.exit != c.exit || !p.silent {
			t.Errorf("%v is explained with %d, silently: %v", c.err, p.exit, p.silent)
		}
	}
	// A pipe to a program of our own is no output.
	if p := explain(&fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}); p.exit != exitIO || p.silent {
		t.Errorf("a plugin that died is explained with %d, silently: %v", p.exit, p.silent)
	}
}

func TestExitCodesAreDocumented(t *testing.T) {
	documented := make(map[int]bool)
	for _, c := range exitCodes {
		documented[c.code] = true
	}
	for _, code := range []int{exitOK, exitIO, exitBad, exitNoKey, exitRefused, exitLoss, exitUnsupported, exitSource, exitEntropy, exitUsage} {
		if !documented[code] {
			t.Errorf("help exit-codes does not have %d", code)
		}
	}
}

// TestVerbs holds every verb to what help promises of all.
func TestVerbs(t *testing.T) {
	root := newApp(stdio{os.Stdin, os.Stdout, os.Stderr}).rootCommand()
	for _, cmd := range root.Commands() {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short text is %q", cmd.Name(), cmd.Short)
		}
		if cmd.Name() == "help" {
			continue
		}
		if cmd.Long == "" {
			t.Errorf("%s has no long text", cmd.Name())
		}
		if cmd.Runnable() && cmd.Example == "" {
			t.Errorf("%s has no examples", cmd.Name())
		}
	}
	texts := make(map[string]bool)
	everyPage(func(_ *cobra.Command, name string) { texts[strings.ReplaceAll(name, " ", "-")+".txt"] = true })
	files, err := helpTexts.ReadDir("help")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !texts[f.Name()] && f.Name() != "bulla.txt" {
			t.Errorf("help/%s is of no verb", f.Name())
		}
	}
}

func TestWorst(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	a := newApp(stdio{nil, null, null})
	bad, io, key := &failure{exit: exitBad}, &failure{exit: exitIO}, &failure{exit: exitNoKey}
	for _, c := range []struct {
		errs []error
		want error
	}{
		{[]error{nil}, nil},
		{[]error{nil, nil}, nil},
		{[]error{nil, key}, key},
		{[]error{key, nil, io}, io},
		{[]error{io, bad, key}, bad},
	} {
		if got := a.worst(c.errs); got != c.want {
			t.Errorf("the worst of %v is %v", c.errs, got)
		}
	}
}

// What --allow allows is what it names, of the words that the verb knows.
func TestAllow(t *testing.T) {
	a := &allowFlag{other: []string{"double"}}
	if a.allows("device") || a.Set("device,double") != nil || !a.allows("device") || !a.allows("double") {
		t.Errorf("allowed: %v", a)
	}
	if a.Set("everything") == nil || new(allowFlag).Set("double") == nil {
		t.Error("a word that the verb does not know is taken")
	}
}
