package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bulla/format"
	"bulla/internal/safetext"
	"bulla/internal/storage"
	"bulla/set"
	"bulla/stream"
)

// A Report is what a plan knows of a file or set, and Finish all of it: what Verify says.
type Report struct {
	Size       int64            `json:"size"`  // of all containers, in bytes
	Keyed      bool             `json:"keyed"` // an identity opened it
	Generation uint32           `json:"generation"`
	Volumes    int              `json:"volumes"` // 0: it is no set
	Authentic  int64            `json:"chunks_authentic"`
	Failed     int64            `json:"chunks_failed"`
	Findings   []set.Finding    `json:"findings"`
	Checks     []stream.Outcome `json:"checks"`
}

// maxFindings bounds a report on a set that is damaged all over, as in package set.
const maxFindings = 10000

// plain reports whether a finding, which may come from anywhere, does nothing to a terminal.
func plain(f set.Finding) bool {
	all := string(f.Clause) + f.Suffix + f.Message
	return all == safetext.OneLine(all)
}

// isFinding reports whether an error is about what a container holds.
func isFinding(err error) bool {
	_, ok := errors.AsType[interface {
		error
		Finding() format.Finding
	}](err)
	return ok
}

// verify verifies all of a file or set, or only the ends of its containers: what no part does.
func (p *Planning) verify(ctx context.Context, name string, src *storage.Blob, ids []stream.Identity, ends bool) (*Report, error) {
	r, err := set.VerifyAny(ctx, src.At(), src.Size(), opener(p.Files, name), ids, &set.VerifyOptions{Workers: p.Workers, Done: p.Done, Ends: ends})
	return &Report{Size: r.Size, Keyed: r.Root.Keyed, Generation: r.Root.Generation, Volumes: len(r.Volumes), Authentic: r.Authentic, Failed: r.Failed,
		Findings: append([]set.Finding{}, r.Findings...), Checks: r.Outcomes()}, err
}

// merge adds what the parts have found to what was known when the job was planned.
func (j *Job) merge(ctx context.Context) (*Report, error) {
	by := make([]*Receipt, j.Parts)
	err := j.receipts(ctx, func(i int, r *Receipt) error {
		by[i] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return j.merged(by)
}

func (j *Job) merged(receipts []*Receipt) (*Report, error) {
	rep := *j.Verify
	found := make(map[string][]stream.Checked)
	opened := int64(0)
	for _, r := range receipts {
		for _, c := range r.Verified {
			opened += c.Authentic + c.Failed
			rep.Authentic += c.Authentic
			rep.Failed += c.Failed
			if suffix := rep.suffix(&c); c.Failed > 0 || c.Frame != nil {
				found[suffix] = append(found[suffix], c)
			}
		}
	}
	if missing := j.Work/format.ChunkSize - opened; missing != 0 {
		return nil, j.fails(Missing, fmt.Sprintf("with %d chunks", missing), nil)
	}
	rep.Findings = []set.Finding{}
	known := make(map[string][]format.Finding)
	for _, f := range j.Verify.Findings {
		known[f.Suffix] = append(known[f.Suffix], f.Finding)
	}
	for suffix, more := range found {
		known[suffix] = join(known[suffix], more)
	}
	for suffix, all := range known {
		for _, f := range all {
			rep.Findings = append(rep.Findings, set.Finding{Suffix: suffix, Finding: f})
		}
	}
	place := func(f set.Finding) string { return strings.Replace(f.Suffix, set.IndexSuffix, ".", 1) } // the root, the index, the volumes
	slices.SortStableFunc(rep.Findings, func(f, g set.Finding) int { return cmp.Compare(place(f), place(g)) })
	rep.Findings = rep.Findings[:min(len(rep.Findings), maxFindings)]
	rep.Checks = slices.Clone(rep.Checks)
	for i := range rep.Checks {
		rep.judge(&rep.Checks[i], len(found) > 0)
	}
	return &rep, nil
}

func (rep *Report) suffix(c *stream.Checked) string {
	if rep.Volumes == 0 {
		return ""
	}
	return set.VolumeSuffix(int(c.Number))
}

func isCoding(c format.Clause) bool { return strings.HasPrefix(string(c), "ZSTD-") }

// join puts what the parts have found of a container between what was known of it: its head, its
// chunks in their order, and if all of these opened its coding, then its place in the set.
func join(known []format.Finding, more []stream.Checked) (all []format.Finding) {
	var last []format.Finding // chunks that were known
	var coding *format.Finding
	for i, f := range known {
		switch {
		case f.Clause == format.CHUNK1:
			last = append(last, f)
		case isCoding(f.Clause):
			coding = &known[i]
		case !strings.HasPrefix(string(f.Clause), "SET-"):
			all = append(all, f)
		}
	}
	head, failed := more[0].HeadSize, len(last) > 0
	for i := len(more) - 1; i >= 0; i-- {
		failed = failed || more[i].Failed > 0
		coding = cmp.Or(more[i].Frame, coding) // the first counts
	}
	for _, c := range more {
		all = stream.JoinFindings(all, c.Findings, head)
	}
	all = stream.JoinFindings(all, last, head)
	if coding != nil && !failed {
		all = append(all, *coding)
	}
	for _, f := range known {
		if strings.HasPrefix(string(f.Clause), "SET-") {
			all = append(all, f)
		}
	}
	return all
}

// judge says how a clause came out, with what the parts have found.
func (rep *Report) judge(o *stream.Outcome, found bool) {
	broken := func(f set.Finding) bool { return f.Clause == o.Clause && f.Severity == format.Violation }
	switch {
	case slices.ContainsFunc(rep.Findings, broken):
		o.Result = stream.Failed
	case found && rep.Volumes == 0 && isCoding(o.Clause) && o.Result != stream.NotApplicable:
		o.Result = stream.NotChecked // not all of it was decompressed
	case found && rep.Volumes > 0 && isCoding(o.Clause) && o.Result == stream.Failed:
		o.Result = stream.Passed // a chunk before it failed
	}
}
