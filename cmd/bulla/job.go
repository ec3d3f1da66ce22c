package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"bulla/entropy"
	"bulla/internal/job"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/set"
	"bulla/stream"
)

func jobCommand(a *app) *cobra.Command {
	return withVerbs("job VERB", "Share work on one archive among many machines", jobEncryptCommand(a), jobVerifyCommand(a), jobDecryptCommand(a), jobScrubCommand(a),
		jobRunCommand(a), jobStatusCommand(a), jobFinishCommand(a), jobScriptCommand(a))
}

// jobKeySuffix ends the names of files with the key of a job.
const jobKeySuffix = ".jobkey"

// A jobKeyFlag names the file with the key of a job.
type jobKeyFlag struct{ file string }

func (k *jobKeyFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.file, "job-key", "", "the key of the job is in `FILE` (default: JOB"+jobKeySuffix+" in this directory)")
}

// name is where the key of a job is.
func (k *jobKeyFlag) name(of string) string {
	return orElse(k.file, path.Base(strings.TrimRight(of, "/"))+jobKeySuffix)
}

// read reads the key.
func (k *jobKeyFlag) read(a *app, of string) (*job.Secret, error) {
	name := k.name(of)
	f, err := a.openKeys(name, "the key of the job")
	if err != nil {
		return nil, withHint(err, "bulla job keeps it where the job is planned; --job-key names it")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, job.MaxSecret+1))
	defer clear(text)
	if err != nil {
		return nil, err
	}
	s, err := job.ParseSecret(text)
	if err != nil {
		return nil, usage("name the file that was made with the job", "%s: %v", safetext.Printable(name), err)
	}
	a.warnExposed(f, name, "key of the job")
	return s, nil
}

// planFlags are the flags of every verb that plans a job.
type planFlags struct {
	jobKeyFlag
	workFlags
	into  string
	parts int
}

const defaultParts = 64

func (p *planFlags) register(cmd *cobra.Command, shared bool) {
	f := cmd.Flags()
	f.StringVar(&p.into, "into", "", "put the job into `JOB`, a new directory or s3://BUCKET/PREFIX")
	if shared {
		f.IntVar(&p.parts, "parts", defaultParts, "make at most `N` parts")
	}
	if cmd.Name() != "scrub" {
		p.jobKeyFlag.register(cmd)
	}
	p.workFlags.register(cmd)
}

// open checks the flags, and opens what the job is on.
func (p *planFlags) open(a *app, cmd *cobra.Command, name string) (*input, error) {
	switch {
	case p.into == "":
		return nil, usage("--into JOB names it: a directory, or s3://BUCKET/PREFIX", "the job needs a place")
	case cmd.Flags().Lookup("parts") != nil && (p.parts < 1 || p.parts > job.MaxParts):
		return nil, usage("give a number from 1 to "+plural(job.MaxParts, "part"), "invalid --parts %d", p.parts)
	}
	in, err := a.openInput(name)
	if err == nil && (in.path == "" || !in.regular) {
		in.Close()
		return nil, usage("name a file, or an object, that all machines can read", "%s cannot be read by many machines", in.name)
	}
	return in, err
}

// plan has do plan a job, with a file for its key, which stays if there is a job then.
func (p *planFlags) plan(a *app, in *input, mixer *entropy.Mixer, do func(*job.Planning) (*job.Job, error)) error {
	defer in.Close()
	var kept *output
	planning := &job.Planning{Files: a.files, Name: p.into, Program: buildVersion(), Entropy: mixer, Workers: p.jobs, Done: new(atomic.Int64)}
	if planning.Entropy == nil {
		planning.Entropy = entropy.Default()
	}
	out, err := a.planOutput(keyPlan(p.name(p.into)))
	if errors.Is(err, storage.Exists) {
		err = withHint(err, "it is the key of another job, or of one whose planning was interrupted; move it away, or name another with --job-key")
	}
	if err != nil {
		return err
	}
	planning.Keep = func(s *job.Secret) error {
		text := s.Encode()
		defer clear(text)
		err := a.writeWhole(out, text)
		if err == nil {
			kept = out
		}
		return err
	}
	bar := a.startProgress(&p.workFlags, in.name, -1, planning.Done, nil)
	j, err := do(planning)
	bar.Finish(err)
	if err != nil {
		if kept != nil && j == nil {
			os.Remove(kept.Name())
		}
		return about(in.name, err)
	}
	done := planned{Job: safetext.Name(j.Name), ID: j.ID, Kind: string(j.Kind), InputField: in.given.AsInput(), Parts: j.Parts, Work: j.Work}
	if kept != nil {
		done.Key = kept.given
	}
	if a.json {
		return a.printJSON(done)
	}
	if !a.quiet {
		a.printf("%s: %s planned, numbered 0 to %d\n", done.Job, plural(j.Parts, "part"), j.Parts-1)
	}
	return a.outErr
}

// planned is what the verbs that plan a job say, in JSON as it stands.
type planned struct {
	Job  safetext.Name `json:"job"`
	ID   string        `json:"id"`
	Kind string        `json:"kind"`
	safetext.InputField
	Parts int           `json:"parts"`
	Work  int64         `json:"work_bytes"`
	Key   safetext.Name `json:"key_file,omitempty"`
}

func jobEncryptCommand(a *app) *cobra.Command {
	e, p := &encryptFlags{}, &planFlags{}
	cmd := newVerb("encrypt FILE", "Plan to encrypt a file to a set, a volume a part", exactlyOne,
		func(cmd *cobra.Command, args []string) error { return a.jobEncrypt(cmd, e, p, args[0]) })
	cmd.ValidArgsFunction = completeFiles
	e.recipientFlags.register(a, cmd, toEncrypt)
	f := cmd.Flags()
	f.StringVarP(&e.name, "output", "o", "", "the root of the set is `FILE` (default FILE"+containerSuffix+")")
	f.StringVar(&e.volume, "volume-size", "", "make volumes of at most `SIZE` bytes, such as 64G")
	e.compressFlags.register(cmd)
	f.StringVar(&e.suite, "suite", "", "encrypt with `SUITE`, aes or chacha (default: the faster one on each machine)")
	complete(cmd, "suite", []string{"aes", "chacha"})
	e.allow.only = []string{"double"}
	e.allow.register(cmd)
	e.entropyFlags.register(cmd)
	p.register(cmd, false)
	return cmd
}

func (a *app) jobEncrypt(cmd *cobra.Command, e *encryptFlags, p *planFlags, name string) error {
	e.workFlags = p.workFlags
	opts, err := e.writerOptions(a, cmd)
	if err != nil {
		return err
	}
	if e.volume == "" {
		return usage("for example --volume-size 64G", "a part is a volume: --volume-size says how large")
	}
	size, err := e.volumeSize(cmd, opts.Level)
	if err != nil {
		return err
	}
	keys, err := e.recipientFlags.check()
	if err != nil {
		return err
	}
	if err := explainPlan(stream.Plan(e.planned(keys), opts)); err != nil {
		return err
	}
	in, err := p.open(a, cmd, name)
	if err != nil {
		return err
	}
	if err := e.checkDouble(in); err != nil {
		in.Close()
		return err
	}
	return p.plan(a, in, opts.Entropy, func(planning *job.Planning) (*job.Job, error) {
		out, err := a.planOutput(outputPlan{outputFlags: e.outputFlags, mode: 0o666, byDefault: in.named(func(path string) (string, error) { return path + containerSuffix, nil })})
		if err == nil && !out.Whole() {
			err = usage("name the root with -o FILE", "a set is several files, and cannot be written to %s", out.name)
		}
		if err != nil {
			return nil, err
		}
		to, err := e.withPassphrase(cmd.Context(), keys, opts.Entropy)
		if err != nil {
			return nil, err
		}
		return planning.PlanEncrypt(cmd.Context(), in.path, in.Blob, out.Name(), to, &set.WriterOptions{WriterOptions: *opts, VolumeSize: size})
	})
}

// openedFlags are those of a job on a file that has to be opened.
type openedFlags struct {
	identityFlags
	planFlags
	entropyFlags
	output outputFlags
}

func (f *openedFlags) register(a *app, cmd *cobra.Command) *cobra.Command {
	f.identityFlags.register(a, cmd)
	f.planFlags.register(cmd, true)
	f.entropyFlags.register(cmd)
	return cmd
}

// do plans a job on a file, with the identities that open it.
func (f *openedFlags) do(a *app, cmd *cobra.Command, name string, plan func(context.Context, *job.Planning, *input, []stream.Identity) (*job.Job, error)) error {
	mixer, err := f.mixer(a, cmd)
	if err != nil {
		return err
	}
	in, err := f.planFlags.open(a, cmd, name)
	if err != nil {
		return err
	}
	ids, err := f.find(true)
	if err != nil {
		in.Close()
		return err
	}
	ids.near(in)
	return f.plan(a, in, mixer, func(p *job.Planning) (*job.Job, error) {
		j, err := plan(cmd.Context(), p, in, ids.all)
		return j, ids.explain(err)
	})
}

func jobVerifyCommand(a *app) *cobra.Command {
	f := &openedFlags{}
	return f.register(a, newVerb("verify FILE", "Plan to check a file or set against the specification", exactlyOne, func(cmd *cobra.Command, args []string) error {
		return f.do(a, cmd, args[0], func(ctx context.Context, p *job.Planning, in *input, ids []stream.Identity) (*job.Job, error) {
			return p.PlanVerify(ctx, in.path, in.Blob, ids, f.parts)
		})
	}))
}

func jobDecryptCommand(a *app) *cobra.Command {
	f := &openedFlags{}
	cmd := newVerb("decrypt FILE", "Plan to decrypt a file or set", exactlyOne, func(cmd *cobra.Command, args []string) error {
		return f.do(a, cmd, args[0], func(ctx context.Context, p *job.Planning, in *input, ids []stream.Identity) (*job.Job, error) {
			out, err := a.planOutput(outputPlan{outputFlags: f.output, mode: 0o600, byDefault: in.named(new(decryptFlags).plainOf)})
			if err == nil && !out.Whole() {
				err = usage("name a file, or an object, with -o", "%s cannot be written by many machines", out.name)
			}
			if err != nil {
				return nil, err
			}
			return p.PlanDecrypt(ctx, in.path, in.Blob, ids, f.parts, out.Name())
		})
	})
	cmd.Flags().StringVarP(&f.output.name, "output", "o", "", "write to `FILE` (default FILE without "+containerSuffix+")")
	return f.register(a, cmd)
}

func jobScrubCommand(a *app) *cobra.Command {
	p, parity := &planFlags{}, &parityFlag{}
	cmd := newVerb("scrub FILE", "Plan to look for damage with a parity file", exactlyOne, func(cmd *cobra.Command, args []string) error {
		in, err := p.open(a, cmd, args[0])
		if err != nil {
			return err
		}
		par, err := a.openParityFile(parity, args[0])
		if err != nil {
			in.Close()
			return err
		}
		defer par.Close()
		return p.plan(a, in, nil, func(planning *job.Planning) (*job.Job, error) {
			j, err := planning.PlanScrub(in.path, in.Blob, par.path, par.Blob, p.parts)
			if err != nil && !errors.As(err, new(*job.Error)) {
				err = explainParity(in, par, err)
			}
			return j, err
		})
	})
	parity.register(cmd)
	p.register(cmd, true)
	return cmd
}
