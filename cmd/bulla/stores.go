package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/internal/storage/object"
	"bulla/internal/storage/s3"
	"bulla/internal/storage/web"
	"bulla/stream"
)

// registerStores has names that are URLs lead to their stores.
func (a *app) registerStores() {
	a.remote.Warn = a.warn
	a.s3 = s3.New(&a.remote)
	a.files.Stores = map[string]storage.Store{"s3": a.s3, "https": web.New(&a.remote)}
}

// A storageOption is the flag for what the environment of the aws command has no word for.
type storageOption struct {
	*s3.Options
	text string
}

// Set implements pflag.Value.
func (o *storageOption) Set(text string) (err error) {
	o.text = text
	name, value, _ := strings.Cut(text, "=")
	switch {
	case text == "anonymous":
		o.Anonymous = true
	case text == "conditions=honoured":
		o.Profile = &object.Honest
	case text == "conditions=ignored":
		o.Profile = &object.Profile{}
	case name == "max-parts":
		if o.MaxParts, err = strconv.Atoi(value); err == nil && (o.MaxParts < 1 || o.MaxParts > object.MaxParts) {
			err = strconv.ErrRange
		}
	default:
		err = errors.New("unknown option")
	}
	return err
}

func (o *storageOption) String() string { return o.text }
func (o *storageOption) Type() string   { return "storage" }

// asked is what a run has asked stores for, in JSON as it stands.
type asked struct {
	Requests int64 `json:"requests"`
	Retries  int64 `json:"retries"`
	Received int64 `json:"bytes_received"`
	Sent     int64 `json:"bytes_sent"`
}

// tellAsked says, with -v or --json, what stores were asked for: requests are what they
// charge for.
func (a *app) tellAsked(s *object.Stats) {
	t := asked{s.Requests.Load(), s.Retries.Load(), s.Received.Load(), s.Sent.Load()}
	switch {
	case t.Requests == 0 || a.quiet:
	case a.json:
		a.con.Line(encodeJSON(struct {
			Storage asked `json:"storage"`
		}{t}))
	default:
		a.note("storage: %s, %s, %s received, %s sent", plural(int(t.Requests), "request"), plural(int(t.Retries), "retry"), console.Bytes(t.Received), console.Bytes(t.Sent))
	}
}

// patchFlags are those of verbs that change the head of a file, which may be an object.
type patchFlags struct {
	storage.PatchOptions
	allow *allowFlag
}

const unsafeStore = "unsafe-store"

func (p *patchFlags) register(cmd *cobra.Command, allow *allowFlag) {
	p.allow = allow
	f := cmd.Flags()
	f.BoolVar(&p.Keep, "yes", false, "of an object with versions: add one, and leave the old one there")
	f.BoolVar(&p.DeleteOld, "delete-old-version", false, "of an object with versions: add one, and delete the old one")
}

func (p *patchFlags) options() storage.PatchOptions {
	p.Unsafe = p.allow.allows(unsafeStore)
	return p.PatchOptions
}

// save writes the head to its places in the file. An object that may not be changed stays
// as it is: the new head then goes beside it, as the output that is returned.
func (a *app) save(src *headSource, h *stream.HeadEditor) (beside *output, err error) {
	if src.in.InStore() {
		defer a.left.Add(src.patch.Wait)() // for an upload to be aborted
	}
	err = src.save(h)
	var kind storage.Kind // of the error itself: what it wraps may be Denied, too
	if e, ok := errors.AsType[*storage.Error](err); ok {
		kind = e.Kind
	}
	if err == nil || kind == storage.Lingers {
		a.keepParityHead(src.in.path, h.Encoded(), src.patch.Options)
	}
	if !src.in.InStore() || kind != storage.Retained && kind != storage.Denied {
		return nil, err
	}
	out, outErr := a.planOutput(outputPlan{outputFlags: outputFlags{name: src.in.path + ".head"}, binary: true})
	if outErr == nil {
		outErr = a.writeWhole(out, h.Encoded())
	}
	if outErr != nil {
		return nil, withHint(err, "nor can the new head be written beside it: "+explain(outErr).what)
	}
	a.warn(explain(err).what+": the new head is in "+out.name, "bulla decrypt --head "+safetext.Shell(string(out.given))+" "+src.in.pasted()+" uses it, and so do the other verbs")
	return out, nil
}

func storageCommand(a *app) *cobra.Command {
	return withVerbs("storage VERB", "Look after object storage",
		uploadsCommand(a))
}

// A listedUpload is what storage uploads says of one, in JSON as it stands.
type listedUpload struct {
	Name    safetext.Name `json:"name"`
	Begun   time.Time     `json:"begun"`
	Aborted bool          `json:"aborted,omitempty"`
}

func uploadsCommand(a *app) *cobra.Command {
	abort := false
	cmd := newVerb("uploads s3://BUCKET/PREFIX", "List unfinished uploads, or remove them", exactlyOne,
		func(cmd *cobra.Command, args []string) error {
			if storage.Scheme(args[0]) != "s3" {
				return usage("for example: bulla storage uploads s3://backups", "%s is no place in object storage", safetext.Printable(args[0]))
			}
			all, err := a.s3.Uploads(cmd.Context(), args[0])
			for _, u := range all {
				if abort {
					if err := a.s3.AbortUpload(cmd.Context(), u); err != nil {
						return err
					}
				}
				if a.json {
					a.printJSON(listedUpload{safetext.Name(u.Name), u.Begun.UTC(), abort})
				} else {
					a.printf("%s  %s\n", u.Begun.Local().Format("2006-01-02 15:04"), safetext.Printable(u.Name))
				}
			}
			return errors.Join(err, a.outErr)
		})
	cmd.ValidArgsFunction = nil
	cmd.Flags().BoolVar(&abort, "abort", false, "remove them")
	return cmd
}
