package main

import (
	"strings"

	"github.com/spf13/cobra"
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

// shortKey is a recipient in at most one line: its beginning and its end tell
// long ones apart.
func shortKey(canonical string) string {
	const most, first, last = 84, 20, 12
	if len(canonical) <= most && !strings.HasPrefix(canonical, "kek:") {
		return canonical
	}
	return canonical[:first] + "…" + canonical[len(canonical)-last:]
}
