package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bulla/entropy"
	"bulla/format"
	"bulla/internal/safetext"
	"bulla/keyslot"
	"bulla/keyslot/agekey"
	"bulla/keyslot/epoch"
	"bulla/keyslot/keyfile"
	"bulla/origin"
	"bulla/set"
	"bulla/stream"
)

// Hints that more than one problem has.
const (
	hintReport        = "if this looks like a bug in bulla, please report it"
	hintKeys          = "bulla help keys shows what keys look like"
	hintCopy          = "get another copy of the file"
	hintAppended      = "something was appended to it: cut it off there, which bulla repair does if there is a parity file; or " + hintCopy
	hintAgain         = hintCopy + "; bulla verify lists everything that is wrong with it"
	hintNewer         = "a newer bulla may know it; bulla version says which this is"
	hintVolume        = "put all parts beside the root, or " + hintCopy + "; bulla repair makes a short one anew from its parity file"
	hintIndex         = "put all parts beside the root; an unfinished set has no index: bulla encrypt --resume continues it; bulla repair makes a lost one anew from its parity file"
	hintExchanged     = "put the right one in its place; it or the root belongs elsewhere; or move it away: bulla repair makes a short part anew from its parity file"
	hintNotSigned     = "it is not what was signed, or not by whom you allow: do not use it"
	hintNotAsSigned   = hintNotSigned + "; what a disk has damaged bulla repair repairs, if there is a parity file"
	hintRestore       = "bulla head restore puts a detached head back"
	hintParityAnew    = "bulla parity create --force makes it anew, if bulla verify finds the file valid"
	hintFileItself    = "name the file itself, as a path"
	hintKeyPassphrase = "that was the passphrase of the key, not of the file; try again"
	hintPassphrase    = "check the keyboard layout and try again; bulla verify --no-key says whether the head is damaged"
)

// hintMissing is what to do about a part of a set that is missing.
func hintMissing(part string) string {
	if strings.HasSuffix(part, set.IndexSuffix) {
		return hintIndex
	}
	return hintVolume
}

// orSalvage makes a hint about a file that is damaged or cut of one for a file that has no
// parity file. What came through a pipe is gone.
func orSalvage(hint, name string) string {
	if name == stdinName {
		return hint
	}
	return orRepair(hint) + "; bulla salvage recovers what is still authentic"
}

// orRepair makes a hint about damage of one for a file that has no parity file.
func orRepair(hint string) string {
	return "bulla repair repairs it if there is a parity file; else " + hint
}

// hintSigned is what to do about a file that is not as its signature says.
func hintSigned(broken format.Clause) string {
	if broken == origin.ORIGIN8 {
		return hintNotAsSigned
	}
	return hintNotSigned
}

// unread is why no copy of the head can be read, if that is no damage: it is no container, or
// of another version.
func unread(c *format.Copies) error {
	if err := c.HeadErr; c.Head == nil && c.Tail == nil && (errors.Is(err, format.ErrUnsupported) || errors.Is(err, format.ErrNotBulla)) {
		return err
	}
	return nil
}

// roleHints say what to do with a container that is not read as a file.
var roleHints = map[format.Role]string{
	format.RoleFile:   "it is read by itself, and belongs to no set",
	format.RoleVolume: "name the set's root, which is called like the volume, without .NNNNNN",
	format.RoleRoot:   "name the root as a file, with its parts beside it",
	format.RoleIndex:  "name the set's root, which is called like the index, without .index",
	format.RoleGrant:  "name it beside the file that it is on: bulla cat -g GRANT FILE",
}

// limitHints are for limits that a writer meets.
var limitHints = map[format.Clause]string{
	format.SET9:  "choose another size of the volumes with --volume-size",
	format.SET24: "choose larger volumes with --volume-size",
	format.WRAP1: "decrypt the file and encrypt it again",
}

// explainContainer explains what is wrong with a container, or with the keys
// for it.
func explainContainer(name string, err error) *failure {
	if e, ok := errors.AsType[*keysError](err); ok {
		return explainNoKey(name, e)
	}
	if e, ok := errors.AsType[*stream.LimitError](err); ok {
		return &failure{what: name + ": " + e.Error(), hint: orElse(limitHints[e.Clause], "the file was made to waste the time of its readers; do not trust its source"), exit: exitUnsupported}
	}
	if e, ok := errors.AsType[*stream.TruncatedError](err); ok {
		f := &failure{what: fmt.Sprintf("%s is truncated at byte %d: its end is missing, the %d chunks before are authentic", name, e.Offset, e.Chunks), hint: hintCopy, exit: exitBad}
		if e.Chunks > 0 {
			f.hint = orSalvage(hintCopy, name)
		}
		return f
	}
	if e, ok := errors.AsType[*stream.ChunkError](err); ok {
		return &failure{what: name + ": " + e.Error() + ": damaged or changed", hint: orSalvage(hintCopy, name), exit: exitBad}
	}
	if e, ok := errors.AsType[*stream.TrailingError](err); ok {
		return &failure{what: fmt.Sprintf("%s has data after its end at byte %d", name, e.Offset), hint: hintAppended, exit: exitBad}
	}
	if e, ok := errors.AsType[*stream.NotGrantedError](err); ok {
		return &failure{what: name + ": " + e.Error(), hint: "bulla cat -g GRANT FILE writes all that is granted; ask the maker of the grant for more", exit: exitNoKey}
	}
	if e, ok := errors.AsType[*stream.RoleError](err); ok {
		return &failure{what: fmt.Sprintf("%s is a %v, not a file of its own [%s]", name, e.Role, format.ROLE2), hint: roleHints[e.Role], exit: exitUnsupported}
	}
	if e, ok := errors.AsType[*format.ParseError](err); ok {
		return explainParse(name, e)
	}
	if e, ok := errors.AsType[*origin.Error](err); ok {
		f := &failure{what: fmt.Sprintf("%s: %s [%s]", name, e.Reason, e.Clause), hint: hintSigned(e.Clause), exit: exitBad}
		if errors.Is(e, format.ErrUnsupported) {
			f.hint, f.exit = hintNewer, exitUnsupported
		}
		return f
	}
	if e, ok := errors.AsType[*stream.HeadFullError](err); ok {
		f := &failure{what: fmt.Sprintf("%s: %v", name, e), exit: exitUnsupported}
		if !e.FitsDetached() {
			f.what, f.hint = fmt.Sprintf("%d recipients are too many for one file", e.Slots), "encrypt to a key that all of them have"
		}
		return f
	}
	return nil
}

// plainErrors are those that say it all by being what they are, or, without a text
// of their own here, by what they say.
var plainErrors = []struct {
	err  error
	exit int
	what string
	hint string
}{
	{format.ErrMixedClasses, exitRefused, "post-quantum and classical recipients in one file: a quantum computer could open it by the classical ones",
		"use one kind, or --allow-classical if that is what you want"},
	{stream.ErrMixedLabels, exitRefused, "a plugin's recipient must not stand beside the other recipients: its plugin keeps it apart",
		"encrypt to it alone, or leave it out"},
	{stream.ErrTooManyPassphrases, exitUnsupported, "", "put the new one in an old one's place: bulla recipients add -p --replace N"},
	{keyslot.ErrSecretKey, exitUsage, "", "bulla keygen makes a new key; keygen -y FILE shows the recipient of one"},
	{agekey.ErrWrongPassphrase, exitNoKey, "", hintKeyPassphrase},
	{keyslot.ErrEmptyPassphrase, exitNoKey, keyslot.ErrEmptyPassphrase.Error(), "check where it comes from"},
	{epoch.ErrMalformed, exitUnsupported, "", "bulla epoch create makes a keeper"},
	{keyslot.ErrUnknownKey, exitUsage, "", hintKeys},
	{keyslot.ErrNoKeys, exitUsage, "", hintKeys},
}

func explainPlain(err error) *failure {
	for _, p := range plainErrors {
		if errors.Is(err, p.err) {
			return &failure{exit: p.exit, what: orElse(p.what, err.Error()), hint: p.hint}
		}
	}
	return nil
}

func explainForeign(name string, e *format.ParseError, seems format.Foreign) *failure {
	f := &failure{what: name + " is not a bulla file: " + e.Reason, exit: exitUnsupported, hint: "bulla opens what bulla encrypt has made"}
	switch seems {
	case format.ForeignAge:
		f.hint = "age -d opens it"
	case format.ForeignLost:
		return &failure{what: name + " has no head at either end: both copies are lost, or it never was a bulla file [" + string(e.Clause) + "]", exit: exitBad,
			hint: orRepair("a head that bulla head export has kept opens it: --head FILE, which bulla head restore puts back; bulla salvage looks for one in all of the file")}
	case format.ForeignShredded:
		f.hint = "no key opens it any more; " + hintCopy + ", if one was kept"
	case format.ForeignConverted:
		f.hint = "transfer it again as binary; in PowerShell name the output with -o, not with >"
	}
	return f
}

// explainParse explains a container that is not as the specification demands.
func explainParse(name string, e *format.ParseError) *failure {
	if seems, ok := e.Kind.(format.Foreign); ok {
		return explainForeign(name, e, seems)
	}
	f := &failure{what: name + ": " + e.Error(), exit: exitBad, hint: hintAgain}
	if e.Clause == format.READ4 {
		return &failure{what: "the detached head does not belong to " + name, hint: "use the head that was exported from this file", exit: exitUsage}
	}
	if v, ok := e.Kind.(format.UnknownVersion); ok {
		f.exit, f.hint = exitUnsupported, hintNewer
		if v < format.Version {
			f.hint = "an earlier bulla wrote it: decrypt it with the last one that reads it, which CHANGELOG.md names, and encrypt it again"
		}
		return f
	}
	if e.Clause == format.SET1 {
		return &failure{what: name + " is missing: it is a part of a set", exit: exitBad,
			hint: hintMissing(name)}
	}
	switch e.Kind {
	case format.ErrTruncated:
		if f.what = name + " is truncated: " + e.Reason; e.Clause == format.FILE1 {
			f.what = name + " is a detached head, or truncated right after its head"
			f.hint = "a detached head holds no content: name the file it belongs to, and the head with --head; or " + hintCopy
		}
	case format.ErrDamaged:
		f.what = name + " is " + e.Error()
		switch {
		case e.Clause != format.HEAD5:
			f.hint = orSalvage(hintCopy, name)
		case name == stdinName:
			f.hint = "if it came through a pipe, open it as a file: the copy of the head at its end may serve"
		default: // and so is the one at its end
			f.hint = orRepair("a head that bulla head export has kept opens it: --head FILE; or " + hintCopy)
		}
	case format.ErrUnsupported:
		f.exit, f.hint = exitUnsupported, hintNewer
	case format.ErrMalformed:
		switch e.Clause { // of both copies, or of a part
		case format.SET2, format.SET17:
			f.hint = hintExchanged
		case format.HEAD16:
			f.hint = "if it is a detached head, which may be larger than those in its file, name the file, and the head with --head; or " + hintAgain
		case format.HEAD3:
			f.hint = "a head that bulla head export has kept opens it: --head FILE; or " + hintAgain
		}
	case format.ErrForged:
		f.hint = "bulla recipients repair writes a good copy of the head over a forged one; of a detached head, name another"
		if e.Clause == format.COPY1 {
			f.what = name + " is not one file: its head and its tail belong to two different ones [" + string(format.COPY1) + "]"
			f.hint = "do not trust it; bulla salvage --from head, or --from tail, gets out what one of the two opens"
		}
	}
	return f
}

func explainNoKey(name string, e *keysError) *failure {
	causes := errors.Join(e.Causes...)
	if f := explainedBefore(causes); f != nil { // such as that nobody could be asked
		return f
	}
	if errors.Is(causes, keyslot.ErrEmptyPassphrase) || errors.As(causes, new(*keyslot.MemoryError)) {
		return cmp.Or(explainPlain(causes), explainKeys(causes))
	}
	asked := slices.Contains(e.Tried, format.SlotPassphrase)
	f := &failure{exit: exitNoKey}
	census := " (its slots: " + format.CountTypes(e.Slots) + ")"
	switch n := e.keys.named; {
	case n == 0 && asked:
		f.what = "wrong passphrase for " + name
	case n == 0 && e.keys.phrase:
		f.what = name + " has no passphrase" + census
	case n == 0:
		f.what = "no key to open " + name + " with" + census
	case asked:
		f.what = "neither the passphrase nor a key of " + plural(n, "identity") + " opens " + name + census
	case n == 1:
		f.what = "the key does not open " + name + census
	default:
		f.what = fmt.Sprintf("none of %d keys opens %s%s", n, name, census)
	}
	for _, c := range e.Causes {
		f.what += "; " + firstLine(c.Error())
	}
	for _, k := range e.keys.keepers() {
		f.what += "; " + keeperText(k, e.keys.written)
	}
	f.hint = hintNoKey(e, causes, asked)
	return f
}

// keeperText is why a keeper opens no file of that time: only a supposition, since slots
// do not say whose they are.
func keeperText(k *keyfile.Keeper, written time.Time) string {
	name, reach := safetext.Printable(k.File), k.Reach()
	opens := "its epoch has perhaps ended: " + name + " opens what was encrypted from " + reach.String()
	switch at := epoch.DateOf(written); {
	case reach.Len() == 0:
		return "its epoch has perhaps ended: so have all of " + name
	case written.IsZero():
		return opens
	case at >= reach.Next():
		return fmt.Sprintf("%s opens what was encrypted from %v, and the file is of %v", name, reach, at)
	default:
		return fmt.Sprintf("%s, and the file is of %v", opens, at)
	}
}

// hintNoKey says what else could open the container.
func hintNoKey(e *keysError, causes error, asked bool) string {
	if m, ok := errors.AsType[*agekey.PluginMissingError](causes); ok {
		return "install age-plugin-" + m.Name + ", and see that it is on the PATH"
	}
	if e, ok := errors.AsType[*agekey.PluginError](causes); ok {
		return e.Hint()
	}
	if errors.Is(causes, agekey.ErrWrongPassphrase) {
		return hintKeyPassphrase
	}
	if asked {
		return hintPassphrase
	}
	hints := []string{"name an identity of one of its recipients with -i FILE"}
	if slices.Contains(e.Slots, format.SlotKEK) && !slices.Contains(e.Tried, format.SlotKEK) {
		hints = append(hints, "a symmetric key with --"+e.keys.prefix+"kek FILE")
	}
	if slices.Contains(e.Slots, format.SlotPassphrase) {
		hint := "give a passphrase with -p"
		if e.keys.prefix != "" {
			hint = "say where its passphrase is with --" + e.keys.prefix + "passphrase-file FILE"
		}
		hints = append(hints, hint)
	}
	return strings.Join(hints, ", or ")
}

// explainKeys explains what is wrong with keys before any file is opened.
func explainKeys(err error) *failure {
	if e, ok := errors.AsType[*entropy.RequireError](err); ok {
		return &failure{what: e.Error(), exit: exitEntropy,
			hint: orElse(e.Hint, "leave out --require "+e.Source+", or run this where it is to be had")}
	}
	if e, ok := errors.AsType[*entropy.NotRandomError](err); ok {
		return &failure{what: e.Error(), exit: exitUsage, hint: "there are: " + strings.Join(randomSources(), ", ")}
	}
	if e, ok := errors.AsType[*entropy.UnknownSourceError](err); ok {
		return &failure{what: fmt.Sprintf("no entropy source is called %q", e.Name), exit: exitUsage,
			hint: orElse(didYouMean(e.Name, entropy.Names()), "there are: "+strings.Join(entropy.Names(), ", "))}
	}
	if e, ok := errors.AsType[*origin.KeyError](err); ok {
		return &failure{what: "the SSH key does not sign: " + e.Err.Error(), exit: exitNoKey,
			hint: "see that its agent has it, and confirm there; what is encrypted already, bulla sign signs"}
	}
	if m, ok := errors.AsType[*agekey.PluginMissingError](err); ok {
		return &failure{what: m.Error(), exit: exitUnsupported, hint: "install it, and see that it is on the PATH"}
	}
	if e, ok := errors.AsType[*agekey.PluginError](err); ok {
		return &failure{what: err.Error(), exit: exitIO, hint: e.Hint()}
	}
	if e, ok := errors.AsType[*agekey.SizeError](err); ok {
		return &failure{what: e.Error(), exit: exitUnsupported, hint: "use a smaller key, or one of another kind"}
	}
	if e, ok := errors.AsType[*keyslot.MemoryError](err); ok {
		return &failure{what: e.Error(), exit: exitUnsupported, hint: "raise the limit of this container or service (cgroup memory.max), or use a key without a passphrase"}
	}
	if _, ok := errors.AsType[*keyslot.LineError](err); ok {
		return &failure{what: err.Error(), exit: exitUsage, hint: hintKeys}
	}
	return nil
}
