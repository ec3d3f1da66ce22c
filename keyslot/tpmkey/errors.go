package tpmkey

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"

	"bulla/internal/tpmdev"
)

// Why a sealed key could not be used: the kinds of an [Error]. A failure of the
// TPM itself (absent, busy, no permission …) is not among them; it comes as
// package tpmdev words it, with a method Hint() string like Error's.
var (
	ErrWrongPIN = tpmdev.NewKind("wrong PIN",
		"the PIN is the one chosen when the key was made; losing power while the key was in use counts as a wrong PIN, too")
	ErrLockout = tpmdev.NewKind("the TPM is locked out",
		"wait; or clear it with the lockout authorization: tpm2_dictionarylockout --clear-lockout")
	ErrPCR = tpmdev.NewKind("the PCRs are not as they were when the key was made",
		"an update of the firmware, or of its settings, changes PCRs; open the file with another of its keys and make a new TPM key")
	ErrOtherTPM = tpmdev.NewKind("this is another TPM than the one that the key is sealed to",
		"the key opens on the machine that it was made on and nowhere else; use another of the file's keys here")
	ErrCleared = tpmdev.NewKind("the TPM was cleared after the key was made: the key is lost",
		"open the file with another of its keys and make a new TPM key")
	ErrSRKChanged = tpmdev.NewKind("the TPM's storage root key is not the one that the key is sealed to",
		"the TPM was cleared or replaced, or something stands between it and the program; open the file with another of its keys")
	ErrDamaged = tpmdev.NewKind("the sealed key is damaged",
		"get the key file from a backup")
	ErrNotPinned = tpmdev.NewKind("this is not the TPM that is pinned",
		"the TPM was cleared or replaced, or something stands between it and the program")
	ErrCounter = tpmdev.NewKind("this is an old copy: the TPM has ended what it opens",
		"use the newest copy of the file")
	ErrNoCounter = tpmdev.NewKind("the TPM's counter is gone: what was sealed under it is lost",
		"the TPM was cleared, or its owner removed the counter; open the file with another of its keys")
	ErrMismatch = tpmdev.NewKind("the sealed key is not the recipient's that stands beside it",
		"the key file was changed; get it from a backup")
)

// Error is why a sealed key could not be used.
type Error struct {
	Kind error // one of the errors above
	Err  error // what the TPM said; may be nil

	// Of ErrWrongPIN and ErrLockout: Failures is how many wrong authorizations
	// count, MaxFailures at how many the TPM locks itself, 0 if it did not tell,
	// and Interval after how long one is forgotten.
	tpmdev.Lockout

	PCRs []int // of ErrPCR: those that the key is bound to
}

func (e *Error) Error() string {
	switch {
	case e.Kind == ErrWrongPIN && e.MaxFailures > 0:
		return fmt.Sprintf("%v (after %d more the TPM locks itself)", e.Kind, e.MaxFailures-e.Failures)
	case e.Kind == ErrLockout && e.MaxFailures > 0:
		return fmt.Sprintf("%v: %d of %d wrong authorizations", e.Kind, e.Failures, e.MaxFailures)
	case e.Kind == ErrPCR && len(e.PCRs) == 1:
		return fmt.Sprintf("PCR %d is not as it was when the key was made", e.PCRs[0])
	case e.Kind == ErrPCR:
		return fmt.Sprintf("the PCRs %s are not as they were when the key was made", listText(e.PCRs))
	}
	return e.Kind.Error()
}

// Unwrap makes errors.Is and errors.As see both the kind and the cause, which
// may be a [tpm2.TPMRC].
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Hint says what would mend the failure.
func (e *Error) Hint() string {
	if e.Kind == ErrLockout && e.Interval > 0 {
		return fmt.Sprintf("wait at most %v, then there is one more try; or clear it with the lockout authorization: tpm2_dictionarylockout --clear-lockout", e.Interval)
	}
	return tpmdev.HintOf(e.Kind)
}

// locked reports whether the counters say that the TPM takes no more PINs.
func (e *Error) locked() bool { return e.MaxFailures > 0 && e.Failures >= e.MaxFailures }

// aboutParameter reports whether the TPM found fault with a parameter of the
// command.
func aboutParameter(err error) bool {
	var f tpm2.TPMFmt1Error
	if !errors.As(err, &f) {
		return false
	}
	ok, _ := f.Parameter()
	return ok
}

// listText is some numbers for people: "0, 2 and 7".
func listText(numbers []int) string {
	var words []string
	for _, n := range numbers {
		words = append(words, fmt.Sprint(n))
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
