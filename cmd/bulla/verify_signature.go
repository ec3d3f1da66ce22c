package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/origin"
	"bulla/set"
	"bulla/stream"
)

// A signatureCheck is what verify says of the signature of a file, in JSON as it stands.
type signatureCheck struct {
	safetext.FileField                 // its own
	Result             stream.Result   `json:"result"`
	Clause             format.Clause   `json:"clause,omitempty"` // that it breaks
	Reason             safetext.String `json:"reason,omitempty"` // why it failed
	Principal          safetext.String `json:"principal,omitempty"`
	Namespace          string          `json:"namespace,omitempty"`
	*claim                             // nil if it cannot be read
}

// signatureOf is what there is to say of the signature of the input before that is read; nil if
// there is none, or --signed-by does not ask for one that there may be. refused is why it does not
// count.
func (v *verifyFlags) signatureOf(a *app, in *input, refused error) *signatureCheck {
	s := &signatureCheck{FileField: safetext.Name(storage.Shown(orElse(v.signature, in.path+signatureSuffix))).AsFile(), Result: stream.NotChecked}
	switch {
	case in.signed != nil:
		s.Principal, s.claim = safetext.String(in.signed.Principal), &claim{in.signed.Fingerprint, in.signed.Time, safetext.String(in.signed.Name)}
	case v.signature == "": // and not a pipe, perhaps, that was read
		s.claim = a.claimOf(in)
	}
	if s.claim != nil {
		s.Namespace = origin.Namespace
	}
	if e, ok := errors.AsType[*origin.Error](refused); ok {
		s.fail(e.Clause, e.Reason)
	} else if refused != nil {
		s.fail("", explain(refused).what)
	} else if s.claim == nil {
		return nil
	}
	return s
}

func (s *signatureCheck) fail(c format.Clause, reason string) {
	s.Result, s.Clause, s.Reason = stream.Failed, c, safetext.String(strings.TrimSuffix(reason, " ["+string(c)+"]"))
}

// failed reports whether there should be a signature that counts, and is not.
func (s *signatureCheck) failed() bool { return s != nil && s.Result == stream.Failed }

// outcomes says of each clause about signatures how it came out.
func (s *signatureCheck) outcomes(found []set.Finding, ofSet bool) (all []stream.Outcome) {
	for _, c := range origin.Clauses {
		o := stream.Outcome{Clause: c, Result: s.Result}
		switch {
		case c == origin.ORIGIN10 && !ofSet:
			o.Result = stream.NotApplicable
		case c == s.Clause || slices.ContainsFunc(found, func(f set.Finding) bool { return f.Clause == c }):
			o.Result = stream.Failed
		case s.failed():
			o.Result = stream.NotChecked
		}
		all = append(all, o)
	}
	return all
}

// String is what came of the check, for the page.
func (s *signatureCheck) String() string {
	switch {
	case s.failed() && s.Clause != "":
		return "FAILED [" + string(s.Clause) + "]: " + string(s.Reason)
	case s.failed():
		return "FAILED: " + string(s.Reason)
	case s.Result == stream.Passed:
		return "Good: " + string(s.Principal) + " signed the content"
	case s.Principal != "":
		return "NOT checked: the file could not be read to its end"
	}
	return "NOT checked: there is one, and --signed-by was not given"
}

// Statement is what the signature says, which is true if it is good, but for the time.
func (s *signatureCheck) Statement() string {
	if s.claim == nil {
		return ""
	}
	said := "In " + s.File.String() + ", namespace " + s.Namespace + ": key " + s.Key + ", " + s.Time.Format(time.RFC3339) + " by the signer's clock"
	if s.Name != "" {
		said += ", “" + string(s.Name) + "”"
	}
	return said
}

// verifySigner adds to the report what a file, or a set if open is not nil, has that was not
// signed, and to s what came of that. err is that of the verification, which read all of a stream
// as it was signed if there is none. Its own error means that the work could not be done.
func (a *app) verifySigner(ctx context.Context, v *verifyFlags, in *input, open set.Opener, h *format.Head, rep *set.Report, s *signatureCheck, err error) error {
	if in.signed == nil {
		return nil
	}
	unsigned, failed := []set.Finding(nil), in.signed.isOf(h)
	switch {
	case open != nil:
		unsigned, failed = in.signed.VerifySet(ctx, open, v.jobs)
	case failed == nil && in.regular:
		failed = in.signed.Verify(ctx, in.At(), in.size, v.jobs)
	case failed == nil: // a stream was checked while it was read
		failed = err
	}
	if e, ok := errors.AsType[*origin.Error](failed); ok {
		unsigned, failed = []set.Finding{{Finding: e.Finding()}}, nil
	} else if !in.regular { // which is err
		failed = nil
	}
	for _, f := range unsigned {
		if !slices.ContainsFunc(rep.Findings, func(g set.Finding) bool { return g.Suffix == f.Suffix && g.Clause == f.Clause }) {
			rep.Findings = append(rep.Findings, f)
		}
	}
	broken := slices.ContainsFunc(rep.Findings, func(f set.Finding) bool { return f.Severity == format.Violation })
	switch {
	case len(unsigned) > 0:
		f, part := unsigned[0], ""
		if f.Suffix != "" {
			part = set.PartName(f.Suffix) + ": "
		}
		s.fail(f.Clause, part+f.Message)
	case failed != nil: // not all of it was read
	case in.regular || !broken && (err == nil || isNoKey(err)):
		s.Result = stream.Passed
		a.noteSigner(in)
	}
	return failed
}
