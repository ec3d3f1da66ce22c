package agekey

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age/plugin"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/slot"
)

// pluginPair is a recipient and an identity of the test's plugin, which do what
// the words say.
func pluginPair(t *testing.T, wrap, unwrap string, ui UI) (*Recipient, *Identity) {
	t.Helper()
	r := parseRecipient(t, plugin.EncodeRecipient(pluginName, []byte(wrap)), ui)
	i, err := ParseIdentity(plugin.EncodeIdentity(pluginName, []byte(unwrap)), ui)
	if err != nil {
		t.Fatal(err)
	}
	return r, i
}

func TestPlugin(t *testing.T) {
	withPlugin(t)
	r, i := pluginPair(t, "quiet", "quiet", nil)
	s := slotOf(t, r)
	opens(t, i, s)
	if !i.Interactive() || !i.Accepts(format.SlotAge) || i.Accepts(format.SlotHPKE) {
		t.Error("it says the wrong things about itself")
	}
	k := newX25519(t)
	refuses(t, i, slotOf(t, parseRecipient(t, k.Recipient().String(), nil)), slot.ErrIncorrectIdentity)
	refuses(t, fixedIdentity(k), s, slot.ErrIncorrectIdentity)

	// Several stanzas are one recipient's business.
	r, _ = pluginPair(t, "several", "", nil)
	opens(t, i, slotOf(t, r))
}

func TestPluginAsks(t *testing.T) {
	withPlugin(t)
	for _, tt := range []struct {
		what string
		ui   *script
		asks string
	}{
		{"message", &script{}, "bullatest says touch \ufffdthe device"},
		{"value", &script{value: "1234"}, "bullatest asks PIN\ufffd[2J true"},
		{"confirm", &script{choice: true}, "bullatest asks sure?\ufffd y\ufffdes n\ufffdo"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r, i := pluginPair(t, tt.what, tt.what, tt.ui)
			opens(t, i, slotOf(t, r))
			tt.ui.asked(t, tt.asks, tt.asks)

			// An answer that cannot be had is the error one sees.
			errTTY := errors.New("no terminal")
			r, i = pluginPair(t, tt.what, tt.what, &script{err: errTTY})
			if _, err := r.Wrap(t.Context(), osMixer(t), testPreamble(), testCEK()); !errors.Is(err, errTTY) {
				t.Errorf("Wrap: %v", err)
			}
			quiet, _ := pluginPair(t, "quiet", "", nil)
			if _, err := i.Unwrap(t.Context(), slotOf(t, quiet), testPreamble()); !errors.Is(err, errTTY) {
				t.Errorf("Unwrap: %v", err)
			}

			// Nobody to ask: questions fail, a message may be lost.
			r, _ = pluginPair(t, tt.what, "", nil)
			_, err := r.Wrap(t.Context(), osMixer(t), testPreamble(), testCEK())
			if tt.what == "message" && err != nil || tt.what != "message" && !errors.Is(err, ErrNoUI) {
				t.Errorf("with nobody: %v", err)
			}
		})
	}
}

func TestPluginFails(t *testing.T) {
	withPlugin(t)
	quiet, _ := pluginPair(t, "quiet", "", nil)
	s := slotOf(t, quiet)
	for _, what := range []string{"fail", "die"} {
		r, i := pluginPair(t, what, what, &script{})
		_, wrapErr := r.Wrap(t.Context(), osMixer(t), testPreamble(), testCEK())
		_, unwrapErr := i.Unwrap(t.Context(), s, testPreamble())
		for _, err := range []error{wrapErr, unwrapErr} {
			if err == nil || errors.Is(err, slot.ErrIncorrectIdentity) || !strings.Contains(err.Error(), "age-plugin-bullatest: ") {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
				t.Errorf("%s: what the plugin says goes to the terminal as it is: %q", what, err)
			}
			if what == "fail" && !strings.Contains(err.Error(), "31mdevice") {
				t.Errorf("what the plugin says is lost: %v", err)
			}
		}
	}

	var size *SizeError
	huge, _ := pluginPair(t, "huge", "", nil)
	if _, err := huge.Wrap(t.Context(), osMixer(t), testPreamble(), testCEK()); !errors.As(err, &size) || size.Limit != PluginBodySize || size.Size <= size.Limit {
		t.Errorf("huge: %v", err)
	}
	var clause *format.ParseError
	scrypt, _ := pluginPair(t, "scrypt", "", nil)
	if _, err := scrypt.Wrap(t.Context(), osMixer(t), testPreamble(), testCEK()); !errors.As(err, &clause) || clause.Clause != format.AGE2 {
		t.Errorf("scrypt: %v", err)
	}
}

func TestPluginMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	r, i := pluginPair(t, "", "", nil)
	k := newX25519(t)
	s := sealed(t, testCEK(), k.Recipient())
	_, wrapErr := r.Wrap(t.Context(), osMixer(t), testPreamble(), testCEK())
	_, unwrapErr := i.Unwrap(t.Context(), s, testPreamble())
	for _, err := range []error{wrapErr, unwrapErr} {
		var missing *PluginMissingError
		if !errors.As(err, &missing) || missing.Name != pluginName {
			t.Errorf("%v", err)
		}
	}
}

// A cancelled call does not wait for the plugin.
func TestPluginCancelled(t *testing.T) {
	withPlugin(t)
	quiet, _ := pluginPair(t, "quiet", "", nil)
	s := slotOf(t, quiet)
	r, i := pluginPair(t, "hang", "hang", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	cek := testCEK()
	if _, err := r.Wrap(ctx, osMixer(t), testPreamble(), cek); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wrap: %v", err)
	}
	clear(cek) // the caller's again: the race detector watches who still reads it
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := i.Unwrap(ctx, s, testPreamble()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Unwrap: %v", err)
	}
	clear(s.Body)
}

// The tools of age and this package find the same plugin.
func TestPluginWithAge(t *testing.T) {
	ageTool := tool(t, "age")
	withPlugin(t)
	r, _ := pluginPair(t, "quiet", "quiet", nil)
	s := slotOf(t, r)
	key := write(t, []byte(plugin.EncodeIdentity(pluginName, []byte("quiet"))+"\n"))
	if got := run(t, s.Body, ageTool, "-d", "-i", key); string(got) != string(testCEK()) {
		t.Errorf("age -d gives %q", got)
	}
}

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"touch the device", "touch the device"},
		{" two\nlines\t \r\n", "two lines"},
		{"\x1b]0;title\x07", "\ufffd]0;title\ufffd"},
		{"a\u202eb\u200bc\x9b", "a\ufffdb\ufffdc\ufffd"},
		{"Gerät berühren", "Gerät berühren"},
		{"\xff", "\ufffd"},
	} {
		if got := safetext.OneLine(tt.in); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

// One run of a plugin is for all slots, as for the stanzas of one age file.
func TestPluginRunsOnceForAll(t *testing.T) {
	withPlugin(t)
	ui := &script{}
	mine, i := pluginPair(t, "picky", "picky", ui)
	other, _ := pluginPair(t, "quiet", "", nil)
	x25519 := parseRecipient(t, newX25519(t).Recipient().String(), nil)
	crowd := []*format.Slot{{Type: format.SlotKEK, Body: []byte("kek")}, {Type: format.SlotAge, Body: []byte("no age file")}}
	for range 20 {
		crowd = append(crowd, slotOf(t, other), slotOf(t, x25519))
	}
	if which, cek, err := i.UnwrapAny(t.Context(), crowd, testPreamble()); which != -1 || cek != nil || !errors.Is(err, slot.ErrIncorrectIdentity) {
		t.Errorf("slots of others: %d, %v", which, err)
	}
	for _, at := range []int{0, 7, len(crowd)} {
		ui.calls = nil
		all := slices.Insert(slices.Clone(crowd), at, slotOf(t, mine))
		which, cek, err := i.UnwrapAny(t.Context(), all, testPreamble())
		if err != nil || which != at || !bytes.Equal(cek, testCEK()) {
			t.Errorf("at %d: %d, %x, %v", at, which, cek, err)
		}
		ui.asked(t, "bullatest says run")
	}
	// What is wrong with a slot that the plugin opens is said of that slot.
	all := append(slices.Clone(crowd), sealedByPlugin(t, mine, testCEK()[:31]))
	which, _, err := i.UnwrapAny(t.Context(), all, testPreamble())
	if pe := new(format.ParseError); which != len(crowd) || !errors.As(err, &pe) || pe.Clause != format.AGE3 {
		t.Errorf("31 bytes: %d, %v", which, err)
	}
}

// sealedByPlugin is a slot of a plugin's recipient that holds something else than
// a CEK.
func sealedByPlugin(t *testing.T, r *Recipient, plain []byte) *format.Slot {
	t.Helper()
	w, err := wrap(r.to(t.Context()), plain)
	if err != nil {
		t.Fatal(err)
	}
	return &format.Slot{Type: format.SlotAge, Body: w.body}
}

// Labels are what age's recipients say.
func TestLabels(t *testing.T) {
	withPlugin(t)
	plugin := func(what string) *Recipient { r, _ := pluginPair(t, what, "", nil); return r }
	for _, tt := range []struct {
		name string
		r    *Recipient
		want []string
	}{
		{"x25519", parseRecipient(t, natives(t)["x25519"], nil), nil},
		{"ssh", parseRecipient(t, natives(t)["ed25519"], nil), nil},
		{"tag", parseRecipient(t, natives(t)["tag"], nil), nil},
		{"tagpq", parseRecipient(t, natives(t)["tagpq"], nil), []string{slot.LabelPostQuantum}},
		{"plugin", plugin("quiet"), nil},
		{"post-quantum plugin", plugin("label postquantum"), []string{slot.LabelPostQuantum}},
		{"plugin that is to be alone", plugin("label 4f3c"), []string{"4f3c"}},
	} {
		_, labels, err := tt.r.WrapWithLabels(t.Context(), osMixer(t), testPreamble(), testCEK())
		if err != nil || !slices.Equal(labels, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.name, labels, err, tt.want)
		}
	}
}

// Of a plugin that crashes it is shown how to see what it says. It runs once.
func TestPluginCrashes(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	dir := t.TempDir()
	script := "#!" + sh + "\necho run >>" + filepath.Join(dir, "runs") + "\nexit 127\n"
	if err := os.WriteFile(filepath.Join(dir, "age-plugin-crash"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	i, err := ParseIdentity(plugin.EncodeIdentity("crash", nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.Unwrap(t.Context(), sealed(t, testCEK(), newX25519(t).Recipient()), testPreamble())
	e, ok := errors.AsType[*PluginError](err)
	if !ok || e.Name != "crash" || !strings.Contains(e.Hint(), "age-plugin-crash --age-plugin=") || !strings.HasSuffix(err.Error(), "it ended before it had answered") {
		t.Errorf("%q", err)
	}
	if runs := read(t, filepath.Join(dir, "runs")); string(runs) != "run\n" {
		t.Errorf("it ran: %q", runs)
	}
}
