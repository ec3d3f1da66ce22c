package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// A keyUse is what a verb wants keys and passphrases for. The flags that name
// them are the same in every verb, with one meaning; help says what for.
type keyUse struct {
	prefix     string // of long names, where a verb has such flags twice
	act        string // what is done with a key
	passphrase string // which passphrase it is
}

var (
	toEncrypt = keyUse{act: "encrypt to", passphrase: "the passphrase"}
	toAdd     = keyUse{act: "add", passphrase: "the passphrase to add"}
	toRemove  = keyUse{act: "remove"}
	toFind    = keyUse{act: "look for the slot of"}
	toOpen    = keyUse{act: "open it with", passphrase: "the passphrase"}
	toProtect = keyUse{act: "put the key under", passphrase: "the passphrase of the key"}
	toKeep    = keyUse{act: "put the keeper under", passphrase: "the passphrase of the keeper"}
	toEdit    = keyUse{prefix: "open-", act: "open the file with", passphrase: "the passphrase that opens the file"}
)

// A keyFlag is one of the flags that name keys. Its description goes on from
// what is done with the key.
type keyFlag struct{ name, letter, usage string }

var (
	recipientFlag      = keyFlag{"recipient", "r", "`RECIPIENT`, a public key (repeatable)"}
	recipientsFileFlag = keyFlag{"recipients-file", "R", "every recipient listed in `FILE` (repeatable)"}
	identityFlag       = keyFlag{"identity", "i", "the identities in `FILE` (repeatable)"}
	kekFlag            = keyFlag{"kek", "", "the symmetric key in `FILE` (repeatable)"}
	passphraseFlag     = keyFlag{"passphrase", "p", "a passphrase, and ask for it"}
)

// passphraseSources are the flags that say where a passphrase comes from; {} is
// which one.
var passphraseSources = []struct {
	kind  sourceKind
	usage string
}{
	{fromDescriptor, "read {} from file descriptor `N`"},
	{fromFile, "read {} from `FILE`"},
	{fromCommand, "run `COMMAND` in a shell and take what it prints for {}"},
	{fromCredential, "read {} from the systemd credential `NAME`"},
}

func (u keyUse) registerFiles(cmd *cobra.Command, flag keyFlag, to *[]string) {
	name := flag.name
	if flag.letter == "" {
		name = u.prefix + name
	}
	cmd.Flags().StringArrayVarP(to, name, flag.letter, nil, u.act+" "+flag.usage)
}

// registerPassphrase registers -p, where it is not taken by another use, and the
// sources.
func (u keyUse) registerPassphrase(cmd *cobra.Command, p *passphraseFlags) {
	p.prefix = u.prefix
	if u.prefix == "" {
		cmd.Flags().BoolVarP(&p.ask, passphraseFlag.name, passphraseFlag.letter, false, u.act+" "+passphraseFlag.usage)
	}
	u.registerSources(cmd, p)
}

// registerSources registers the flags that say where a passphrase comes from.
func (u keyUse) registerSources(cmd *cobra.Command, p *passphraseFlags) {
	f := cmd.Flags()
	for _, s := range passphraseSources {
		v := &sourceFlag{p: p, kind: s.kind, name: u.prefix + "passphrase-" + string(s.kind)}
		f.Var(v, v.name, strings.ReplaceAll(s.usage, "{}", u.passphrase))
	}
}

// A sourceKind is a kind of place that passphrases come from, by the name that
// its flag has for it.
type sourceKind string

const (
	fromDescriptor sourceKind = "fd"
	fromFile       sourceKind = "file"
	fromCommand    sourceKind = "command"
	fromCredential sourceKind = "credential"
)

// A sourceFlag is one of the flags that say where a passphrase comes from.
type sourceFlag struct {
	p     *passphraseFlags
	kind  sourceKind
	name  string // of the flag
	value string
}

// Set implements [pflag.Value]. Each use of such a flag is a source of its own.
func (f *sourceFlag) Set(value string) error {
	if n, err := strconv.Atoi(value); f.kind == fromDescriptor && (err != nil || n < 0) {
		return errors.New("not a descriptor")
	}
	f.value = value
	given := *f
	f.p.sources = append(f.p.sources, &given)
	return nil
}

func (f *sourceFlag) String() string { return f.value }

func (f *sourceFlag) Type() string {
	if f.kind == fromDescriptor {
		return "descriptor"
	}
	return "string"
}

func (f *sourceFlag) descriptor() int {
	n, _ := strconv.Atoi(f.value) // Set has looked
	return n
}
