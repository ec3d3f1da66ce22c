//go:build unix

// Bench times whole commands against their counterparts, side by side.
//
//	go run ./bench                     # everything, 1 GiB, 5 rounds
//	go run ./bench -run tmpfs -size 2GiB -rounds 9
//	go run ./bench -json docs/performance.json && go run ./bench docs
//	go run ./bench scale               # 1 PiB: arithmetic, and a job of 20,000 volumes, which the first has, too (docs/scale.md)
//
// For every case the two commands run in turn, A B A B …, so that a machine
// whose speed drifts slows both alike; a first round does not count. What is printed is the median of
// each, the ratio of the medians, ours over theirs in speed, and what half of the rounds' own
// ratios lie between. Above 1 is faster. The goals beside the ratios are the project's own.
//
// With -json the file has every run; with -run, too, what is measured takes the place of the same
// in it. The verb docs writes the tables and plots of README.md and
// docs/ from docs/performance.json; plot/, a module of its own, draws them.
//
// It needs cp, cat, dd, sync and sh. What other tools are compared with is left out, and the output
// says so, where they are not installed; a mount is read where FUSE is. A disk is slowed down for one case, and
// for all that use it meanwhile, by root where cgroup v1 is.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"

	"bulla/internal/console"
)

var (
	size   = flag.String("size", "1GiB", "size of the input")
	rounds = flag.Int("rounds", 5, "runs of each command that count")
	only   = flag.String("run", "", "only cases whose name matches this regular expression")
	disk   = flag.String("disk", os.TempDir(), "a folder on a disk")
	tmpfs  = flag.String("tmpfs", "/dev/shm", "a folder in memory")
	into   = flag.String("json", "", "a file for all results")
	many   = flag.Int("volumes", 20_000, "how many volumes the job of scale has")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.Parse()
	n, ok := console.ParseSize(*size)
	filter, err := regexp.Compile(*only)
	switch {
	case !ok:
		log.Fatalf("-size %s is not a number of bytes, such as 512MiB", *size)
	case *rounds < 1:
		log.Fatalf("-rounds %d: must be at least 1", *rounds)
	case err != nil:
	case flag.Arg(0) == "scale":
		paper(os.Stdout)
		err = simulate(*tmpfs, *many, filter, func(a Amount) { fmt.Println(&a) })
	case flag.Arg(0) == "docs":
		err = docs(".")
	case flag.NArg() > 0:
		log.Fatalf("there is no %q: give scale, docs or nothing", flag.Arg(0))
	default:
		err = all(n, filter)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// all runs what matches, prints it, and writes it to the file of -json. What fails is left out, and
// the error is about it.
func all(n int64, filter *regexp.Regexp) error {
	places := []place{{"disk", *disk, 0}, {slowDisk, *disk, slowRate}, {"tmpfs", *tmpfs, 0}}
	r := &Results{Machine: thisMachine(places), Size: n, Rounds: *rounds}
	fmt.Printf("%s\n\nInput %s, medians of %d interleaved runs\n\n", &r.Machine, *size, *rounds)
	fmt.Printf("%-46s %10s %10s %6s  quartiles\n", "case", "ours", "theirs", "ratio")
	compared := func(c Case) { fmt.Println(&c); r.Cases = append(r.Cases, c) }
	counted := func(a Amount) { fmt.Println(&a); r.Amounts = append(r.Amounts, a) }
	var failed []error
	for _, p := range places {
		failed = append(failed, p.in(n, filter, compared))
	}
	failed = append(failed,
		memory(*tmpfs, n, filter, counted),
		requests(*tmpfs, filter, counted),
		simulate(*tmpfs, *many, filter, counted),
		inMemory(n, filter, compared)) // last: what this process has at its largest counts as its children's
	if *into != "" {
		if old, err := load(*into); err == nil && *only != "" {
			r = r.update(old, *only)
		}
		failed = append(failed, r.save(*into))
	}
	return errors.Join(failed...)
}
