//go:build unix

package main

import "strings"

// A verb is a run of bulla in a folder that has the files of the scene which it names. All
// files there stay as they are but those that it changes or makes. Several names have spaces
// between them, several runs semicolons.
type verb struct {
	args    string
	first   string // runs before it, which nothing is done to
	changes string // files that it changes in place
	keeps   string // runs that succeed at any time
	out     string // what it makes, the last of that; "" if it makes nothing
	check   string // runs that succeed if the work was done; after "!" they fail
	plain   string // NAME=OF: then the file NAME is the plaintext OF
	says    string // an expression that its standard output matches, or same
	resume  string // what finishes the work if it was interrupted; args if empty
	clears  string // files that have to be moved away before, as the message says
}

// same is what a verb says if nothing is done to it.
const same = "="

func runsOf(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ';' })
}

const (
	planned  = "job encrypt -q --kek kek --volume-size 3M -o s2 --into j large"
	runAll   = "job run -q -j 2 j --part 0;job run -q j --part 1;job run -q j --part 2"
	openCat  = "cat -q -o - --kek kek c"
	openBoth = "cat -q -o - --kek kek both"
	keeper   = "epoch create -q YEAR..NEXT --every quarter -o k"
)

var verbs = []verb{
	{args: "encrypt -q --kek kek -o out plain", out: "out", check: "verify -q --kek kek out"},
	{args: "encrypt -q -z --verify --kek kek -o out plain", out: "out", check: "verify -q --kek kek out"},
	{args: "encrypt -q --force --kek kek -o out plain", out: "out", check: "verify -q --kek kek out"},
	{args: "encrypt -q --parity 20% --kek kek -o out plain", out: "out.parity", check: "verify -q --kek kek out;scrub -q out", clears: "out"},
	{args: "encrypt -q --resume --kek kek --volume-size 3M -o s2 large", out: "s2.index", check: "verify -q --kek kek s2"},
	{args: "decrypt -q --kek kek -o out c", out: "out", plain: "out=plain"},
	{args: "decrypt -q --resume --kek kek -o out z", out: "out", plain: "out=plain"},
	{args: "decrypt -q --kek kek -o - c", says: same},
	{args: "verify --kek kek c", says: same},
	{args: "cat -q --kek kek -o out s", out: "out", plain: "out=large"},
	{args: "cat -q --range 1000+200000 --kek kek z", says: same},
	{args: "ls -l --kek kek t", says: same},
	{args: "extract -q --kek kek t out", out: "out", plain: "out=plain"},
	{args: "diff --content --kek kek t tree", first: "extract -q --kek kek -C tree t", says: "^$"},
	{args: "sign -q --key ssh c", out: "c.sig", check: "sign --statement c"},
	{args: "parity create -q -o out c", out: "out", check: "scrub -q --parity-file out c"},
	{args: "scrub p", says: same},
	{args: "repair -q -o out damaged", out: "out", check: "verify -q --kek kek out"},
	{args: "repair -q --kek kek damaged", changes: "damaged", check: "verify -q --kek kek damaged"},
	{args: "salvage -q --kek kek -o out c", out: "out", plain: "out=plain"},
	{args: "inspect c", says: same},
	{args: "recipients list --kek kek both", says: same},
	{args: "recipients add -q --open-kek kek --kek kek2 c", changes: "c", keeps: openCat, check: "verify -q --kek kek2 c", resume: "recipients repair -q --kek kek c"},
	{args: "recipients remove -q --open-kek kek --kek kek2 both", changes: "both", keeps: openBoth, check: "verify -q --kek kek both", resume: "recipients repair -q --kek kek both"},
	{args: "recipients repair -q --kek kek torn", changes: "torn", keeps: "cat -q -o - --kek kek torn", check: "verify -q --kek kek torn"},
	{args: "head export -q --kek kek -o out c", out: "out", check: "inspect -q out"},
	{args: "head restore -q --head h --kek kek c", first: "head export -q --kek kek -o old c;recipients add -q --head old -o h --open-kek kek --kek kek2", changes: "c", keeps: openCat, check: "verify -q --kek kek2 c"},
	{args: "grant -q --range 100-2000 -r RECIPIENT -o out --kek kek c", out: "out", check: "cat -q -g out -i key -o got c"},
	{args: "shred -q --yes p", changes: "p p.parity", check: "! cat -q --kek kek p;shred -q --dry-run p"},
	{args: "keygen -q -o out", out: "out", check: "keygen -y out"},
	{args: "keygen -q", says: "\nAGE-SECRET-KEY-PQ-1[0-9A-Z]+\n$"},
	{args: "epoch create -q YEAR..NEXT --every quarter -o k", out: "k.calendar", check: "epoch show -q --check k.calendar k", resume: "epoch extend -q k NEXT"},
	{args: "epoch extend -q k NEXT", first: "epoch create -q YEAR --every quarter -o k;encrypt -q -R k.calendar -o e plain", changes: "k k.calendar", keeps: "cat -q -o - -i k e", check: "epoch show -q --check k.calendar k"},
	{args: "epoch advance -q --yes --to NEXT-02-01 k", first: keeper + ";encrypt -q -R k.calendar -o e plain", changes: "k", keeps: "epoch show -q k", check: "! cat -q -i k e;epoch show -q --check k.calendar k"},
	{args: "epoch show --check k.calendar k", first: keeper, says: same},
	{args: planned, out: "j/plan.json", check: runAll + ";job finish -q j;verify -q --kek kek s2", clears: "j.jobkey s2"},
	{args: "job verify -q --kek kek --into j m", out: "j/plan.json", check: "job run -q j --part 0;job finish -q j", clears: "j.jobkey"},
	{args: "job decrypt -q --kek kek --into j -o out c", out: "j/plan.json", check: "job run -q j --part 0;job finish -q j", plain: "out=plain", clears: "j.jobkey"},
	{args: "job scrub -q --into j p", out: "j/plan.json", check: "job run -q j --part 0;job finish -q j"},
	{args: "job run -q j --part 1", first: planned, out: "j/000001.done", check: runAll + ";job finish -q j;verify -q --kek kek s2"},
	{args: "job run -q j --part 0", first: "job verify -q --kek kek --into j m", out: "j/000000.done", check: "job finish -q j"},
	{args: "job run -q j --part 0", first: "job decrypt -q --kek kek --into j -o out c", out: "j/000000.done", check: "job finish -q j", plain: "out=plain"},
	{args: "job run -q j --part 0", first: "job scrub -q --into j p", out: "j/000000.done", check: "? job finish -q j"}, // what cannot be read is damaged
	{args: "job finish -q j", first: planned + ";" + runAll, out: "s2.index", check: "verify -q --kek kek s2"},
	{args: "job finish j", first: "job verify -q --kek kek --into j m;job run -q j --part 0", says: same},
	{args: "job finish -q j", first: "job decrypt -q --kek kek --into j -o out c;job run -q j --part 0", out: "out", plain: "out=plain"},
	{args: "job finish j", first: "job scrub -q --into j p;job run -q j --part 0", says: same},
	{args: "job status j", first: planned + ";job run -q j --part 1", says: same},
	{args: "job script parallel j", first: "job scrub -q --into j p", says: same},
	{args: "entropy", says: "^SOURCE.*\\nos "},
	{args: "entropy read 1000", says: "(?s)^.{930,1000}$"},
	{args: "entropy test", says: "\\nA source that passes"},
	{args: "completion bash", says: same},
	{args: "version", says: same},
}

// untried says why a verb is not in that table.
var untried = map[string]string{
	"mount":           "it goes on until it is stopped: its own tests kill it, stop it, and damage what it shows",
	"serve":           "it goes on until it is stopped: its own tests do that, and damage what it shows",
	"storage uploads": "it needs a store: the tests of package s3 make each kind of request fail",
}
