package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func recipientsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipients VERB",
		Short: "List, add and remove recipients of a file",
	}
	return withVerbs(cmd, recipientsListCommand(a), recipientsAddCommand(a), recipientsRemoveCommand(a), recipientsRepairCommand(a))
}

func recipientsRepairCommand(a *app) *cobra.Command {
	r := &repairFlags{}
	cmd := &cobra.Command{
		Use:               "repair FILE",
		Short:             "Repair the head of a file",
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
