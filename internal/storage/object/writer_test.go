package object

import (
	"context"
	"errors"
	"os"
	"testing"

	"bulla/internal/storage"
)

// A part that waits when the run ends leaves no file open.
func TestWaitingPart(t *testing.T) {
	f, err := storage.NewScratch()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &Writer{now: &part{number: 2, file: f}, upload: "it has begun", ctx: ctx, sending: make(chan struct{}, 1)}
	cancel() // a part in a file takes two places
	if err := w.dispatch(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := f.File.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file was open: %v", err)
	}
}
