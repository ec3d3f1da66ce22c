package object

import (
	"testing"

	"bulla/internal/safetext"
)

// What a store says is shown, and does nothing to a terminal.
func TestStoreSays(t *testing.T) {
	got := StatusFailure("s3://b/k", 400, nil, "Odd", "no\u009b2J\x1b[1m\nmore").Error()
	if want := "s3://b/k was refused by the store: 400 Bad Request Odd no\ufffd2J\ufffd[1m more"; got != want || got != safetext.Printable(got) {
		t.Errorf("%q, want %q", got, want)
	}
}
