package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"bulla/format"
	"bulla/internal/console"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/origin"
	"bulla/parity"
)

const signatureSuffix = ".sig"

type signFlags struct {
	outputFlags
	workFlags
	key       string
	label     string
	statement bool
}

func signCommand(a *app) *cobra.Command {
	s := &signFlags{}
	cmd := newVerb("sign --key KEY FILE", "Say with an SSH key who vouches for a file", exactlyOne,
		func(cmd *cobra.Command, args []string) error {
			if s.statement {
				return a.showStatement(args[0])
			}
			return a.sign(cmd, s, args[0])
		})
	s.outputFlags.register(cmd, "write to `FILE` (default FILE"+signatureSuffix+")")
	f := cmd.Flags()
	f.StringVar(&s.key, "key", "", "sign with the SSH key in `KEY`")
	f.StringVar(&s.label, "label", "", "what you call the file, for the statement: `TEXT`")
	f.BoolVar(&s.statement, "statement", false, "show what FILE"+signatureSuffix+" states, and sign nothing")
	s.workFlags.register(cmd)
	return cmd
}

func (a *app) sign(cmd *cobra.Command, s *signFlags, name string) error {
	if s.key == "" {
		return usage("name an SSH key with --key, for example --key ~/.ssh/id_ed25519", "sign needs a key")
	}
	in, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if !in.regular {
		return notAnywhere(in.name)
	}
	out, err := a.planOutput(outputPlan{outputFlags: s.outputFlags, mode: 0o644, byDefault: in.beside(signatureSuffix)})
	if err != nil {
		return err
	}
	key, err := a.signingKey(cmd.Context(), s.key)
	if err != nil {
		return err
	}
	done := new(atomic.Int64)
	var bar *console.Progress
	begin := func(_ int, total int64) { bar = a.startProgress(&s.workFlags, in.name, total, done, nil) }
	if !in.isRoot() {
		begin(0, in.size)
	}
	var parts []*origin.Part
	err = a.eachPart(cmd.Context(), in, 1, begin, func(_ int, _ string, in *input, err error) error {
		if err == nil {
			var p *origin.Part
			p, err = a.hash(cmd.Context(), in, s.jobs, done)
			parts = append(parts, p)
		}
		if err == nil {
			_, err = a.undamaged(cmd.Context(), s.jobs, in)
		}
		return err
	})
	bar.Finish(err)
	if err != nil {
		return err
	}
	made, err := a.writeSignature(out, parts, s.label, key)
	if err != nil {
		return err
	}
	return a.result(out, struct {
		safetext.FileField
		safetext.OutputField
		*claim
	}{in.given.AsFile(), out.given.AsOutput(), made})
}

// undamaged refuses what its parity file shows to be damaged: as it is, it is not to be signed, nor
// what a parity file is made of. It returns what that file shows; without one it is nil.
func (a *app) undamaged(ctx context.Context, jobs int, in *input) (*parity.Report, error) {
	if in.path == "" || !in.regular || storage.IsPipe(in.path+paritySuffix) {
		return nil, nil
	}
	apart := &storage.Run{Context: ctx, Stores: a.files.Stores} // or parity create would not replace what it reads
	par, err := apart.Open(in.path + paritySuffix)
	if err != nil {
		return nil, nil
	}
	defer par.Close()
	r, err := parity.Scrub(ctx, in.At(), in.size, par.At(), par.Size(), &parity.ScrubOptions{Workers: jobs})
	if err != nil || r.Sound() {
		return r, context.Cause(ctx)
	}
	return nil, &failure{exit: exitBad, what: in.name + " is damaged, as its parity file shows", hint: "bulla repair " + in.pasted() + " mends it"}
}

// hash hashes a container, for a signature. One that changes meanwhile has none.
func (a *app) hash(ctx context.Context, in *input, jobs int, done *atomic.Int64) (p *origin.Part, err error) {
	r := format.Check(in.At(), in.size)
	if err := unread(r.Copies); err != nil {
		return p, about(in.name, err)
	}
	if !r.Valid() {
		return p, &failure{exit: exitBad, what: in.name + " is not sound: " + r.Findings[0].String(), hint: "bulla verify " + in.pasted() + " lists all that is wrong with it"}
	}
	p, err = origin.NewPart(ctx, in.At(), in.size, jobs, done)
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		err = cmp.Or(in.Recheck(), err)
	}
	return p, about(in.name, err)
}

// writeSignature signs what was hashed: a container, or the parts of a set.
func (a *app) writeSignature(out *output, parts []*origin.Part, label string, key ssh.Signer) (*claim, error) {
	var s *origin.Statement
	err := a.produce(out, nil, func(w io.Writer) (err error) {
		s, err = origin.Sign(w, parts, a.now(), label, key)
		return err
	})
	if errors.Is(err, origin.ErrName) {
		return nil, usage("give 1 to 255 bytes of printable text", "--label is no name")
	}
	if err != nil {
		return nil, err
	}
	made := &claim{ssh.FingerprintSHA256(key.PublicKey()), s.Time, safetext.String(s.Name)}
	a.note("%s: signed with %s", out.name, made.Key)
	return made, nil
}

// A signatureOutput is the signature of what is encrypted; nil is none.
type signatureOutput struct {
	*output
	key ssh.Signer
}

func (a *app) planSignature(ctx context.Context, e *encryptFlags, out *output) (*signatureOutput, error) {
	if e.sign == "" {
		return nil, nil
	}
	if !out.Whole() {
		return nil, usage("name the output with -o FILE", "a signature needs a file beside it")
	}
	flags := e.outputFlags
	flags.name = string(out.given) + signatureSuffix
	sig, err := a.planOutput(outputPlan{outputFlags: flags, mode: 0o644})
	if err != nil {
		return nil, err
	}
	key, err := a.signingKey(ctx, e.sign)
	return &signatureOutput{sig, key}, err
}

// write signs a container, or the parts of a set.
func (s *signatureOutput) write(a *app, parts ...*origin.Part) error {
	if s == nil {
		return nil
	}
	_, err := a.writeSignature(s.output, parts, "", s.key)
	return err
}

// readSmall reads a file for what, and no more than most bytes of it.
func (a *app) readSmall(name, what string, most int64) ([]byte, error) {
	b, err := a.openFor(name, what)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(io.LimitReader(b.Stream(), most))
}

// signingKey is the SSH key in a file: a private one, or a public one whose other half
// the agent has.
func (a *app) signingKey(ctx context.Context, name string) (ssh.Signer, error) {
	text, err := a.readSmall(name, "the signing key", 64<<10)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return agentKey(public)
	}
	key, err := ssh.ParsePrivateKey(text)
	if errors.As(err, new(*ssh.PassphraseMissingError)) {
		passphrase, perr := a.person.Secret(ctx, "Passphrase of "+safetext.Printable(name)+": ")
		if perr != nil {
			return nil, unanswered(perr, "the passphrase of "+safetext.Printable(name), "no passphrase was given", "ssh-add KEY, and name the .pub, for the agent to sign")
		}
		defer clear(passphrase)
		if key, err = ssh.ParsePrivateKeyWithPassphrase(text, passphrase); err != nil {
			return nil, &failure{exit: exitNoKey, what: "the passphrase of " + safetext.Printable(name) + " is wrong", hint: "try again"}
		}
	}
	if err != nil {
		return nil, usage("ssh-keygen -t ed25519 makes one; a bulla key encrypts and does not sign", "%s is no SSH key", printable(name))
	}
	return key, nil
}

// agentKey is a key that the SSH agent has. The connection ends with the program.
func agentKey(public ssh.PublicKey) (ssh.Signer, error) {
	missing := func(err error, what string) error {
		return &failure{exit: exitNoKey, err: err, what: what, hint: "start an agent if there is none; ssh-add KEY adds the key, ssh-add -l lists those it has"}
	}
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return nil, missing(err, "there is no SSH agent: SSH_AUTH_SOCK does not lead to one")
	}
	all, err := agent.NewClient(conn).Signers()
	if err != nil {
		return nil, missing(err, "the SSH agent does not answer: "+err.Error())
	}
	for _, key := range all {
		if string(key.PublicKey().Marshal()) == string(public.Marshal()) {
			return key, nil
		}
	}
	return nil, missing(nil, "the SSH agent does not have the key "+ssh.FingerprintSHA256(public))
}

// showStatement writes the statement of a file's signature, or of the signature that is
// named itself.
func (a *app) showStatement(name string) error {
	b, err := a.openBeside(name + signatureSuffix)
	if errors.Is(err, os.ErrNotExist) {
		b, err = a.files.Open(name)
	}
	if err != nil {
		return err
	}
	defer b.Close()
	s, _, err := origin.Peek(b.Stream())
	if err != nil {
		return about(printable(name), err)
	}
	a.printf("%s", s.Text())
	return a.outErr
}

// A claim is what a signature says that nobody has checked.
type claim struct {
	Key  string          `json:"key"` // its fingerprint
	Time time.Time       `json:"time"`
	Name safetext.String `json:"name,omitempty"`
}

// claimOf is what the signature beside the input says; nil if there is none.
func (a *app) claimOf(in *input) *claim {
	if in.path == "" {
		return nil
	}
	b, err := a.openBeside(in.path + signatureSuffix)
	if err != nil {
		return nil
	}
	defer b.Close()
	s, key, err := origin.Peek(b.Stream())
	if err != nil {
		return nil
	}
	return &claim{key, s.Time, safetext.String(s.Name)}
}

// A signerFlags is how a verb is asked to check who has signed a file.
type signerFlags struct {
	allowed   string
	signature string
	at        dateFlag
	after     dateFlag
}

func (f *signerFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.allowed, "signed-by", "", "release nothing that was not signed by one of the signers in `ALLOWED`, a file as ssh-keygen has")
	fs.StringVar(&f.signature, "signature", "", "take the signature from `FILE` (default FILE"+signatureSuffix+")")
	fs.Var(&f.at, "verify-time", "judge the signers' keys as of `DATE`, such as 2026-11-29, not as of now")
	fs.Var(&f.after, "signed-after", "refuse a signature that says it is from before `DATE`, such as 2026-11-29: against an old file with its old signature")
}

// A dateFlag is a date, 2026-05-01, or a time, 2026-05-01T12:00:00Z.
type dateFlag struct{ time.Time }

func (d *dateFlag) Set(s string) (err error) {
	if d.Time, err = time.Parse(time.DateOnly, s); err != nil {
		d.Time, err = time.Parse(time.RFC3339, s)
	}
	if err != nil {
		err = errors.New("not a date, such as 2026-05-01")
	}
	return err
}

func (d *dateFlag) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.RFC3339)
}

func (d *dateFlag) Type() string { return "date" }

// read reads what was signed of the input, by whom, if that is to be checked.
func (f *signerFlags) read(a *app, in *input) error {
	if f.allowed == "" {
		if f.signature != "" || !f.at.IsZero() || !f.after.IsZero() {
			return usage("name the signers that you allow with --signed-by", "a signature says nothing without the signers that are allowed")
		}
		return nil
	}
	text, err := a.readSmall(f.allowed, "the allowed signers", 16<<20)
	if err != nil {
		return err
	}
	allowed, err := origin.ParseAllowed(text)
	if err != nil {
		return usage("it is a file as ssh-keygen(1) describes under ALLOWED SIGNERS", "%s: %s", printable(f.allowed), strings.TrimPrefix(err.Error(), "origin: allowed signers, "))
	}
	name := f.signature
	if name == "" {
		if in.path == "" {
			return usage("name the signature with --signature FILE", "%s has no name that a signature could be found by", in.name)
		}
		if name = in.path + signatureSuffix; storage.IsPipe(name) {
			return usage("name the signature with --signature FILE", "%s is a pipe", safetext.Printable(name))
		}
	}
	sig, err := a.openFor(name, "the signature")
	if errors.Is(err, os.ErrNotExist) {
		return &failure{exit: exitBad, what: in.name + " is not signed: there is no " + printable(name), hint: "--signature names the file of the signature; bulla sign makes one"}
	}
	if err != nil {
		return err
	}
	defer sig.Close()
	at := a.now()
	if !f.at.IsZero() {
		at = f.at.Time
	}
	signed, err := origin.Open(sig.Stream(), allowed, at)
	if err != nil {
		return about(printable(name), err)
	}
	if signed.Time.Before(f.after.Time) {
		return &failure{exit: exitBad, what: in.name + " was signed on " + signed.Time.Format(time.RFC3339) + ", before " + f.after.String(), hint: "it may be an old file that was put back"}
	}
	in.signed = &signedInput{signed}
	return nil
}

// A signedInput stands between an input and what decrypts it; nil lets all through.
type signedInput struct{ *origin.Signed }

func (s *signedInput) stream(src io.Reader, jobs int) io.Reader {
	if s == nil {
		return src
	}
	return s.Reader(src, jobs)
}

func (s *signedInput) at(in *input, jobs int) (io.ReaderAt, error) {
	if s == nil {
		return in.At(), nil
	}
	if h, err := format.Check(in.At(), in.size).Newest(nil); err == nil {
		if err := s.isOf(h); err != nil {
			return nil, err // before ORIGIN-8, which it breaks, too
		}
	}
	return s.ReaderAt(in.At(), in.size, jobs)
}

// isOf checks that h is the head of what was signed.
func (s *signedInput) isOf(h *format.Head) error {
	encoded, err := h.Append(nil)
	if err != nil {
		return err
	}
	return s.CheckHead(encoded)
}

// checkSigner checks that the input, which is read by the head h, is what was signed.
func (a *app) checkSigner(in *input, h *format.Head) error {
	if in.signed == nil {
		return nil
	}
	err := in.signed.isOf(h)
	if err == nil {
		a.noteSigner(in)
	}
	return err
}

func (a *app) noteSigner(in *input) {
	s := in.signed
	a.note("%s: signed by %s (%s) on %s", in.name, safetext.Printable(s.Principal), s.Fingerprint, s.Time.Format(time.RFC3339))
}
