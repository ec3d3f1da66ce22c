// Package job cuts work on one archive into parts that many machines do. It starts none: an
// engine that numbers its tasks, such as Slurm, Kubernetes or GNU parallel, runs [Job.Run] once for each number.
//
// A job lies in a folder on a shared file system, or under a prefix in a bucket:
//
//	plan.json            what is to be done, by [Create]; public, and never changed
//	000003.ID.grant      verify and decrypt: the keys of part 3, for the job's key
//	000003.done          the receipt of part 3: what came of it
//	000003.failed        why part 3 failed, if another attempt cannot do better
//	finished             by [Job.Finish], when the result is there
//
// # Parts
//
// A part may run any number of times, also twice at once, and may be killed anywhere. What it
// makes has no name (storage.Held) until its receipt is there; the receipt is created without replacing one, so
// one attempt is decided on, and the others throw away what they made. Nothing is
// locked, and no clock is looked at.
//
//	kind     a part is            its keys             its receipt has
//	encrypt  a volume of a set    the set's public     which container, and where it waits
//	verify   a run of segments    a grant              how many chunks opened, findings
//	decrypt  a range of bytes     a grant              nothing: the bytes are in their place
//	scrub    a run of windows     none                 the report of package parity
//
// # Keys
//
// Whoever plans an encrypt job keeps the set's MAC key, for Finish: it opens nothing. The
// others have a key of the job's own, which opens its grants and nothing else, for those who
// run parts: the heads, the last chunk and all that is not in a whole segment are judged when
// the job is planned. Whoever may write into the job's folder decides what it comes to.
package job

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/parity"
	"bulla/set"
	"bulla/stream"
)

// A Kind is what is done.
type Kind string

const (
	Encrypt Kind = "encrypt"
	Verify  Kind = "verify"
	Decrypt Kind = "decrypt"
	Scrub   Kind = "scrub"
)

// Version is that of the layout of a job.
const Version = 1

// A Plan is what plan.json has.
type Plan struct {
	Version int    `json:"bulla_job"`
	Program string `json:"bulla_version"` // that made it
	ID      string `json:"id"`
	Kind    Kind   `json:"kind"`
	Parts   int    `json:"parts"`
	Work    int64  `json:"work"`          // bytes that the parts share; if 0, the only part has nothing to do
	Source  Source `json:"source"`        // what is read
	Key     string `json:"key,omitempty"` // the public half of the job's key, or the SHA-256 of the set's MAC key

	Encrypt *EncryptPlan `json:"encrypt,omitempty"`
	Verify  *Report      `json:"verify,omitempty"` // on all that the parts do not look at
	Decrypt *DecryptPlan `json:"decrypt,omitempty"`
	Scrub   *Source      `json:"scrub,omitempty"` // the parity file
}

// A Source is a file in one state.
type Source struct {
	Name    string `json:"name"` // an absolute path, or a URL
	Size    int64  `json:"size"`
	Version string `json:"version"` // size and time of the last change, or the ETag
}

// An EncryptPlan is a set that has its root.
type EncryptPlan struct {
	Root       string `json:"root"`    // its name
	Set        string `json:"set_id"`  // in hexadecimal digits
	Public     string `json:"set_key"` // the public half
	VolumeSize int64  `json:"volume_size"`
	Level      int    `json:"level"` // 0: not compressed
	Suite      byte   `json:"suite"` // 0: the one that the machine is fast at
}

// A DecryptPlan says where the plaintext goes.
type DecryptPlan struct {
	Output string       `json:"output"` // its name
	Held   storage.Held `json:"held"`   // what it is until all parts are done
	Cuts   []int64      `json:"cuts"`   // part i has bytes Cuts[i] to Cuts[i+1]
	Piece  int64        `json:"piece"`  // the most bytes that are written at once
}

// A Receipt is what a part leaves when it is done.
type Receipt struct {
	Job      string           `json:"job"`
	Part     int              `json:"part"`
	Volume   *VolumeMade      `json:"volume,omitempty"`
	Verified []stream.Checked `json:"verified,omitempty"` // by container
	Scrubbed *Scrubbed        `json:"scrubbed,omitempty"`
}

// A VolumeMade is a volume without a name.
type VolumeMade struct {
	storage.Held
	Identity []byte `json:"identity"` // bytes 0 to 95 of its head
	Content  int64  `json:"content"`
}

// A Scrubbed is the report on a part, and what it keeps to itself.
type Scrubbed struct {
	*parity.Report
	Restore bool   `json:"head_restorable"`
	Failed  string `json:"read_failed,omitempty"` // a read of the file that did
}

// A Failure is why a part failed for good.
type Failure struct {
	Job  string `json:"job"`
	Part int    `json:"part"`
	Exit int    `json:"exit"` // code of the run
	What string `json:"error"`
	Hint string `json:"hint,omitempty"`
}

// A Job is one that was planned.
type Job struct {
	*Plan
	Name  string // of its folder or prefix
	files *storage.Run
}

// A Problem is why something cannot be done with a job.
type Problem int

const (
	NotThere Problem = iota + 1 // there is no plan
	Taken                       // there is one already
	Damaged                     // a file of the job is not what it should be
	Newer                       // the plan is of another version
	NoPart                      // there is no part of that number
	Changed                     // what is read is not what it was
	OtherKey                    // the key is of another job
	Missing                     // parts are not done
	Finished                    // it is done already
	Unended                     // its output is complete, but that it is done could not be noted
)

// An Error is a Problem with a job.
type Error struct {
	Problem
	Job  string // its name
	What string // the name, number or list that it is about
	Err  error
}

var problems = [...]string{
	NotThere: "there is no job in JOB",
	Taken:    "JOB has a job already",
	Damaged:  "WHAT in JOB is damaged",
	Newer:    "the job in JOB is of version WHAT, which this program does not know",
	NoPart:   "the job in JOB has no part WHAT",
	Changed:  "WHAT has changed since the job in JOB was planned",
	OtherKey: "the key is not that of the job in JOB",
	Missing:  "the job in JOB is not done: parts WHAT are missing",
	Finished: "the job in JOB is finished already",
	Unended:  "WHAT is complete, but the job in JOB could not be ended",
}

func (e *Error) Error() string {
	return strings.NewReplacer("JOB", safetext.Printable(e.Job), "WHAT", safetext.Printable(e.What)).Replace(problems[e.Problem])
}

func (e *Error) Unwrap() error { return e.Err }

func (j *Job) fails(p Problem, what string, err error) error {
	return &Error{Problem: p, Job: j.Name, What: what, Err: err}
}

// The names of what a job has.
const (
	planName     = "plan.json"
	finishedName = "finished"
	doneSuffix   = ".done"
	failedSuffix = ".failed"
)

func (j *Job) path(name string) string { return j.Name + "/" + name }

func partName(i int, suffix string) string { return fmt.Sprintf("%06d%s", i, suffix) }

// maxFile bounds a file of a job that is read: a plan lists one number a part.
const maxFile = 64 << 20

// read reads a file of the job into v, strictly: there are neither unknown fields in it nor anything
// after it. Its error matches fs.ErrNotExist if there is none.
func (j *Job) read(name string, v any) error {
	b, err := openFile(j.files, j.path(name))
	if err != nil {
		return err
	}
	defer b.Close()
	text, err := io.ReadAll(io.LimitReader(b, maxFile))
	if err != nil {
		return err
	}
	if err := decode(text, v); err != nil {
		var any struct {
			Version int `json:"bulla_job"`
		}
		if json.Unmarshal(text, &any) == nil && any.Version > Version && name == planName {
			return j.fails(Newer, fmt.Sprint(any.Version), nil)
		}
		return j.fails(Damaged, name, err)
	}
	return nil
}

func decode(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return nil
}

// withoutCancel is the job in a run that goes on when that of j has ended.
func (j *Job) withoutCancel() *Job {
	return &Job{Name: j.Name, Plan: j.Plan, files: j.files.WithoutCancel()}
}

func (j *Job) once(name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return j.files.Once(j.path(name), append(b, '\n'))
}

// unplanned returns the job of that name, without its plan.
func unplanned(files *storage.Run, name string) *Job {
	return &Job{Name: strings.TrimRight(name, "/"), files: files}
}

// Open opens a job.
func Open(files *storage.Run, name string) (*Job, error) {
	j := unplanned(files, name)
	j.Plan = new(Plan)
	err := j.read(planName, j.Plan)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, j.fails(NotThere, "", err)
	case err != nil:
		return nil, err
	case j.Version != Version:
		return nil, j.fails(Newer, fmt.Sprint(j.Version), nil)
	}
	if err := j.Plan.check(); err != nil {
		return nil, j.fails(Damaged, planName, err)
	}
	return j, nil
}

// openFile opens a file of the job, or that it is on. A named pipe in its place would be waited for.
func openFile(files *storage.Run, name string) (*storage.Blob, error) {
	if storage.IsPipe(name) {
		return nil, &storage.Error{Kind: storage.NotRegular, Name: name}
	}
	return files.Open(name)
}

// has reports whether the job has a file of that name.
func (j *Job) has(name string) (bool, error) {
	b, err := openFile(j.files, j.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		b.Close()
	}
	return err == nil, err
}

// open opens what a part or the end of the job reads, which must not have changed.
func (j *Job) open(s *Source) (*storage.Blob, error) {
	b, err := openFile(j.files, s.Name)
	if err != nil {
		return nil, err
	}
	if now := describe(s.Name, b); now != *s {
		b.Close()
		return nil, j.fails(Changed, s.Name, nil)
	}
	return b, nil
}

// unchanged looks once more, when all has been read.
func (j *Job) unchanged(s *Source, b *storage.Blob) error {
	if err := b.Recheck(); errors.Is(err, storage.Changed) || errors.Is(err, storage.Shrunk) {
		return j.fails(Changed, s.Name, err)
	} else if err != nil {
		return err
	}
	again, err := j.open(s) // by its name: another file may have got it
	if err == nil {
		again.Close()
	}
	return err
}

// describe says what a file is, in a way that is the same on all machines that have it.
func describe(name string, b *storage.Blob) Source {
	s := Source{Name: name, Size: b.Size(), Version: string(b.Version())}
	if st := b.Info(); st != nil {
		s.Version = st.ModTime().UTC().Format("2006-01-02T15:04:05.000000000Z")
	}
	return s
}

// parts opens the parts of a set beside its root.
func (j *Job) parts(root string) set.Opener { return opener(j.files, root) }

func opener(files *storage.Run, root string) set.Opener {
	return func(_ context.Context, suffix string) (set.File, error) {
		b, err := openFile(files, root+suffix)
		if err == nil && !b.Regular() {
			b.Close()
			err = &storage.Error{Kind: storage.NotRegular, Name: root + suffix}
		}
		if err != nil {
			return nil, err
		}
		return b, nil
	}
}
