//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// Results are what a run measured, and on what; docs/performance.json is one. Times
// are seconds, sizes and rates bytes.
type Results struct {
	Machine Machine  `json:"machine"`
	Size    int64    `json:"size"` // of the input
	Rounds  int      `json:"rounds"`
	Cases   []Case   `json:"cases"`
	Amounts []Amount `json:"amounts"`
	Later   []Later  `json:"later,omitempty"`
}

// A Later is a run that measured a part anew.
type Later struct {
	Run     string  `json:"run"` // the expression of -run
	Machine Machine `json:"machine"`
}

// A Case is two pieces of comparable work that ran in turn.
type Case struct {
	Name      string  `json:"name"`
	Table     string  `json:"table"` // of docs/performance.md
	LeftOut   string  `json:"left_out,omitempty"`
	Size      int64   `json:"size,omitempty"` // of the plaintext, which rates go by
	Ours      *Side   `json:"ours,omitempty"`
	Theirs    *Side   `json:"theirs,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`        // of the medians, in speed: above 1 ours is faster
	Ratios    *Spread `json:"ratios,omitempty"`       // of the rounds, each its own
	AtLeast   float64 `json:"goal,omitempty"`         // for Ratio, 0 for none
	RateAbove float64 `json:"goal_of_rate,omitempty"` // for the rate of ours, 0 for none
}

// A Side is one of the two.
type Side struct {
	Does    string    `json:"does"`
	Seconds []float64 `json:"seconds"`
	Spread  Spread    `json:"spread"` // of Seconds
	CPU     float64   `json:"cpu"`    // user and system, the median
	Peak    int64     `json:"peak_memory,omitempty"`
	Output  int64     `json:"output,omitempty"` // size of the file "out", 0 if there is none
}

// An Amount is something that is to be small: memory, or requests.
type Amount struct {
	Name    string `json:"name"`
	LeftOut string `json:"left_out,omitempty"`
	Does    string `json:"does"`
	Size    int64  `json:"size"` // of the plaintext
	Unit    string `json:"unit"` // bytes or requests
	Value   int64  `json:"value"`
	AtMost  int64  `json:"goal"`
}

// Spread is how values spread: the median, and what a quarter and all of them lie between.
type Spread struct {
	Min    float64 `json:"min"`
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
	Max    float64 `json:"max"`
}

// spreadOf is the spread of at least one value. Between two values it takes what lies between
// them in proportion, as R and NumPy do unless they are told otherwise.
func spreadOf(values []float64) Spread {
	v := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 {
		x := share * float64(len(v)-1)
		i := min(int(x), len(v)-1)
		next := v[min(i+1, len(v)-1)]
		return v[i] + (x-float64(i))*(next-v[i])
	}
	return Spread{v[0], at(0.25), at(0.5), at(0.75), v[len(v)-1]}
}

// sideOf sums up the runs of one side.
func sideOf(does string, runs []run) *Side {
	s := &Side{Does: does}
	var cpu []float64
	for _, r := range runs {
		s.Seconds, cpu = append(s.Seconds, r.took.Seconds()), append(cpu, r.cpu.Seconds())
		s.Peak, s.Output = max(s.Peak, r.peak), r.output
	}
	s.Spread, s.CPU = spreadOf(s.Seconds), spreadOf(cpu).Median
	return s
}

// compared sets what comes of two sides of as many runs.
func (c *Case) compared(ours, theirs *Side) {
	var each []float64
	for i, t := range ours.Seconds {
		each = append(each, theirs.Seconds[i]/t)
	}
	ratios := spreadOf(each)
	c.Ours, c.Theirs, c.Ratios, c.Ratio = ours, theirs, &ratios, theirs.Spread.Median/ours.Spread.Median
}

// rate is the median rate of a side.
func (c *Case) rate(s *Side) float64 { return float64(c.Size) / s.Spread.Median }

// goal is the goal in words, and whether it is met; "" if there is none or nothing was measured.
func (c *Case) goal() (goal string, met bool) {
	switch {
	case c.LeftOut != "":
		return "", true
	case c.RateAbove > 0:
		return "≥ " + inRate(c.RateAbove), c.rate(c.Ours) >= c.RateAbove
	case c.AtLeast > 0:
		return fmt.Sprintf("≥ %.2f", c.AtLeast), c.Ratio >= c.AtLeast-0.005 // as it is printed
	}
	return "", true
}

func (a *Amount) met() bool { return a.LeftOut != "" || a.AtMost == 0 || a.Value <= a.AtMost }

// update has r, of a run of what matches only, take the place of the same in what old has.
func (r *Results) update(old *Results, only string) *Results {
	for _, c := range r.Cases {
		if i := slices.IndexFunc(old.Cases, func(o Case) bool { return o.Name == c.Name }); i >= 0 {
			old.Cases[i] = c
		} else {
			old.Cases = append(old.Cases, c)
		}
	}
	for _, a := range r.Amounts {
		if i := slices.IndexFunc(old.Amounts, func(o Amount) bool { return o.Name == a.Name && o.Size == a.Size }); i >= 0 {
			old.Amounts[i] = a
		} else {
			old.Amounts = append(old.Amounts, a)
		}
	}
	old.Later = append(slices.DeleteFunc(old.Later, func(l Later) bool { return l.Run == only }), Later{only, r.Machine})
	return old
}

func (r *Results) save(name string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o666)
}

func load(name string) (*Results, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	r := new(Results)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// find is the case of a name that was measured, or nil.
func (r *Results) find(name string) *Case {
	i := slices.IndexFunc(r.Cases, func(c Case) bool { return c.Name == name && c.LeftOut == "" })
	if i < 0 {
		return nil
	}
	return &r.Cases[i]
}

// String is a case as a line of text.
func (c *Case) String() string {
	if c.LeftOut != "" {
		return fmt.Sprintf("%-46s left out: %s", c.Name, c.LeftOut)
	}
	goal, met := c.goal()
	if goal != "" && !met {
		goal += ", not met"
	}
	return fmt.Sprintf("%-46s %10s %10s %6.2f  %.2f–%.2f  %4.1f s CPU  %4d MiB  %s", c.Name,
		inRate(c.rate(c.Ours)), inRate(c.rate(c.Theirs)), c.Ratio, c.Ratios.Q1, c.Ratios.Q3, c.Ours.CPU, c.Ours.Peak>>20, goal)
}

func (a *Amount) String() string {
	if a.LeftOut != "" {
		return fmt.Sprintf("%-46s left out: %s", a.Name, a.LeftOut)
	}
	goal := ""
	if a.AtMost > 0 {
		goal = "at most " + a.amount(a.AtMost) + map[bool]string{false: ", not met"}[a.met()]
	}
	return fmt.Sprintf("%-46s %10s  %s", a.Name, a.amount(a.Value), goal)
}

// amount is n in the unit of a.
func (a *Amount) amount(n int64) string {
	switch a.Unit {
	case "bytes":
		return inSize(n)
	case "ms":
		if n < 1000 {
			return fmt.Sprintf("%d ms", n)
		}
		return fmt.Sprintf("%.1f s", float64(n)/1000)
	}
	return fmt.Sprintf("%d %s", n, a.Unit)
}

// inRate is a rate in three digits: 4.56 GB/s, 45.6 MB/s.
func inRate(bytes float64) string {
	unit := "MB/s"
	if bytes /= 1e6; bytes >= 999.5 {
		bytes, unit = bytes/1e3, "GB/s"
	}
	digits := 0
	for limit := 99.95; bytes < limit && digits < 2; limit /= 10 {
		digits++
	}
	return fmt.Sprintf("%.*f %s", digits, bytes, unit)
}

// inSize is a size that is a whole number of MiB, or nearly.
func inSize(n int64) string {
	if n >= 1<<30 && n%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", (n+1<<19)>>20)
}
