package stream_test

import (
	"context"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// The three acts of an editor, as most tests need them.

// rewrap changes the recipients of the container in f, and returns the editor, closed.
func rewrap(ctx context.Context, f stream.File, size int64, ids []stream.Identity, edit *stream.Edit) (*stream.HeadEditor, error) {
	h, err := stream.EditHead(ctx, f, size, ids, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if err := h.Apply(ctx, edit); err != nil {
		return nil, err
	}
	if err := h.Save(f); err != nil {
		return nil, err
	}
	return h, nil
}

// repair makes both copies in f the one that counts, and returns what was wrong.
func repair(ctx context.Context, f stream.File, size int64, ids []stream.Identity, head []byte) ([]format.Finding, error) {
	h, err := stream.EditHead(ctx, f, size, ids, &stream.HeadOptions{Head: head, Mend: true})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	faults := h.Faults()
	return faults, h.Save(f)
}

// rewrapDetached is the head that comes of an edit.
func rewrapDetached(ctx context.Context, head []byte, ids []stream.Identity, edit *stream.Edit) ([]byte, error) {
	h, err := stream.EditDetachedHead(ctx, head, ids)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if err := h.Apply(ctx, edit); err != nil {
		return nil, err
	}
	return h.Encoded(), nil
}

// An editor says which slot opened, wherever edits move it.
func TestOpenedSlot(t *testing.T) {
	a, b, c := newKEK(t), newKEK(t), newKEK(t)
	h, err := stream.EditDetachedHead(t.Context(), headFor(t, stream.WriterOptions{}, a, b, c), with(b))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, step := range []struct {
		edit *stream.Edit
		want int
	}{{&stream.Edit{}, 1}, {removing(a), 0}, {removing(b), -1}} {
		if err := h.Apply(t.Context(), step.edit); err != nil {
			t.Fatal(err)
		}
		if got := h.OpenedSlot(); got != step.want {
			t.Errorf("slot %d, not %d", got, step.want)
		}
	}
}
