//go:build unix

// Bench times whole commands against their counterparts, side by side.
//
//	go run ./bench                 # everything, 1 GiB, 5 rounds
//	go run ./bench -run tmpfs -size 2GiB -rounds 9
//	go run ./bench scale           # 1 PiB: arithmetic, and a job of 20,000 volumes (docs/scale.md)
//
// For every case the two commands run in turn, A B A B …, so that a machine
// whose speed drifts slows both alike. What is printed is the median of each and
// the ratio of the medians, ours over theirs in speed: above 1 is faster. The
// goals beside the ratios are the project's own.
//
// It needs cp, cat, sync and sh; age, openssl and zstd are compared with where
// they are installed, and a mount is read where FUSE is.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"

	"bulla/internal/console"
)

var (
	size   = flag.String("size", "1GiB", "size of the input")
	rounds = flag.Int("rounds", 5, "runs of each command that count")
	only   = flag.String("run", "", "only cases whose name matches this regular expression")
	disk   = flag.String("disk", os.TempDir(), "a folder on a disk")
	tmpfs  = flag.String("tmpfs", "/dev/shm", "a folder in memory")
	many   = flag.Int("volumes", 20_000, "how many volumes the job of scale has")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.Parse()
	n, ok := console.ParseSize(*size)
	if !ok {
		log.Fatalf("-size %s is not a number of bytes, such as 512MiB", *size)
	}
	if flag.Arg(0) == "scale" {
		if err := scale(*many); err != nil {
			log.Fatal(err)
		}
		return
	}
	filter, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(n, filter); err != nil {
		log.Fatal(err)
	}
}

func run(n int64, filter *regexp.Regexp) error {
	fmt.Printf("%s/%s, %d processors, input %s, medians of %d interleaved runs\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *size, *rounds)
	fmt.Printf("%-34s %10s %10s %8s  %s\n", "case", "ours", "theirs", "ratio", "goal")
	for _, place := range []struct{ name, dir string }{{"disk", *disk}, {"tmpfs", *tmpfs}} {
		dir, err := os.MkdirTemp(place.dir, "bulla-bench-")
		if err != nil {
			fmt.Printf("%s: left out: %v\n", place.name, err)
			continue
		}
		err = runIn(dir, place.name, n, filter)
		os.RemoveAll(dir)
		if err != nil {
			return err
		}
	}
	return inMemory(n, filter)
}

// runIn runs the cases of one place.
func runIn(dir, place string, n int64, filter *regexp.Regexp) error {
	var wanted []pair
	for _, p := range cases(place) {
		if filter.MatchString(p.name) {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	defer exec.Command("fusermount3", "-q", "-u", "-z", filepath.Join(dir, "m")).Run()
	if err := prepare(dir, n); err != nil {
		return err
	}
	for _, p := range wanted {
		if _, err := exec.LookPath(p.needs); err != nil {
			fmt.Printf("%-34s left out: no %s\n", p.name, p.needs)
			continue
		}
		st, err := os.Stat(filepath.Join(dir, cmp.Or(p.input, "in")))
		if err != nil {
			return err
		}
		if err := p.compare(dir, st.Size()); err != nil {
			return err
		}
	}
	return nil
}

// compare times the two commands of p in turn and prints the result.
func (p pair) compare(dir string, n int64) error {
	var ours, theirs []time.Duration
	var peak int64
	for i := range *rounds + 1 {
		a, rss, err := once(dir, p.ours)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		b, _, err := once(dir, p.theirs)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if i == 0 {
			continue // to warm up
		}
		ours, theirs, peak = append(ours, a), append(theirs, b), max(peak, rss)
	}
	report(p.name, median(ours), median(theirs), n, p.goal, peak)
	return nil
}

// once runs a command line in dir and returns how long it took and the peak
// memory, in KiB, of the largest process it started.
func once(dir, line string) (time.Duration, int64, error) {
	old, _ := filepath.Glob(filepath.Join(dir, "out*")) // and the parts of a set
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return 0, 0, err
		}
	}
	exec.Command("dd", "if="+filepath.Join(dir, "m", "in"), "iflag=nocache", "count=0", "status=none").Run() // what the kernel keeps of a mount
	syscall.Sync()                                                                                           // earlier runs' writes are not this one's
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", line, err, out)
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return took, int64(usage.Maxrss), nil // its type varies
}

func median[T cmp.Ordered](v []T) T {
	slices.Sort(v)
	return v[len(v)/2]
}

func report(name string, ours, theirs time.Duration, n int64, goal float64, peakKiB int64) {
	line := fmt.Sprintf("%-34s %10s %10s %8.2f", name, rate(n, ours), rate(n, theirs), float64(theirs)/float64(ours))
	if goal > 0 {
		line += fmt.Sprintf("  >= %.2f", goal)
	}
	if peakKiB > 0 {
		line += fmt.Sprintf("  (peak %d MiB)", peakKiB>>10)
	}
	fmt.Println(line)
}

func rate(n int64, d time.Duration) string {
	return fmt.Sprintf("%.0f MB/s", float64(n)/1e6/d.Seconds())
}
