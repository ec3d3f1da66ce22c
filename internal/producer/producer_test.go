package producer

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// run reads all that a shell's command writes, and says how it ended.
func run(t *testing.T, ctx context.Context, script string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh")
	}
	p, err := New(ctx, []string{"sh", "-c", script})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(nil, os.Stderr); err != nil {
		return "", err
	}
	b, err := io.ReadAll(p.Out)
	return string(b), p.End(err)
}

func TestProducer(t *testing.T) {
	t.Parallel()
	if out, err := run(t, t.Context(), "echo data"); out != "data\n" || err != nil {
		t.Errorf("%q and %v", out, err)
	}
	for script, text := range map[string]string{"echo part; exit 3": "sh ended with exit code 3", "kill -9 $$": "sh was ended by a signal: killed"} {
		var failed *Error
		if _, err := run(t, t.Context(), script); !errors.As(err, &failed) || failed.Text != text || failed.Advice == "" {
			t.Errorf("%s: %v", script, err)
		}
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := run(t, ctx, "echo data"); !errors.Is(err, cause) {
		t.Errorf("of a context that has ended: %v", err)
	}
	var none *Error
	if _, err := New(t.Context(), []string{"no-such-command"}); !errors.As(err, &none) || !strings.HasSuffix(none.Text, "there is no such command") {
		t.Error(err)
	}
}

// A reader that gives up has the command end, too.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	p, err := New(t.Context(), []string{"sh", "-c", "while :; do echo data; done"})
	if err != nil {
		t.Skip(err)
	}
	if err := p.Start(nil, os.Stderr); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if err := p.End(full); err != full {
		t.Error(err)
	}
}
