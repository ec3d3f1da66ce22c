package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// exitCodes is what every exit code means, for help.
var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitOK, "success"},
	{exitIO, "reading or writing failed: no such file, disk full, network gone"},
	{exitBad, "the file is corrupt, truncated or forged"},
	{exitNoKey, "no key fits, or the passphrase is wrong or cannot be had"},
	{exitRefused, "refused for safety: the output exists, is the input, or is in use"},
	{exitLoss, "salvaged, or taken with --truncated, with loss"},
	{exitUnsupported, "not a bulla file, of a newer version, or over a limit"},
	{exitSource, "the command whose output was to be encrypted failed"},
	{exitEntropy, "a required source of entropy is missing"},
	{exitDiffers, "what is compared differs"},
	{exitChanged, "another program changed the file meanwhile"},
	{exitUsage, "the command line makes no sense, or a key in it or in a key file"},
	{exitSignal, "stopped by signal N: 130 Ctrl-C, 143 kill, 141 the reader went away"},
}

// exitsOf is with which of these a verb may end, besides those of every verb.
var exitsOf = map[string][]int{
	"encrypt":           {exitNoKey, exitRefused, exitUnsupported, exitSource, exitEntropy},
	"decrypt":           {exitBad, exitNoKey, exitRefused, exitUnsupported},
	"sign":              {exitBad, exitNoKey, exitRefused, exitUnsupported},
	"verify":            {exitBad, exitNoKey, exitUnsupported},
	"cat":               {exitBad, exitNoKey, exitRefused, exitLoss, exitUnsupported},
	"ls":                {exitBad, exitNoKey, exitLoss, exitUnsupported},
	"extract":           {exitBad, exitNoKey, exitRefused, exitLoss, exitUnsupported},
	"diff":              {exitBad, exitNoKey, exitUnsupported, exitDiffers},
	"serve":             {exitBad, exitNoKey, exitUnsupported},
	"mount":             {exitBad, exitNoKey, exitRefused, exitUnsupported},
	"salvage":           {exitBad, exitNoKey, exitRefused, exitLoss, exitUnsupported},
	"parity create":     {exitBad, exitRefused, exitUnsupported},
	"scrub":             {exitBad, exitUnsupported},
	"repair":            {exitBad, exitNoKey, exitRefused, exitUnsupported},
	"inspect":           {exitBad, exitRefused, exitUnsupported},
	"recipients list":   {exitBad, exitNoKey, exitUnsupported},
	"recipients add":    {exitBad, exitNoKey, exitRefused, exitUnsupported, exitEntropy, exitChanged},
	"recipients remove": {exitBad, exitNoKey, exitRefused, exitUnsupported, exitChanged},
	"recipients repair": {exitBad, exitNoKey, exitRefused, exitUnsupported, exitChanged},
	"head export":       {exitBad, exitNoKey, exitRefused, exitUnsupported},
	"head restore":      {exitBad, exitNoKey, exitRefused, exitUnsupported, exitChanged},
	"grant":             {exitBad, exitNoKey, exitRefused, exitLoss, exitUnsupported, exitEntropy},
	"shred":             {exitBad, exitRefused, exitUnsupported, exitChanged},
	"epoch create":      {exitNoKey, exitRefused, exitUnsupported, exitEntropy},
	"epoch extend":      {exitNoKey, exitRefused, exitUnsupported, exitChanged},
	"epoch advance":     {exitNoKey, exitRefused, exitUnsupported, exitChanged},
	"epoch show":        {exitNoKey, exitUnsupported, exitDiffers},
	"keygen":            {exitNoKey, exitRefused, exitUnsupported, exitEntropy},
	"storage uploads":   {},
	"entropy":           {exitEntropy},
	"entropy test":      {exitEntropy},
	"entropy read":      {exitRefused, exitEntropy},
	"completion":        {},
	"version":           {},
}

// exitStatus is with what a verb may end, a line each; all there is if cmd is nil,
// nothing of what is no verb.
func exitStatus(cmd *cobra.Command) string {
	var own []int
	if cmd != nil {
		var is bool
		if own, is = exitsOf[words(cmd)]; !is {
			return ""
		}
	}
	var b strings.Builder
	for _, c := range exitCodes {
		always := c.code == exitOK || c.code == exitIO || c.code == exitUsage || c.code == exitSignal
		if cmd != nil && !always && !slices.Contains(own, c.code) {
			continue
		}
		code := strconv.Itoa(c.code)
		if c.code == exitSignal {
			code += "+N"
		}
		fmt.Fprintf(&b, "  %-6s %s\n", code, c.meaning)
	}
	return b.String()
}

// topics are the pages of help that belong to no verb.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "exit-codes",
			Short: "What the exit codes mean",
			Long: "Exit codes:\n\n" + exitStatus(nil) + `
Every other number is a failure, too. Unless the code is 0, no output file has its
final name, with these exceptions:

  6  the output has what could be saved.
  3  from salvage --from, the output has all that the chosen head opens.
  1  An output that is complete stays, if only what came after it failed:
     synchronizing its directory, or printing the report of --json. The
     message says so.
  extract keeps the members that are whole, whatever the code.
  recipients and head restore change a file in place: after a failure it opens
     with its old recipients or with its new ones.

Standard output, pipes and devices get what is authentic as it comes: after a
failure, discard what came.

With --json, an error is one object on standard error:

  {"error": "...", "hint": "...", "exit": 3}`,
		},
		{
			Use:   "keys",
			Short: "What keys look like, and who can open what",
		},
		{
			Use:   "stores",
			Short: "Object storage and web servers: s3:// and https://",
		},
		{
			Use:   "environment",
			Short: "Environment variables and configuration files",
			Long: fmt.Sprintf(`  %-22s the folder of %s and %s;
                         by default bulla in the configuration directory of
                         the user, on Linux ~/.config/bulla
  %-22s the passphrase, if -p asks for one or no key is named;
                         other processes of the same user can read it, so
                         prefer a file, a descriptor or a command
  %-22s default for -j
  %-22s set by systemd: its credential %s is
                         the passphrase
  BULLA_TPM              the TPM: a device, or the socket of an emulator

If a command line names no key, files are opened with %s and
encrypted to the keys in %s. bulla keygen --default makes both.

A passphrase is taken from the first of: the flag that names a source, the
credential, $%s, the terminal.`,
				envConfigDir, identityFile, recipientsFile, envPassphrase, envJobs, envCredentials, credentialName,
				identityFile, recipientsFile, envPassphrase),
		},
	}
}
