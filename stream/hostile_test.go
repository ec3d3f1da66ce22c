package stream_test

import (
	"context"
	"maps"
	"runtime"
	"testing"

	"bulla/format"
	"bulla/stream"
)

// Heads that are well-formed, and made to keep whoever opens them busy: they are
// refused before the work, or the asking, exceeds its limit, and for little
// memory. What an attempt costs is counted, not timed.
func TestHostileHeadsCost(t *testing.T) {
	const (
		most    = format.MaxPassphraseWork / format.MaxPassphraseKiB // passes over the most memory
		memory  = 10 << 20                                           // bytes for one attempt to open
		dearest = 16
	)
	many := func(n int, slot func(i int) stream.Recipient) (all []stream.Recipient) {
		for i := range n {
			all = append(all, slot(i))
		}
		return all
	}
	body := func(i, n int) []byte { return append([]byte{byte(i)}, make([]byte, n-1)...) }
	for _, tt := range []struct {
		name   string
		slots  []stream.Recipient
		id     counter
		clause format.Clause
		calls  int // of Unwrap
	}{
		{"one passphrase of 16 passes over 1 GiB",
			many(1, func(i int) stream.Recipient { return passphraseSlot(format.MaxPassphraseKiB, dearest, byte(i)) }),
			counter{accepts: format.SlotPassphrase}, format.PASS5, 0},
		{"all passphrases, each of as much as there may be",
			many(format.MaxPassphraseSlots, func(i int) stream.Recipient { return passphraseSlot(format.MaxPassphraseKiB, most, byte(i)) }),
			counter{accepts: format.SlotPassphrase}, format.SLOT3, format.MaxPassphraseSlots},
		{"all passphrases, each of a pass more",
			many(format.MaxPassphraseSlots, func(i int) stream.Recipient { return passphraseSlot(format.MaxPassphraseKiB, most+1, byte(i)) }),
			counter{accepts: format.SlotPassphrase}, format.PASS5, 0},
		{"128 slots for a plugin",
			many(format.MaxSlots, func(i int) stream.Recipient { return bodyOf{slotVault, body(i, 1900)} }),
			counter{accepts: slotVault, asks: true}, format.AGE4, stream.MaxInteractive},
		{"128 slots for a key",
			many(format.MaxSlots, func(i int) stream.Recipient { return bodyOf{slotVault, body(i, 1900)} }),
			counter{accepts: slotVault}, format.SLOT3, format.MaxSlots},
		{"a slot as long as a head has room for",
			many(1, func(i int) stream.Recipient {
				return bodyOf{slotVault, make([]byte, format.MaxSlotBody)}
			}),
			counter{accepts: slotVault}, format.SLOT3, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := manySlots(t, tt.slots...)
			all := maps.Clone(openers)
			all["OpenHead"] = func(ctx context.Context, b []byte, ids []stream.Identity) error {
				_, err := stream.EditDetachedHead(ctx, b, ids)
				return err
			}
			all["Rewrap"] = func(ctx context.Context, b []byte, ids []stream.Identity) error {
				_, err := rewrap(ctx, &disk{b: b}, int64(len(b)), ids, adding())
				return err
			}
			for name, open := range all {
				id := tt.id
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := open(t.Context(), b, with(&id))
				runtime.ReadMemStats(&after)
				if clauseOf(err) != tt.clause || id.calls != tt.calls {
					t.Errorf("%s: %d calls of Unwrap, not %d: %v", name, id.calls, tt.calls, err)
				}
				if n := after.TotalAlloc - before.TotalAlloc; n > memory {
					t.Errorf("%s: %d bytes allocated", name, n)
				}
			}
		})
	}
}
