//go:build unix

// Command campaign tries to make bulla fail: it changes, cuts and splices what bulla reads,
// kills it, and lets system calls, disks, limits and pipes fail under it.
//
//	go run ./internal/campaign          the short form, as CI runs it
//	go run ./internal/campaign -long    hours less short; docs/reliability.md has its figures
//
// What must hold, whatever is done:
//
//   - nothing that was changed is taken for whole, and no byte is given that was not sealed
//   - no panic, and no message that blames bulla
//   - no file under the name of an output that is not all of it
//   - exit code 0 only with the right output
//   - no run harms a file that it reads
//
// Every part is a file of this package. Each trial is chosen by the seed and its number
// alone: what fails is printed with the command that does it again.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A campaign is one run of this program.
type campaign struct {
	seed  uint64
	long  bool
	only  string            // a part
	trial int               // of that part; all if negative
	bulla string            // the program under test
	root  string            // of the module
	dir   string            // for all that is written
	scene map[string][]byte // the files that a run of bulla begins with

	runs     atomic.Int64 // of bulla, or of a reader of the library
	failures atomic.Int64
	print    sync.Mutex
}

// A part tries one kind of fault. It returns how many trials there are, and what one is.
type part struct {
	name  string
	about string
	tries func(*campaign) (n int, try func(*trial))
}

var parts = []part{
	{"readers", "changed, cut and spliced containers, sets and grants, through every reader of the library", readers},
	{"verbs", "changed, cut and spliced files, given to every verb that reads", changedFiles},
	{"calls", "each system call fails, once with EIO, once with ENOSPC, and kills the run", calls},
	{"kill", "kill -9 at any time", kills},
	{"limits", "full disks, limits, closed descriptors", limits},
	{"pipes", "signals; pipes that are slow, broken or end early", pipes},
	{"agree", "the readers in Go and in JavaScript say the same", agree},
}

// A trial is one attempt of a part.
type trial struct {
	*campaign
	part   string
	number int
	rand   *rand.Rand
	did    string // what is tried, for messages
	void   bool   // there was nothing to try
}

// fail records that something does not hold.
func (t *trial) fail(format string, args ...any) {
	t.failures.Add(1)
	t.print.Lock()
	defer t.print.Unlock()
	fmt.Printf("FAIL %s %d: %s\n     %s\n     again: go run ./internal/campaign%s -seed %d -only %s -trial %d\n",
		t.part, t.number, t.did, fmt.Sprintf(format, args...), map[bool]string{true: " -long"}[t.long], t.seed, t.part, t.number)
}

func main() {
	c := &campaign{}
	flag.BoolVar(&c.long, "long", false, "try everything")
	flag.Uint64Var(&c.seed, "seed", 1, "choose other trials")
	flag.StringVar(&c.only, "only", "", "try this `part` alone")
	flag.IntVar(&c.trial, "trial", -1, "try this `number` of the part alone")
	workers := flag.Int("j", runtime.NumCPU(), "how many trials run at a time")
	flag.Parse()
	if err := c.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		os.Exit(2)
	}
	fmt.Printf("seed %d\n%-8s %8s %8s %7s\n", c.seed, "part", "trials", "runs", "s")
	for _, p := range parts {
		if c.only == "" || c.only == p.name {
			c.run(p, *workers)
		}
	}
	os.RemoveAll(c.dir)
	if n := c.failures.Load(); n > 0 {
		fmt.Printf("%d failures\n", n)
		os.Exit(1)
	}
	fmt.Println("no failures")
}

// prepare builds the program under test.
func (c *campaign) prepare() error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("run it in the module: %w", err)
	}
	c.root = strings.TrimSpace(string(root))
	if c.dir, err = os.MkdirTemp("", "campaign"); err != nil {
		return err
	}
	c.bulla = filepath.Join(c.dir, "bulla")
	build := exec.Command("go", "build", "-o", c.bulla, "./cmd/bulla")
	build.Dir, build.Stderr = c.root, os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	return c.setUp()
}

// run makes the trials of a part.
func (c *campaign) run(p part, workers int) {
	began := time.Now()
	n, try := p.tries(c)
	var done, next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if c.trial >= 0 && i != c.trial {
					continue
				}
				t := &trial{campaign: c, part: p.name, number: i, rand: rand.New(rand.NewPCG(c.seed, uint64(i)))}
				if try(t); !t.void {
					done.Add(1)
				}
			}
		})
	}
	all.Wait()
	fmt.Printf("%-8s %8d %8d %7.1f   %s\n", p.name, done.Load(), c.runs.Swap(0), time.Since(began).Seconds(), p.about)
}

// pick is how many trials there are in either form.
func (c *campaign) pick(short, long int) int {
	if c.long {
		return long
	}
	return short
}
