package main

import (
	"strings"

	"bulla/internal/safetext"

	"github.com/spf13/cobra"
)

// withVerbs makes cmd a verb that is nothing without one of its own.
func withVerbs(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	var names []string
	for _, verb := range verbs {
		verb.DisableFlagsInUseLine = true
		verb.Flags().SortFlags = false
		names = append(names, verb.Name())
		cmd.AddCommand(verb)
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		hint := "bulla help " + cmd.Name() + " explains them"
		if len(args) == 0 {
			return usage(hint, "%s takes a verb: %s", cmd.Name(), strings.Join(names, ", "))
		}
		return usage(orElse(didYouMean(args[0], names), hint), "%s has no verb %s", cmd.Name(), safetext.Printable(args[0]))
	}
	return cmd
}

// exactlyOneFile accepts one argument with something in it.
func exactlyOneFile(cmd *cobra.Command, args []string) error {
	if err := notEmpty(cmd, args); err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return usage("for example: "+cmd.CommandPath()+" backup.tar.bulla", "%s takes the name of a file", cmd.Name())
	case len(args) > 1:
		return usage("call it once for each", "%s takes one file, not %d", cmd.Name(), len(args))
	}
	return nil
}
