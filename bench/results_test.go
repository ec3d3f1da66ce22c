//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{7}, Spread{7, 7, 7, 7, 7}},
		{[]float64{3, 1}, Spread{1, 1.5, 2, 2.5, 3}},
		{[]float64{5, 1, 4, 2, 3}, Spread{1, 2, 3, 4, 5}},
		{[]float64{4, 1, 3, 2}, Spread{1, 1.75, 2.5, 3.25, 4}},
		{[]float64{2, 2, 2, 100}, Spread{2, 2, 2, 26.5, 100}},
	} {
		given := append([]float64(nil), test.values...)
		if got := spreadOf(given); got != test.want {
			t.Errorf("%v: %+v, not %+v", test.values, got, test.want)
		}
		if !reflect.DeepEqual(given, test.values) {
			t.Errorf("%v was sorted in place: runs stay in their order", test.values)
		}
	}
}

// Ratios are of speeds: who takes half the time has 2. Each round has its own.
func TestCompared(t *testing.T) {
	side := func(seconds ...int) *Side {
		var runs []run
		for _, s := range seconds {
			runs = append(runs, run{took: time.Duration(s) * time.Second, cpu: time.Second, peak: int64(s)})
		}
		return sideOf("work", runs)
	}
	c := Case{Size: 12e9, AtLeast: 2}
	c.compared(side(3, 1, 2), side(3, 6, 4))
	if c.Ratio != 2 || *c.Ratios != (Spread{1, 1.5, 2, 4, 6}) || c.Ours.Peak != 3 || c.Ours.CPU != 1 || c.rate(c.Ours) != 6e9 {
		t.Errorf("%+v, %+v, %+v", c, c.Ratios, c.Ours)
	}
	for goal, met := range map[float64]bool{2: true, 2.004: true, 2.1: false} {
		c.AtLeast = goal
		if _, got := c.goal(); got != met {
			t.Errorf("2 meets a goal of %v: %v", goal, got)
		}
	}
	c.AtLeast, c.RateAbove = 0, 7e9
	if goal, met := c.goal(); goal != "≥ 7.00 GB/s" || met {
		t.Errorf("6 GB/s: %q, %v", goal, met)
	}
}

func TestInRate(t *testing.T) {
	for rate, want := range map[float64]string{1.2345e9: "1.23 GB/s", 12.345e9: "12.3 GB/s", 999.4e6: "999 MB/s", 999.9e6: "1.00 GB/s", 99.97e6: "100 MB/s", 9.876e6: "9.88 MB/s", 1e4: "0.01 MB/s"} {
		if got := inRate(rate); got != want {
			t.Errorf("%v: %s, not %s", rate, got, want)
		}
	}
}

// What is saved is what is loaded. A tool that is missing is said.
func TestResults(t *testing.T) {
	*rounds = 2
	missing := pair{table: "tools", name: "tmpfs/encrypt vs nothing", tool: "no-such-tool", ours: "false", theirs: "false"}
	left, err := missing.compare(t.TempDir())
	if err != nil || !strings.Contains(left.String(), "left out: no-such-tool is not installed") {
		t.Errorf("%s, %v", &left, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	measured, err := pair{table: "tools", name: "tmpfs/encrypt vs true", ours: "cat in >out", theirs: "test ! -e out"}.compare(dir)
	if err != nil || len(measured.Ours.Seconds) != 2 || measured.Ours.Output != 1<<20 || measured.Theirs.Output != 0 || measured.Ours.Peak < 1<<19 {
		t.Fatalf("%+v, %v", measured, err)
	}
	if _, err := (pair{ours: "cat in >out", theirs: "echo this went wrong; exit 3"}).compare(dir); err == nil || !strings.Contains(err.Error(), "this went wrong") {
		t.Errorf("a command that fails: %v", err)
	}
	r := &Results{Machine: thisMachine([]place{{name: "disk", dir: dir}}), Size: 1 << 20, Rounds: *rounds, Cases: []Case{left, measured},
		Amounts: []Amount{{Name: "memory/peak of cat", Does: "cat", Size: 1 << 20, Unit: "bytes", Value: 2 << 20, AtMost: 1 << 20}}}
	name := filepath.Join(dir, "r.json")
	if err := r.save(name); err != nil {
		t.Fatal(err)
	}
	again, err := load(name)
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("%+v, %v, not %+v", again, err, r)
	}
	if text := r.compared("tools"); !strings.Contains(text, "| encrypt against nothing | left out: no-such-tool is not installed |") || !strings.Contains(text, "| encrypt against true | ") {
		t.Error(text)
	}
	if text := r.unmet(); !strings.Contains(text, "**memory/peak of cat**, for 1 MiB: 2 MiB, the goal is ≤ 1 MiB. ") {
		t.Error(text)
	}
	if err := os.WriteFile(name, []byte(`{"speed": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(name); err == nil {
		t.Error("a file of something else was loaded")
	}
}

// Pages have their blocks once, with an end; to fill them again changes nothing.
func TestFill(t *testing.T) {
	blocks := map[string]string{"a": "\n\n| new |\n\n", "b": "7"}
	const page = "x\n<!-- bench: a -->\n\n| old |\n\n<!-- /bench -->\ny <!-- bench: b -->6<!-- /bench --> z\n"
	const want = "x\n<!-- bench: a -->\n\n| new |\n\n<!-- /bench -->\ny <!-- bench: b -->7<!-- /bench --> z\n"
	names := []string{"a", "b"}
	for _, p := range []string{page, want} {
		if got, err := fill([]byte(p), names, blocks); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	for what, bad := range map[string]string{
		"missing":      strings.Replace(page, "bench: b", "b", 1),
		"unknown":      strings.Replace(page, "bench: b", "bench: c", 1),
		"twice":        page + page,
		"without end":  strings.Replace(page, "<!-- /bench -->", "", 1),
		"last no end":  strings.Replace(page, "6<!-- /bench -->", "6", 1),
		"an empty one": "",
	} {
		if got, err := fill([]byte(bad), names, blocks); err == nil {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// README.md and docs/ have what docs/performance.json gives. bench/plot has a test of the plots.
func TestDocs(t *testing.T) {
	r, err := load("../" + resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	for page, names := range pages {
		text, err := os.ReadFile("../" + page)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := fill(text, names, r.blocks()); err != nil || !bytes.Equal(text, want) {
			t.Errorf("%s has not what %s gives: run go run ./bench docs (%v)", page, resultsFile, err)
		}
	}
	if rows := strings.Count(r.summary(), "\n| "); rows != 7 {
		t.Errorf("README.md's table has %d rows of 7: a case was left out or renamed", rows)
	}
}

// Whatever has a goal has a sentence on what limits it, and no sentence is for nothing.
func TestLimits(t *testing.T) {
	r, err := load("../" + resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	check := func(name string) {
		limit := limitOf(name)
		if limit == "" {
			t.Errorf("nothing says what limits %s", name)
		}
		used[limit] = true
	}
	for _, where := range []string{"disk", slowDisk, "tmpfs"} {
		for _, c := range cases(where, 1<<30) {
			if c.goal > 0 || c.rate > 0 {
				check(where + "/" + c.name)
			}
		}
	}
	for _, c := range r.Cases {
		if strings.HasPrefix(c.Name, "memory/") && c.AtLeast > 0 {
			check(c.Name)
		}
	}
	for _, a := range r.Amounts {
		if a.AtMost > 0 {
			check(a.Name)
		}
	}
	for _, l := range limitsOf {
		if !used[l.limit] {
			t.Errorf("nothing is limited by %q", l.name)
		}
	}
}

// The whole of it, of a little, without other tools.
func TestAll(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	if _, err := os.Stat(*tmpfs); err != nil {
		t.Skip("there is no folder in memory")
	}
	*rounds, *into, *disk = 1, filepath.Join(t.TempDir(), "r.json"), t.TempDir()
	if err := all(1<<20, regexp.MustCompile("vs cp|vs dd|vs one file|alone$|requests/")); err != nil {
		t.Fatal(err)
	}
	r, err := load(*into)
	if err != nil || r.find("disk/encrypt vs cp") == nil || r.find("memory/Verify vs opening alone") == nil || len(r.Amounts) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}
