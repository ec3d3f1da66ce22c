//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const resultsFile = "docs/performance.json"

// pages are those with blocks that come of the results, each between two comments:
//
//	<!-- bench: NAME -->…<!-- /bench -->
var pages = map[string][]string{
	"README.md":           {"summary"},
	"docs/performance.md": {"machine", "copy", "tools", "compress", "sets", "repair", "limits", "memory", "requests", "unmet"},
	"docs/limits.md": {"mount", "mount to a pipe", "memory plain", "memory -z", "memory --parity", "memory parity create", "memory scrub", "memory repair", "memory --sign",
		"memory to an object", "memory from an object"},
	"docs/storage.md":   {"memory to an object", "memory from an object"},
	"docs/operators.md": {"memory parity create"},
	"docs/scale.md": {"parts encrypt", "parts encrypt, disk", "parts verify", "parts verify, disk",
		"memory job encrypt", "memory job verify", "memory job decrypt", "memory job decrypt to a file",
		"plan time", "plan memory", "status time", "finish time", "finish memory"},
}

// docs writes the blocks of the pages in root, the folder of the module, and the plots.
func docs(root string) error {
	r, err := load(filepath.Join(root, resultsFile))
	if err != nil {
		return err
	}
	for page, names := range pages {
		name := filepath.Join(root, page)
		text, err := os.ReadFile(name)
		if err == nil {
			text, err = fill(text, names, r.blocks())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			return err
		}
	}
	plot := exec.Command("go", "run", ".")
	plot.Dir = filepath.Join(root, "bench", "plot")
	if out, err := plot.CombinedOutput(); err != nil {
		return fmt.Errorf("drawing the plots: %w: %s", err, out)
	}
	return nil
}

var block = regexp.MustCompile(`(?s)(<!-- bench: ([^>]*?) -->)(.*?)(<!-- /bench -->)`)

// fill puts blocks into a page, which must have each of names once, and no other.
func fill(page []byte, names []string, blocks map[string]string) ([]byte, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	var err error
	filled := block.ReplaceAllFunc(page, func(all []byte) []byte {
		m := block.FindSubmatch(all)
		name := string(m[2])
		text, ok := blocks[name]
		switch {
		case !wanted[name] || !ok:
			err = fmt.Errorf("the block %q is not expected, or not again", name)
		case bytes.Contains(m[3], []byte("<!-- bench:")):
			err = fmt.Errorf("the block %q has no end", name)
		}
		delete(wanted, name)
		return []byte(string(m[1]) + text + string(m[4]))
	})
	for name := range wanted {
		err = fmt.Errorf("there is no block %q", name)
	}
	if n := bytes.Count(filled, []byte("<!-- bench:")); err == nil && n != len(names) {
		err = fmt.Errorf("%d blocks begin, and %d were filled: one has no end", n, len(names))
	}
	return filled, err
}

// blocks are the texts that come of the results, by name.
func (r *Results) blocks() map[string]string {
	b := map[string]string{
		"machine": fmt.Sprintf("\n%s\nThe input was %s, and each figure is the median of %d runs.\n%s", &r.Machine, inSize(r.Size), r.Rounds, r.later()),
		"summary": r.summary(),
		"unmet":   r.unmet(),
		"memory":  r.table("memory/peak of "), "requests": r.table("requests/"),
		"mount": r.ratio("tmpfs/mount vs cat"), "mount to a pipe": r.ratio("tmpfs/mount vs cat, to a pipe"),
		"memory plain": r.most("encrypt", "decrypt", "encrypt, pipe", "decrypt, pipe", "verify"),
		"memory -z":    r.most("encrypt -z"), "memory --parity": r.most("encrypt --parity 5%"),
		"memory parity create": r.most("parity create"), "memory scrub": r.most("scrub"), "memory repair": r.most("repair"), "memory --sign": r.most("encrypt --sign"),
		"memory to an object": r.most("encrypt, to an object"), "memory from an object": r.most("decrypt, from an object"),
		"memory job encrypt": r.most("job run, encrypt, in a bucket"), "memory job verify": r.most("job run, verify, in a bucket"),
		"memory job decrypt": r.most("job run, decrypt, in a bucket"), "memory job decrypt to a file": r.most("job run, decrypt, to a file"),
		"plan time": r.value("scale/time of job encrypt"), "plan memory": r.value("scale/peak of job encrypt"), "status time": r.value("scale/time of job status"),
		"finish time": r.value("scale/time of job finish"), "finish memory": r.value("scale/peak of job finish"),
	}
	for name, where := range map[string]string{"": "tmpfs", ", disk": "disk"} {
		b["parts encrypt"+name] = r.ratio(where + "/two parts of a job vs encrypt -j 2")
		b["parts verify"+name] = r.ratio(where + "/two parts of a job vs verify -j 2")
	}
	for _, table := range []string{"copy", "tools", "compress", "sets", "repair", "limits"} {
		b[table] = r.compared(table)
	}
	return b
}

// later says what was measured after the rest.
func (r *Results) later() string {
	var b strings.Builder
	for _, l := range r.Later {
		fmt.Fprintf(&b, "What `-run '%s'` measures is of %s, at revision %.12s.\n", l.Run, l.Machine.Date, l.Machine.Revision)
	}
	return b.String()
}

// title is the name of a case in words: what is done, against what, and where.
func (c *Case) title() string {
	where, what, _ := strings.Cut(c.Name, "/")
	what, against, _ := strings.Cut(what, " vs ")
	where = map[string]string{"disk": ", on a disk", slowDisk: ", on a disk that writes 1 GB/s"}[where]
	return what + " against " + against + where
}

// compared is a table of cases: median rates with the slowest and the fastest run, and ratios
// with what half of the rounds lie between.
func (r *Results) compared(table string) string {
	var b strings.Builder
	sizes := table == "compress"
	fmt.Fprint(&b, "\n\n| work | bulla | the other | ratio (half of the rounds) | goal |", map[bool]string{true: " size |"}[sizes], "\n|---|---|---|---|---|", map[bool]string{true: "---|"}[sizes], "\n")
	for _, c := range r.Cases {
		if c.Table != table {
			continue
		}
		if c.LeftOut != "" {
			fmt.Fprintf(&b, "| %s | left out: %s | | | |%s\n", c.title(), c.LeftOut, map[bool]string{true: " |"}[sizes])
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | **%.2f** (%.2f–%.2f) | %s |", c.title(), c.rates(c.Ours), c.rates(c.Theirs), c.Ratio, c.Ratios.Q1, c.Ratios.Q3, verdict(c.goal()))
		if sizes && c.Ours.Output > 0 && c.Theirs.Output > 0 && strings.Contains(c.Name, "encrypt") {
			fmt.Fprintf(&b, " %.3f of the other |", float64(c.Ours.Output)/float64(c.Theirs.Output))
		} else if sizes {
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	return b.String() + "\n"
}

func verdict(goal string, met bool) string {
	switch {
	case goal == "":
		return ""
	case met:
		return goal + ", met"
	}
	return goal + ", **not met**"
}

// rates is the median rate of a side, with those of its slowest and its fastest run.
func (c *Case) rates(s *Side) string {
	slowest, fastest := inRate(float64(c.Size)/s.Spread.Max), inRate(float64(c.Size)/s.Spread.Min)
	if number, unit, _ := strings.Cut(slowest, " "); strings.HasSuffix(fastest, unit) {
		slowest = number
	}
	return fmt.Sprintf("%s (%s–%s)", inRate(c.rate(s)), slowest, fastest)
}

// table is a table of amounts whose names begin with prefix: a row for each work, a column for each
// size that the first of them has.
func (r *Results) table(prefix string) string {
	var heads []string
	rows := map[string][]Amount{}
	var order []string
	for _, a := range r.Amounts {
		name, ok := strings.CutPrefix(a.Name, prefix)
		if !ok {
			continue
		}
		if rows[name] == nil {
			order = append(order, name)
		}
		if rows[name] = append(rows[name], a); len(rows[name]) > len(heads) {
			heads = append(heads, map[string]string{"bytes": inSize(a.Size), "requests": "took"}[a.Unit])
		}
	}
	var b strings.Builder
	b.WriteString("\n\n| |")
	b.WriteString(" " + strings.Join(heads, " | ") + " | goal |\n|---|" + strings.Repeat("---|", len(heads)+1) + "\n")
	for _, name := range order {
		fmt.Fprintf(&b, "| %s |", name)
		met := true
		for _, a := range rows[name] {
			fmt.Fprintf(&b, " %s |", a.amount(a.Value))
			met = met && a.met()
		}
		last := rows[name][len(rows[name])-1]
		goal := ""
		if last.AtMost > 0 {
			goal = "≤ " + last.amount(last.AtMost)
		}
		fmt.Fprintf(&b, " %s |\n", verdict(goal, met))
	}
	return b.String() + "\n"
}

// summary is the table of README.md.
func (r *Results) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe input was %s, and each figure is the median of %d runs.\n\n| work | bulla | compared with | | times as fast |\n|---|---|---|---|---|\n", inSize(r.Size), r.Rounds)
	for _, row := range []struct{ work, other, name string }{
		{"encrypt a file", "`dd`, which copies it", "tmpfs/encrypt vs dd"},
		{"decrypt it", "`dd`", "tmpfs/decrypt vs dd"},
		{"encrypt in a pipe", "age", "tmpfs/encrypt, pipe vs age"},
		{"encrypt a file", "gpg", "tmpfs/encrypt vs gpg"},
		{"compress and encrypt, `-z --level 1`", "`zstd -T0 -1 \\| age`", "tmpfs/encrypt -z --level 1 vs zstd and age"},
		{"verify every byte", "`sha256sum`", "tmpfs/verify vs sha256sum"},
	} {
		if c := r.find(row.name); c != nil {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f |\n", row.work, inRate(c.rate(c.Ours)), row.other, inRate(c.rate(c.Theirs)), c.Ratio)
		}
	}
	return b.String() + "\n"
}

// unmet lists the goals that are not met, each with what limits it.
func (r *Results) unmet() string {
	var b strings.Builder
	for _, c := range r.Cases {
		if goal, met := c.goal(); !met {
			is := fmt.Sprintf("%.2f", c.Ratio)
			if c.RateAbove > 0 {
				is = inRate(c.rate(c.Ours))
			}
			fmt.Fprintf(&b, "- **%s**: %s, the goal is %s. %s\n", c.title(), is, goal, limitOf(c.Name))
		}
	}
	for _, a := range r.Amounts {
		if !a.met() {
			fmt.Fprintf(&b, "- **%s**, for %s: %s, the goal is ≤ %s. %s\n", a.Name, inSize(a.Size), a.amount(a.Value), a.amount(a.AtMost), limitOf(a.Name))
		}
	}
	if b.Len() == 0 {
		return "\n\nAll goals are met.\n\n"
	}
	return "\n\n" + b.String() + "\n"
}

// ratio is the ratio of a case, or "?" where it was left out.
func (r *Results) ratio(name string) string {
	if c := r.find(name); c != nil {
		return fmt.Sprintf("%.2f", c.Ratio)
	}
	return "?"
}

// value is the amount of a name, or "?" where it was not measured.
func (r *Results) value(name string) string {
	for _, a := range r.Amounts {
		if a.Name == name {
			return a.amount(a.Value)
		}
	}
	return "?"
}

// most is the most memory that any of some work took, of any size.
func (r *Results) most(names ...string) string {
	var most int64
	for _, a := range r.Amounts {
		for _, name := range names {
			if a.Name == "memory/peak of "+name {
				most = max(most, a.Value)
			}
		}
	}
	if most == 0 {
		return "?"
	}
	return inSize(most)
}
