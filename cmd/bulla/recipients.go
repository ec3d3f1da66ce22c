package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bulla/format"
	"bulla/slot"
	"bulla/stream"
)

func recipientsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipients VERB",
		Short: "Show or change who can open a file, without touching its content",
		Long: `Show or change who can open a file. Its content is not touched: whatever its size,
only the two copies of its head, some kilobytes at its beginning and at its end, are
written. If that is interrupted at any moment, the file opens with its old recipients
or with its new ones.

Who changes the recipients must be able to open the file. -r, -R, --kek and -p say
whom the change is about; -i says with what to open the file, and without it that is
the default identity, or a passphrase, which is asked for.

Removing a recipient is not revocation: whoever could open the file once may have
kept its key, or a copy of it from before. To lock somebody out for good, encrypt the
content again.

A medium that cannot be written in place keeps its head elsewhere: see bulla help head.`,
		Example: `  bulla recipients list backup.tar.bulla
  bulla recipients add -r age1pq1... backup.tar.bulla
  bulla recipients remove -R left-the-team.txt backup.tar.bulla
  bulla recipients add -p --replace 2 backup.tar.bulla    change a passphrase`,
	}
	return withVerbs(cmd, recipientsListCommand(a), recipientsAddCommand(a), recipientsRemoveCommand(a), recipientsRepairCommand(a))
}

func recipientsRepairCommand(a *app) *cobra.Command {
	r := &repairFlags{}
	cmd := &cobra.Command{
		Use:   "repair FILE",
		Short: "Make both copies of a file's head good and equal",
		Long: `Make both copies of a file's head the newest that is authentic, where they are not:
after a change of recipients that was interrupted, or damage to one of them. bulla
verify says whether that is so. What is good is not written; the content is not
touched.

It is opened like for decrypt: with -i, -p, --kek, or the default identity. If neither
copy is good, a detached head may serve: bulla help head restore.`,
		Example: `  bulla recipients repair backup.tar.bulla
  bulla recipients repair --dry-run -i key.txt backup.tar.bulla`,
		Args:              exactlyOne,
		ValidArgsFunction: completeContainers,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.repair(cmd.Context(), r, args[0]) },
	}
	r.register(a, cmd)
	return cmd
}

// A witness stands between a container and an identity, and remembers the slot
// that was opened last: the one whose key fitted.
type witness struct {
	stream.Identity
	slot *format.Slot
}

func (w *witness) Unwrap(ctx context.Context, s *format.Slot, p *format.Preamble) ([]byte, error) {
	cek, err := w.Identity.Unwrap(ctx, s, p)
	if err == nil {
		w.slot = s
	}
	return cek, err
}

func (w *witness) Interactive() bool         { return slot.IsInteractive(w.Identity) }
func (w *witness) Recipient() slot.Recipient { return slot.RecipientOf(w.Identity) }

// watched has ids watched by witnesses.
func watched(ids []stream.Identity) (seen []*witness, all []stream.Identity) {
	for _, id := range ids {
		w := &witness{Identity: id}
		seen, all = append(seen, w), append(all, w)
	}
	return seen, all
}

// openedSlot is the position in h of the slot that one of the witnesses opened,
// -1 if it is not there.
func openedSlot(h *format.Head, seen []*witness) int {
	return slices.IndexFunc(h.Slots, func(s format.Slot) bool {
		return slices.ContainsFunc(seen, func(w *witness) bool {
			return w.slot != nil && w.slot.Type == s.Type && string(w.slot.Body) == string(s.Body)
		})
	})
}

// AnyPassphrase stands for every passphrase: they all have the same name.
type anyPassphrase struct{}

func (anyPassphrase) Type() format.SlotType { return format.SlotPassphrase }
func (anyPassphrase) Canonical() string     { return "" }

// shortKey is a recipient in at most one line: its beginning and its end tell
// long ones apart.
func shortKey(canonical string) string {
	const most, first, last = 84, 20, 12
	if len(canonical) <= most && !strings.HasPrefix(canonical, "kek:") {
		return canonical
	}
	return canonical[:first] + "…" + canonical[len(canonical)-last:]
}
