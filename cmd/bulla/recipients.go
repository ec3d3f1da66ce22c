package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func recipientsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipients VERB",
		Short: "List, add and remove recipients of a file",
		Long: `List or change who can open a file. This writes only the two copies of the head,
some kilobytes at the beginning and at the end, whatever the size of the file. If
it is interrupted, the file opens with its old recipients or with its new ones.

To change the recipients you need a key that opens the file: -i, --open-kek or the
other --open- flags; by default it is identity.txt, or a passphrase. -r, -R, --kek
and -p name the recipients to add or remove.

Removing a recipient is not revocation: whoever could open the file may have kept
its key, or an older copy. To lock somebody out, encrypt the content again.

For a file that cannot be written in place, change a detached head: see bulla help
head.`,
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
		Short: "Repair the head of a file",
		Long: `Make both copies of the head equal to the newest authentic one, after an
interrupted change of recipients or damage to one copy. bulla verify tells whether
that is needed. Good copies and the content are not written.

You need a key that opens the file, as for decrypt: -i, -p, --kek or identity.txt.
If neither copy is good, a detached head may help: bulla help head restore.`,
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
