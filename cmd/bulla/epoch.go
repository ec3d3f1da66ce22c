package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/keyslot"
	"bulla/keyslot/epoch"
	"bulla/stream"
)

// calendarSuffix ends the name of a keeper's calendar.
const calendarSuffix = ".calendar"

func epochCommand(a *app) *cobra.Command {
	return withVerbs("epoch VERB", "Make keys that end on a date, and end them",
		epochCreateCommand(a), epochExtendCommand(a), epochAdvanceCommand(a), epochShowCommand(a))
}

// KeeperFlags say where the secret of a keeper comes from.
type keeperFlags struct {
	passphrase passphraseFlags
	pin        pinFlags
}

func (k *keeperFlags) register(a *app, cmd *cobra.Command) {
	k.passphrase = passphraseFlags{app: a, prompt: "Passphrase of the keeper", named: true}
	toKeep.registerSources(cmd, &k.passphrase)
	k.pin.register(a, cmd)
}

func (k *keeperFlags) secrets(name string) *epoch.Secrets {
	return &epoch.Secrets{Passphrase: k.passphrase.open, PIN: k.pin.open(name)}
}

type epochCreateFlags struct {
	entropyFlags
	passphrase passphraseFlags
	tpm        tpmFlags
	every      string
	output     string
}

func epochCreateCommand(a *app) *cobra.Command {
	e := &epochCreateFlags{}
	cmd := newVerb("create PERIOD --every day|week|month|quarter -o KEEPER", "Make a keeper and its calendar", takes(1, 1, "a period", ""),
		func(cmd *cobra.Command, args []string) error { return a.epochCreate(cmd, e, args[0]) })
	cmd.ValidArgsFunction = nil
	f := cmd.Flags()
	f.StringVar(&e.every, "every", "", "how long an epoch is: day, week, month or quarter")
	complete(cmd, "every", []string{"day", "week", "month", "quarter"})
	f.StringVarP(&e.output, "output", "o", "", "write the keeper to `KEEPER`, readable by its owner only, and the calendar to KEEPER"+calendarSuffix)
	e.passphrase = passphraseFlags{app: a, prompt: "Passphrase of the keeper", named: true}
	toKeep.registerPassphrase(cmd, &e.passphrase)
	f.BoolVar(&e.tpm.tpm, "tpm", false, "seal the keeper to this machine's TPM, and ask for a PIN for it")
	f.BoolVar(&e.tpm.noPIN, "no-pin", false, "with --tpm, open without a PIN")
	e.tpm.pinFlags.register(a, cmd)
	e.entropyFlags.register(cmd)
	return cmd
}

func (a *app) epochCreate(cmd *cobra.Command, e *epochCreateFlags, period string) error {
	span, err := a.epochsOf(e.every, period)
	switch {
	case err != nil:
		return err
	case e.output == "" || e.output == "-":
		return usage("for example: -o backup.keeper", "create writes a file: name it with -o KEEPER")
	case e.tpm.tpm && e.passphrase.given():
		return usage("leave out one of them", "a keeper that is sealed to a TPM has a PIN, and no passphrase")
	}
	if err := errors.Join(e.tpm.check(cmd), e.passphrase.check()); err != nil {
		return err
	}
	m, err := e.mixer(a, cmd)
	if err != nil {
		return err
	}
	for _, name := range []string{e.output, e.output + calendarSuffix} { // before anybody is asked
		if out, err := a.planOutput(keyPlan(name)); err != nil {
			return withoutForce(err)
		} else if !out.Whole() || out.InStore() {
			return usage("name a file", "a keeper is a local file, and %s is not one", out.name)
		}
	}
	k, err := e.make(cmd.Context(), m, span, epoch.DateOf(a.now()))
	if err != nil {
		return err
	}
	defer k.Close()
	later := "bulla epoch extend " + safetext.Shell(e.output) + " " + period + " makes the calendar"
	if err := a.writeKey(e.output, k.Encode()); err != nil {
		if !isComplete(err) {
			k.Discard(cmd.Context())
			return err
		}
		return withHint(err, also(explain(err).hint, later))
	}
	if err := a.writeCalendar(e.output, k, false); err != nil {
		return withHint(err, "the keeper is in "+safetext.Printable(e.output)+"; "+later)
	}
	if e.tpm.tpm {
		a.warn("what is encrypted to this calendar alone is lost when the TPM is cleared or the machine breaks", "encrypt to a second key as well, if it must outlive the machine")
	} else {
		a.warn("a copy of the keeper still opens what advance ends later", "keep no copy of it with the files, nor in backups that outlive them")
	}
	return a.tellKeeper(e.output, k, &keeperReport{Calendar: safetext.Name(e.output + calendarSuffix)})
}

// epochsOf is the epochs of a period that is not over.
func (a *app) epochsOf(every, period string) (epoch.Span, error) {
	e, everyErr := epoch.ParseEvery(every)
	first, last, periodErr := epoch.ParsePeriod(period)
	if err := cmp.Or(everyErr, periodErr); err != nil {
		return epoch.Span{}, usage("for example: bulla epoch create 2027 --every month -o backup.keeper", "%v", err)
	}
	today := epoch.DateOf(a.now())
	if last < today {
		return epoch.Span{}, usage("check the period, and the clock", "%s is over: today is %v", safetext.Printable(period), today)
	}
	span, err := epoch.SpanOf(e, max(first, today), last) // nothing was encrypted before
	if err != nil {
		err = usage("choose a shorter period, or longer epochs", "%v", err)
	}
	return span, err
}

func (e *epochCreateFlags) make(ctx context.Context, m *entropy.Mixer, span epoch.Span, today epoch.Date) (*epoch.Keeper, error) {
	switch {
	case e.passphrase.given():
		return epoch.New(ctx, m, span, today, epoch.Passphrase, &epoch.Secrets{
			Passphrase: func(ctx context.Context) ([]byte, error) { return e.passphrase.create(ctx, m) }})
	case !e.tpm.tpm:
		return epoch.New(ctx, m, span, today, epoch.Plain, nil)
	}
	pin, o, err := e.tpm.available(ctx)
	if err != nil {
		return nil, err
	}
	secrets := &epoch.Secrets{TPM: o.TPM}
	if !e.tpm.noPIN {
		secrets.PIN = func(ctx context.Context, _ error) ([]byte, error) { return e.tpm.pinFlags.create(ctx) }
	}
	k, err := epoch.New(ctx, m, span, today, epoch.TPM, secrets)
	if err != nil {
		return nil, sealFailure(pin, err)
	}
	return k, nil
}

// writeCalendar writes the calendar of a keeper beside it.
func (a *app) writeCalendar(keeper string, k *epoch.Keeper, again bool) error {
	cal, err := k.Calendar()
	if err != nil {
		return err
	}
	out, err := a.planOutput(outputPlan{outputFlags: outputFlags{name: keeper + calendarSuffix, force: again}, mode: 0o644})
	if err != nil {
		return withoutForce(err)
	}
	return a.writeWhole(out, cal.Encode())
}

// openKeeper checks the flags and reads a keeper, for the caller to close; to change it, it
// is locked against other runs until then.
func (a *app) openKeeper(f *keeperFlags, name string, change bool) (k *epoch.Keeper, patch *storage.Patch, err error) {
	if err := cmp.Or(f.passphrase.check(), f.pin.check()); err != nil {
		return nil, nil, err
	}
	if change {
		patch, err = a.files.Patch(name, storage.PatchOptions{})
	} else {
		patch = &storage.Patch{}
		patch.Blob, err = a.openKeys(name, "the keeper")
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := keyslot.ReadKeyFile(patch)
	defer clear(b)
	if err == nil && patch.InStore() {
		err = &storage.Error{Kind: storage.NotPatchable, Name: name}
	}
	if err == nil {
		k, err = epoch.Parse(b)
	}
	if err != nil {
		patch.Close()
		return nil, nil, about(safetext.Printable(name), err)
	}
	a.warnExposed(patch.Blob, name, "keeper")
	return k, patch, nil
}

// keeperFailure words what a TPM has to say about a keeper.
func keeperFailure(name string, err error) error {
	if err == nil || hintOf(err) == "" {
		return err
	}
	return tpmFailure(exitNoKey, safetext.Printable(name), err)
}

// into writes to a keeper that is locked.
func into(p *storage.Patch) epoch.Write {
	return func(off int64, b []byte) error {
		err := p.Apply(storage.Change{Offset: off, New: b})
		if errors.Is(err, storage.HalfPatched) {
			err = withHint(err, "run it again once writing works: it finishes what this began")
		}
		return err
	}
}

func epochExtendCommand(a *app) *cobra.Command {
	f := &keeperFlags{}
	cmd := newVerb("extend KEEPER PERIOD", "Add epochs to a keeper, up to the end of a period", takes(2, 2, "a keeper and a period", ""),
		func(cmd *cobra.Command, args []string) error {
			return a.epochExtend(cmd.Context(), f, args[0], args[1])
		})
	cmd.ValidArgsFunction = completeFiles
	f.register(a, cmd)
	return cmd
}

func (a *app) epochExtend(ctx context.Context, f *keeperFlags, name, period string) error {
	k, patch, err := a.openKeeper(f, name, true)
	if err != nil {
		return err
	}
	defer patch.Close()
	defer k.Close()
	span, err := a.epochsOf(k.Reach().Every.String(), period)
	if err == nil && span.To < k.Reach().To {
		err = usage("a keeper becomes no shorter", "%s goes to %v already", safetext.Printable(name), k.Reach().Next()-1)
	}
	if err == nil {
		err = keeperFailure(name, k.Unlock(ctx, f.secrets(name)))
	}
	if err == nil {
		err = keeperFailure(name, k.Extend(ctx, span.To, into(patch)))
	}
	if err == nil {
		err = a.writeCalendar(name, k, true)
	}
	if err != nil {
		return err
	}
	return a.tellKeeper(name, k, &keeperReport{Calendar: safetext.Name(name + calendarSuffix)})
}

type epochShowFlags struct {
	keeperFlags
	check string
}

func epochShowCommand(a *app) *cobra.Command {
	f := &epochShowFlags{}
	cmd := newVerb("show KEEPER", "Show what a keeper opens", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.epochShow(cmd.Context(), f, args[0]) })
	cmd.ValidArgsFunction = completeFiles
	cmd.Flags().StringVar(&f.check, "check", "", "compare the keys of `CALENDAR` with the keeper's")
	f.register(a, cmd)
	return cmd
}

func (a *app) epochShow(ctx context.Context, f *epochShowFlags, name string) error {
	k, file, err := a.openKeeper(&f.keeperFlags, name, false)
	if err != nil {
		return err
	}
	defer file.Close()
	defer k.Close()
	r := &keeperReport{}
	if f.check == "" {
		return a.tellKeeper(name, k, r)
	}
	in, err := a.openFor(f.check, "the calendar")
	if err != nil {
		return err
	}
	defer in.Close()
	theirs, err := epoch.ParseCalendar(in)
	if err != nil {
		return keyFileError(f.check, err)
	}
	if err := keeperFailure(name, k.Unlock(ctx, f.secrets(name))); err != nil {
		return err
	}
	ours, err := k.Calendar()
	if err != nil {
		return err
	}
	at, differs := ours.Conflict(theirs)
	if differs {
		return &failure{exit: exitDiffers, what: fmt.Sprintf("%s is not the calendar of %s: it has another key for %v", safetext.Printable(f.check), safetext.Printable(name), at),
			hint: "do not encrypt to it: whoever made it opens what is; bulla epoch extend makes the right one"}
	}
	r.Calendar, r.Compared = safetext.Name(f.check), max(0, min(ours.To, theirs.To)-max(ours.From, theirs.From))
	if r.Compared == 0 || theirs.To > ours.To { // whoever appended keys of his own kept the others
		return &failure{exit: exitDiffers, what: fmt.Sprintf("%s is for %v, and %s opens %v: the other keys cannot be compared", safetext.Printable(f.check), theirs, safetext.Printable(name), ours),
			hint: "do not encrypt to it, unless you know who made it; bulla epoch extend makes the right one"}
	}
	return a.tellKeeper(name, k, r)
}

// A days is the epochs of a span for reports.
type days struct {
	First  string `json:"first"` // dates
	Last   string `json:"last"`
	Epochs int    `json:"epochs"`
}

// daysOf is nil if there are no epochs.
func daysOf(s epoch.Span) *days {
	if s.Len() == 0 {
		return nil
	}
	return &days{s.First().String(), (s.Next() - 1).String(), s.Len()}
}

// A keeperReport is what the verbs of epoch say, in JSON as it stands.
type keeperReport struct {
	safetext.FileField
	Calendar   safetext.Name   `json:"calendar,omitempty"` // that was written, or compared
	Every      string          `json:"every"`
	Protection string          `json:"protection"`
	LastRun    string          `json:"last_run"`
	Opens      *days           `json:"opens"`              // null: nothing any more
	Compared   int             `json:"compared,omitempty"` // epochs whose keys are equal
	Ended      *days           `json:"ended,omitempty"`
	Lost       []safetext.Name `json:"lost,omitempty"` // files that nobody opens any more
}

// tellKeeper says what there is of a keeper.
func (a *app) tellKeeper(name string, k *epoch.Keeper, r *keeperReport) error {
	r.FileField, r.Opens = safetext.Name(name).AsFile(), daysOf(k.Reach())
	r.Every, r.Protection, r.LastRun = k.Reach().Every.String(), k.Protection().String(), k.LastRun().String()
	switch {
	case a.json:
		return a.printJSON(r)
	case a.quiet:
		return nil
	}
	a.printf("%s: every %s\n  opens       %v (%s)\n  protection  %s\n  last run    %s\n", r.File, r.Every, k.Reach(), plural(k.Reach().Len(), "epoch"), r.Protection, r.LastRun)
	switch {
	case r.Compared > 0:
		a.printf("  calendar    %s: the keys of %s are equal\n", r.Calendar, plural(r.Compared, "epoch"))
	case r.Calendar != "":
		a.printf("  calendar    %s\n", r.Calendar)
	}
	return a.outErr
}

// epochOf is the days of the epoch that a file is encrypted to; nil if there is none.
func epochOf(to []stream.Recipient) *days {
	if e := lastEpoch(to); e != nil {
		return daysOf(e.Epoch)
	}
	return nil
}
